// SPDX-License-Identifier: PostgreSQL
// Logs in with each URL and prints the serial of its certificate as the server has it.

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;

public class Login {
    public static void main(String[] urls) {
        boolean failed = false;
        for (String url : urls) {
            try (Connection connection = DriverManager.getConnection(url);
                 ResultSet rows = connection.createStatement().executeQuery(
                     "SELECT client_serial FROM pg_stat_ssl WHERE pid = pg_backend_pid()")) {
                rows.next();
                System.out.println(rows.getString(1));
            } catch (Exception e) {
                failed = true;
                for (Throwable cause = e; cause != null; cause = cause.getCause())
                    System.out.println("failed: " + cause);
            }
        }
        System.exit(failed ? 1 : 0);
    }
}
