#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# Delivered files are used by the real thing: psql, psycopg, JDBC, Go and ODBC log in to a PostgreSQL with the strings
# that the delivery's README.txt has, in each state of a rotation. A driver that is not installed is left out and said;
# with DRIVERS=all (make drivers) it is an error.
#
#   tests/integration/drivers.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
BUILD=$(cd "${1:-build}" && pwd) || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/lib_repository.sh
. tests/integration/lib_repository.sh

PYTHON=/usr/bin/python3
ADDRESS=127.0.0.1
JAR=/usr/share/java/postgresql.jar
GO_PACKAGES=/usr/share/gocode/src/github.com
SQL='SELECT client_serial FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
MISSING=()
DRIVERS_HERE=()

# ---- the repository and the server ------------------------------------------------------------------------------

description() { # KEY of the clients
  cat <<YML
subject: {C: NL, O: Acme, CN: postgres}
key: ecdsa-p256
intermediates:
  - name: server
    servers:
      db1.example.com: [$ADDRESS, db1.example.com, localhost]
  - name: client
    key: $1
    clients: [postgres, app, report.ro]
YML
}

inventory() {
  cat <<YML
all:
  vars: {ansible_connection: local, certrotate_become: false, certrotate_settle: 0.05}
  hosts:
    db1.example.com:
      ansible_host: $ADDRESS
      certrotate_clusters: [{data: $T/db1/data}]
      certrotate_clients:
        - {user: postgres, owner: $(id -un), home: $T/homes/postgres}
YML
}

configuration() {
  cat <<YML
version: 1
defaults:
  census: {samples: 0}
  endpoints:
    - {name: localhost, address: $ADDRESS, port: $PORT}
environments:
  poc: {}
applications:
  shop: {users: [app, report.ro, somebody-elsewhere], contact: shop@example.com}
YML
}

make_environment() {
  new_repository
  mkdir -p "$T/homes/postgres" "$T/db1"
  description rsa2048 >"$R/config/chainsmith_poc.yml"
  inventory >"$R/environments/poc/hosts"
  configuration >"$R/certrotate.yml"
  team_commits "poc: describe the environment"
  quietly go next --first
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$T/db1"
  start_pg "$T/db1/data" "$ADDRESS" "$PORT" "ssl_ca_file = 'root.crt'"
  printf '%s\n' 'local all all trust' 'hostssl all all 127.0.0.0/8 cert clientcert=verify-full' |
    as_server tee "$T/db1/data/pg_hba.conf" >/dev/null
  quietly sql "$PORT" 'CREATE ROLE app LOGIN'
  quietly sql "$PORT" 'CREATE ROLE "report.ro" LOGIN'
  [ "$SERVER_USER" = postgres ] || quietly sql "$PORT" 'CREATE ROLE postgres SUPERUSER LOGIN'
  quietly play
  quietly sql "$PORT" 'ALTER SYSTEM SET ssl = on'
  quietly sql "$PORT" 'SELECT pg_reload_conf()'
}

# ---- the drivers ------------------------------------------------------------------------------------------------

# driver NAME PACKAGE COMMAND...: it is here where the command works
driver() {
  local name=$1 package=$2
  shift 2
  if "$@" >/dev/null 2>&1; then
    DRIVERS_HERE+=("$name")
  else
    [ "${DRIVERS:-}" != all ] || die "$name is missing: install the package $package"
    MISSING+=("$name ($package)")
  fi
}

find_drivers() {
  DRIVERS_HERE=(psql)
  driver psycopg2 python3-psycopg2 $PYTHON -c 'import psycopg2'
  driver psycopg python3-psycopg $PYTHON -c 'import psycopg'
  driver jdbc 'openjdk-17-jdk-headless, libpostgresql-jdbc-java' build_java
  driver pq 'golang-go, golang-github-lib-pq-dev' build_go pq lib/pq
  driver pgx 'golang-go, golang-github-jackc-pgx-v4-dev' build_go pgx jackc/pgx/v4
  driver odbc 'odbc-postgresql, unixodbc' odbc_is_here
}

build_java() {
  [ -f "$JAR" ] && javac -d "$T/java" tests/drivers/Login.java
}

build_go() {
  [ -d "$GO_PACKAGES/$2" ] || return 1
  GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' GOCACHE=$T/go command go build -o "$T/login_$1" "tests/drivers/login_$1.go"
}

odbc_is_here() {
  command -v isql >/dev/null && grep -qF '[PostgreSQL Unicode]' /etc/odbcinst.ini
}

have() {
  [[ " ${DRIVERS_HERE[*]} " == *" $1 "* ]]
}

# string NAME: from the README in $FILES, for the passphrase in $PASS and the bundle of $TRUST
string() {
  $PYTHON tests/drivers/strings.py "$FILES/README.txt" "$1" postgres "$PASS" "$TRUST/root.crt"
}

# in_files COMMAND...: in the folder, as the README's paths are
in_files() {
  (cd "$FILES" && "$@")
}

# The serial that the delivery says the user's certificate has.
serial() {
  $PYTHON -c 'import json,sys; print(*[c["serial"] for c in json.load(open(sys.argv[1]))["certificates"] if c["user"] == sys.argv[2]])' \
    "$FILES/delivery.json" "${1:-app}"
}

psql_says() {
  in_files "$PG_BIN/psql" -XAtq "$1" -c "$SQL"
}

# What the README tells who has a driver that opens no encrypted key.
clear_key() {
  local command
  command=$(string clear)
  (umask 077 && printf '%s\n' "$PASS" >"$T/pass")
  in_files bash -c "${command/openssl pkcs8/openssl pkcs8 -passin file:$T/pass}"
  rm -f "$T/pass"
}

login() { # DRIVER
  local url properties
  case $1 in
  psql) psql_says "$(string libpq)" ;;
  psycopg2 | psycopg) in_files $PYTHON "$ROOT/tests/drivers/login.py" "$1" "$(string psycopg)" ;;
  jdbc)
    url=$(string jdbc-p12)
    read -ra properties <<<"$(PASS=PASSPHRASE string java)"
    in_files java -cp "$T/java:$JAR" "${properties[@]//PASSPHRASE/"$PASS"}" Login "$url" "$(string jdbc-pk8)" \
      "${url%%&*}&sslmode=verify-full&sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory" >"$T/jdbc" || {
      cat "$T/jdbc"
      return 1
    }
    # PKCS#12, PKCS#8 in DER, and both of Java's own stores
    [ "$(wc -l <"$T/jdbc")" = 3 ] && sort -u "$T/jdbc"
    ;;
  pq | pgx)
    clear_key && in_files "$T/login_$1" "$(string go)"
    rm -f "$FILES/app/clear.key"
    ;;
  odbc) echo "${SQL/client_serial/client_serial::text}" | in_files isql -b -k "$(string odbc)" | grep -oE '[0-9]{15,}' ;;
  esac
}

# logs_in WHEN: every driver, with $FILES, $PASS and the bundle of $TRUST
logs_in() {
  local one
  for one in "${DRIVERS_HERE[@]}"; do
    check "$1: $one logs in with the certificate that was delivered" logs_in_as "$one"
  done
}

logs_in_as() {
  local got
  got=$(login "$1" 2>&1)
  is "$got" "$(serial)"
}

refused() { # DRIVER TEXT
  ! login "$1" >"$T/said" 2>&1 && said "$2"
}

# ---- the tests --------------------------------------------------------------------------------------------------

modes_are_private() {
  is "$(find "$1" -type d ! -perm 0700 -o -type f ! -perm 0600)" ''
}

holds() { # FOLDER FILE...: these, and nothing else
  local folder=$1
  shift
  is "$(cd "$folder" && find . -type f -printf '%P\n' | sort | tr '\n' ' ')" "$(printf '%s\n' "$@" | sort | tr '\n' ' ')"
}

# Everywhere that is kept: not beside the files, not in the clone or the remote.
nowhere() {
  ! grep -rqF -- "$1" "$FILES" "$R" "$T/home" &&
    ! git -C "$R" cat-file --batch-all-objects --batch | grep -aqF -- "$1"
}

the_present_files_for_a_new_machine() {
  FILES=$T/present TRUST=$T/present
  check 'without a terminal no passphrase is made' exits 2 rotate deliver --app shop --out "$FILES"
  check 'and it says what to give' said 'none can be shown: this is no terminal' '--passphrase-file FILE'
  check 'and nothing is there' test ! -e "$FILES"
  check 'on a terminal it is shown' exits 0 $PYTHON tests/drivers/on_terminal.py "$BUILD/certrotate" -C "$R" deliver --app shop --out "$FILES"
  PASS=$(tr -d '\r' <"$T/said" | sed -n 's/^    \([a-z2-9-]*\)$/\1/p')
  check 'once, in six groups' is "$(grep -cE '^([a-hjkmnp-z2-9]{5}-){5}[a-hjkmnp-z2-9]{5}$' <<<"$PASS")" 1
  check 'and is nowhere else' nowhere "$PASS"
  check 'nobody else can read the files' modes_are_private "$FILES"
  check 'there is everything, and no more' holds "$FILES" README.txt delivery.json root.crt ca-1.crt ca-2.crt truststore.p12 \
    {app,report.ro}/client.{crt,key,pk8,p12}
  check 'no key is in the clear' bash -c "! grep -rqE 'BEGIN (RSA |EC )?PRIVATE KEY' '$FILES'"
  logs_in idle
  check 'the other user logs in with the other folder' other_user
}

other_user() {
  local conninfo
  conninfo=$(string libpq)
  is "$(psql_says "${conninfo//app/report.ro}")" "$(serial report.ro)"
}

the_traps_are_as_the_page_says() {
  local conninfo url
  conninfo=$(string libpq)
  chmod 644 "$FILES/app/client.key"
  check 'libpq refuses a key that others may read' exits 2 psql_says "$conninfo"
  check 'as it says' said 'has group or world access'
  chmod 600 "$FILES/app/client.key"
  printf '[shop]\n%s\n' "${conninfo// /$'\n'}" >"$T/service.conf"
  check 'a service file takes all of it' is "$(PGSERVICEFILE=$T/service.conf psql_says service=shop)" "$(serial)"
  check 'a wrong passphrase is refused' exits 2 psql_says "${conninfo/sslpassword=/sslpassword=x}"
  if have jdbc; then
    url=$(string jdbc-pk8)
    check 'JDBC has no use for the key in PEM' exits 1 in_files java -cp "$T/java:$JAR" Login "${url/client.pk8/client.key}"
    check 'keytool takes one certificate of a file' is "$(keytool_takes "$TRUST/root.crt")" 1
    check 'truststore.p12 has them all, each trusted' is "$(keytool -list -keystore "$TRUST/truststore.p12" -storepass changeit | grep -c trustedCertEntry)" 2
  fi
  if have pq; then
    url=$(string go)
    check 'lib/pq does not open the encrypted key' exits 1 in_files "$T/login_pq" "${url/clear.key/client.key}&sslpassword=$PASS"
  fi
  if have pgx; then
    check 'nor does pgx' exits 1 in_files "$T/login_pgx" "${url/clear.key/client.key}&sslpassword=$PASS"
  fi
}

keytool_takes() {
  rm -f "$T/store.p12"
  keytool -importcert -noprompt -alias one -file "$1" -keystore "$T/store.p12" -storepass changeit >/dev/null 2>&1
  keytool -list -keystore "$T/store.p12" -storepass changeit | grep -c trustedCertEntry
}

trust_gives_the_bundle_alone() {
  description ecdsa-p256 >"$R/config/chainsmith_poc.yml"
  team_commits 'poc: smaller keys for the clients'
  quietly go next --to trusted
  check 'in trusted the bundle is delivered' exits 0 rotate deliver --app shop --out "$T/trust"
  check 'and nothing else' holds "$T/trust" README.txt delivery.json root.crt ca-{1,2,3,4}.crt truststore.p12
  check 'new certificates are not wanted yet, but could be' exits 2 rotate deliver --app shop --phase clients --out "$T/early"
  check 'the bundle of the new chain alone is refused' exits 3 rotate deliver --app shop --phase prune --out "$T/early"
  check 'with the reason' said 'poc is trusted: servers show certificates of the old chain still'
  TRUST=$T/trust
  logs_in trusted
}

servers_switch() {
  quietly rotate ack --app shop
  quietly go next
  logs_in servers-switched
  TRUST=$T/present
  check 'who has not taken the bundle is refused' refused psql 'certificate verify failed'
  TRUST=$T/trust
}

clients_get_their_certificates() {
  local old
  old=$(serial)
  quietly go next
  logs_in 'clients-switched, with the old certificate'
  PASS='a passphrase & 100% %20+"given"'
  printf '%s\n' "$PASS" >"$T/passphrase"
  check 'a passphrase file that others can read is refused' exits 2 rotate deliver --app shop --out "$T/clients" --passphrase-file "$T/passphrase"
  check 'by name' said "$T/passphrase can be read by others"
  chmod 600 "$T/passphrase"
  check 'the new files, for a passphrase that is given' exits 0 rotate deliver --app shop --out "$T/clients" --passphrase-file "$T/passphrase" --json
  check 'in one document, without it' is "$($PYTHON -c 'import json,sys; d=json.load(open(sys.argv[1])); print(d["phase"], d["passphrase"], len(d["files"]), sys.argv[2] in str(d))' "$T/said" "$PASS")" \
    'clients given 16 False'
  FILES=$T/clients TRUST=$T/clients
  check 'which is nowhere else' nowhere "$PASS"
  check 'it is another certificate' test "$(serial)" != "$old"
  for driver in jdbc pq pgx; do
    if have $driver; then check "a passphrase with signs in it: $driver" logs_in_as $driver; fi
  done
  PASS=$(openssl rand -hex 16)
  printf '%s\n' "$PASS" >"$T/passphrase"
  check 'the same command makes them anew' exits 0 rotate deliver --app shop --out "$T/clients" --passphrase-file "$T/passphrase"
  check 'nothing of before is left' holds "$T/clients" README.txt delivery.json root.crt ca-{1,2,3,4}.crt truststore.p12 \
    {app,report.ro}/client.{crt,key,pk8,p12}
  logs_in clients-switched
}

prune_gives_the_new_bundle() {
  quietly rotate ack --app shop
  check 'before the prune its bundle can be had' exits 0 rotate deliver --app shop --phase prune --out "$T/prune"
  TRUST=$T/prune
  logs_in 'clients-switched, with the new bundle'
  quietly go next
  logs_in pruned
  check 'a new machine gets what holds now' exits 0 rotate deliver --app shop --passphrase-file "$T/passphrase"
  FILES=$R/.git/certrotate/poc/deliveries/shop TRUST=$FILES
  check 'below .git, where nothing is committed' holds "$FILES" README.txt delivery.json root.crt ca-{1,2}.crt truststore.p12 \
    {app,report.ro}/client.{crt,key,pk8,p12}
  check 'and it logs in' logs_in_as psql
  FILES=$T/present TRUST=$T/prune
}

main() {
  need ansible-playbook ansible-core
  need git git
  begin drivers
  PORT=$(free_port "$ADDRESS")
  find_drivers
  [ ${#MISSING[@]} = 0 ] || (IFS=';' && echo "not tried, because not installed (make drivers): ${MISSING[*]}")
  make_environment
  the_present_files_for_a_new_machine
  the_traps_are_as_the_page_says
  trust_gives_the_bundle_alone
  servers_switch
  clients_get_their_certificates
  prune_gives_the_new_bundle
  finish
}

main
