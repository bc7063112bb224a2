// SPDX-License-Identifier: PostgreSQL
// Logs in and prints the serial of its certificate as the server has it.
package main

import (
	"database/sql"
	"fmt"
	"os"

	_ "github.com/lib/pq"
)

func main() {
	db, err := sql.Open("postgres", os.Args[1])
	var serial string
	if err == nil {
		err = db.QueryRow("SELECT client_serial FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&serial)
	}
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println(serial)
}
