# SPDX-License-Identifier: PostgreSQL
# shellcheck shell=bash
# One server ($DB1 at $ADDRESS and $PORT) with a role for each of $CLIENTS, and sessions that stay, of users whose files are
# in $T/homes. The script has `declare -A SESSIONS=()` and ends what is left of them.

start_server() {
  local user
  mkdir -p "$T/db1"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$T/db1"
  start_pg "$T/db1/data" "$ADDRESS" "$PORT" "ssl_ca_file = 'root.crt'"
  printf '%s\n' 'local all all trust' 'hostssl all all 127.0.0.0/8 cert clientcert=verify-full' |
    as_server tee "$T/db1/data/pg_hba.conf" >/dev/null
  for user in $CLIENTS; do
    [ "$user" = "$SERVER_USER" ] || quietly sql "$PORT" "CREATE ROLE $user LOGIN"
  done
  quietly sql "$PORT" "ALTER ROLE postgres SUPERUSER"
}

# hold NAME USER: a session with the files that the user has now
hold() {
  local name=$1 files=$T/homes/$2/.postgresql
  PGAPPNAME=$name "$PG_BIN/psql" -XAtq "host=$DB1 hostaddr=$ADDRESS port=$PORT user=$2 dbname=postgres sslmode=verify-full \
sslcert=$files/postgresql.crt sslkey=$files/postgresql.key sslrootcert=$files/root.crt" \
    -c "SELECT pg_sleep(600)" >"$T/session-$name.out" 2>&1 &
  SESSIONS[$name]=$!
  until_true 20 is_connected "$name" || die "the session $name is not there: $(cat "$T/session-$name.out")"
}

is_connected() {
  [ "$(sql "$PORT" "SELECT count(*) FROM pg_stat_activity WHERE application_name = '$1'")" = 1 ]
}

drop() {
  local name
  for name in "$@"; do
    sql "$PORT" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '$name'" >/dev/null
    wait "${SESSIONS[$name]}" 2>/dev/null
    unset "SESSIONS[$name]"
    until_true 20 not is_connected "$name" || die "the session $name does not end"
  done
}
