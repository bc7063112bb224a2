#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# Who is connected with which certificate: a primary and its standby, clients of two generations, of an unknown
# authority, without a certificate, without TLS, over a socket and through PgBouncer; servers that are down, that show a
# role only itself, or that are asked through Ansible; and the record, as a timer keeps it.
#
#   tests/integration/census.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
BUILD=$(cd "${1:-build}" && pwd) || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/lib_repository.sh
. tests/integration/lib_repository.sh

DB1=db1.example.com DB2=db2.example.com
CLIENTS="postgres replicator monitor app report pooler idle"
declare -A SESSIONS=()
POOLER=

test_ends() {
  local name
  for name in "${!SESSIONS[@]}"; do kill "${SESSIONS[$name]}" 2>/dev/null; done
  [ -z "$POOLER" ] || kill "$POOLER" 2>/dev/null
}

# ---- the repository ---------------------------------------------------------------------------------------------

description() {
  cat <<EOF
subject: {C: NL, O: Acme, CN: postgres}
key: ecdsa-p256
intermediates:
  - name: server
    servers:
      $DB1: [$ADDRESS1, $DB1]
      $DB2: [$ADDRESS2, $DB2]
  - name: client
    clients: [${CLIENTS// /, }]
EOF
}

inventory() {
  cat <<EOF
all:
  vars: {ansible_connection: local, certrotate_become: false, certrotate_settle: 0.05, certrotate_serial: '100%'}
  hosts:
    $DB1:
      ansible_host: $ADDRESS1
      certrotate_clusters: [{data: $T/db1/data}]
      certrotate_clients:
        - {user: postgres, owner: $ME, home: $T/homes/postgres}
        - {user: report, owner: $ME, home: $T/homes/report}
        - {user: monitor, owner: $ME, home: $T/homes/monitor}
        - {user: pooler, owner: $SERVER_USER, home: $T/homes/pooler}
    $DB2:
      ansible_host: $ADDRESS2
      certrotate_clusters: [{data: $T/db2/data}]
      certrotate_clients:
        - {user: replicator, owner: $SERVER_USER, home: $T/homes/replicator}
EOF
}

# configuration LOGIN-USER [MORE-OF-CENSUS [ENDPOINT]]
configuration() {
  cat <<EOF
version: 1
defaults:
  git: {flow: direct, base: dev, remote: origin, push: true}
  login: {user: $1}
  census: {quiet: 1s, samples: 0${2:-}}
  endpoints:
    - {name: $DB1, address: $ADDRESS1, port: $PORT1}
    - {name: $DB2, address: $ADDRESS2, port: $PORT2}
${3:-}
environments:
  poc: {}
EOF
}

make_repository() {
  local user
  new_repository
  for user in $CLIENTS; do mkdir -p "$T/homes/$user/.postgresql"; done
  for user in replicator pooler; do [ "$ME" = "$SERVER_USER" ] || chown -R "$SERVER_USER" "$T/homes/$user"; done
  description >"$R/config/chainsmith_poc.yml"
  inventory >"$R/environments/poc/hosts"
  configuration postgres >"$R/certrotate.yml"
  cp "$ROOT/playbooks/census_certs.yml" "$R"
  team_commits "poc: describe the environment"
}

census() { # CONFIGURATION [OPTION...]: with one that is not committed, as each machine may try
  local file=$1
  shift
  "$BUILD/certrotate" -C "$R" -c "$file" census "$@"
}

# What the inventory holds for a client that Ansible does not reach.
take_files() { # USER
  (
    cd "$T" && ansible-vault view --vault-password-file "$T/vault-password" \
      "$R/environments/poc/group_vars/all/certs.vault.yml" | /usr/bin/python3 -c '
import os, sys, yaml
folder, user, keys = sys.argv[1], sys.argv[2], yaml.safe_load(sys.stdin)["private_keys"]
certs = yaml.safe_load(open(sys.argv[3]))["certs"]
os.umask(0o077)
for name, text in (("postgresql.crt", certs["client"][user]), ("postgresql.key", keys["client"][user]),
                   ("root.crt", certs["server"]["chain"])):
    with open(os.path.join(folder, name), "w") as stream:
        stream.write(text)
' "$T/homes/$1/.postgresql" "$1" "$R/environments/poc/group_vars/all/certs.yml"
  ) || die "$1 has no files"
}

# ---- servers ----------------------------------------------------------------------------------------------------

rules() {
  printf '%s\n' 'local all all trust' 'host replication all 127.0.0.0/8 trust' 'hostnossl all plain 127.0.0.0/8 trust' \
    'hostssl all bare 127.0.0.0/8 trust' 'hostssl all shop,batch,postgres 127.0.0.0/8 cert map=pool' \
    'hostssl all all 127.0.0.0/8 cert clientcert=verify-full'
}

identities() {
  printf 'pool pooler %s\n' shop batch postgres
  echo 'pool postgres postgres'
}

start_servers() {
  local user files=$T/homes/replicator/.postgresql
  mkdir -p "$T/db1"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$T/db1"
  start_pg "$T/db1/data" "$ADDRESS1" "$PORT1" "ssl_ca_file = 'root.crt'" "wal_keep_size = '64MB'"
  rules | as_server tee "$T/db1/data/pg_hba.conf" >/dev/null
  identities | as_server tee "$T/db1/data/pg_ident.conf" >/dev/null
  for user in $CLIENTS bare plain shop batch; do
    [ "$user" = "$SERVER_USER" ] || quietly sql "$PORT1" "CREATE ROLE $user LOGIN"
  done
  quietly sql "$PORT1" "ALTER ROLE postgres SUPERUSER"
  quietly sql "$PORT1" "ALTER ROLE replicator REPLICATION"
  quietly sql "$PORT1" "GRANT pg_read_all_stats TO monitor"
  start_standby "$T/db2/data" "$ADDRESS2" "$PORT2" "host=$ADDRESS1 port=$PORT1 user=replicator"
  quietly go_first
  for user in 1 2; do
    quietly on "$user" "ALTER SYSTEM SET ssl = on"
    quietly on "$user" "SELECT pg_reload_conf()"
  done
  quietly on 2 "ALTER SYSTEM SET primary_conninfo = 'host=$DB1 hostaddr=$ADDRESS1 port=$PORT1 user=replicator \
sslmode=verify-full sslcert=$files/postgresql.crt sslkey=$files/postgresql.key sslrootcert=$files/root.crt application_name=db2'"
  quietly on 2 "SELECT pg_reload_conf()"
  until_true 20 streams || die "the standby does not stream: $(tail -n 3 "$T/db2/data/server.log")"
}

go_first() {
  go next --first && play rollout_new_certs.yml
}

on() { # NUMBER STATEMENT
  local port=PORT$1
  sql "${!port}" "$2"
}

streams() {
  test "$(on 1 "SELECT client_serial IS NOT NULL FROM pg_stat_replication JOIN pg_stat_ssl USING (pid)")" = t
}

# ---- clients ----------------------------------------------------------------------------------------------------

# hold NAME HOST-AND-MORE...: a session with that application name
hold() {
  local name=$1
  shift
  PGAPPNAME=$name "$PG_BIN/psql" -XAtq "dbname=postgres $*" -c "SELECT pg_sleep(600)" >"$T/session-$name.out" 2>&1 &
  SESSIONS[$name]=$!
  until_true 10 is_connected "$name" || die "the session $name is not there: $(cat "$T/session-$name.out")"
}

is_connected() {
  [ "$(on 1 "SELECT count(*) FROM pg_stat_activity WHERE application_name = '$1'")" -ge 1 ]
}

# files_of USER: to log in with, and with the bundle of both chains that a client outside should have by then
files_of() {
  local files=$T/homes/$1/.postgresql
  echo "host=$DB1 hostaddr=$ADDRESS1 port=$PORT1 user=$1 sslmode=verify-full sslcert=$files/postgresql.crt \
sslkey=$files/postgresql.key sslrootcert=$T/homes/report/.postgresql/root.crt"
}

# Somebody whose authority the server trusts, and certrotate does not know.
hold_stranger() {
  make_chain "$T/other" other
  make_leaf "$T/other" client app
  as_server cp "$T/db1/data/root.crt" "$T/db1/root.kept"
  { printf '\n' && cat "$T/other/client.chain"; } | as_server tee -a "$T/db1/data/root.crt" >/dev/null
  on 1 "SELECT pg_reload_conf()" >/dev/null
  until_true 10 is_let_in "$T/other/client/app.crt" "$T/other/client/app.key" || die "the server does not take the other authority"
  hold stranger "host=$ADDRESS1 port=$PORT1 user=app sslmode=require sslcert=$T/other/client/app.crt sslkey=$T/other/client/app.key"
  as_server cp "$T/db1/root.kept" "$T/db1/data/root.crt"
  on 1 "SELECT pg_reload_conf()" >/dev/null
}

is_let_in() {
  "$PG_BIN/psql" -XAtq "host=$ADDRESS1 port=$PORT1 user=app dbname=postgres sslmode=require sslcert=$1 sslkey=$2" -c 'SELECT 1' >/dev/null 2>&1
}

start_pooler() {
  local files=$T/homes/pooler/.postgresql program
  program=$(PATH=$PATH:/usr/sbin command -v pgbouncer) || die "pgbouncer is missing: install the package pgbouncer"
  POOL_PORT=$(free_port "$ADDRESS1")
  mkdir "$T/pooler"
  printf '"%s" ""\n' shop batch postgres >"$T/pooler/users"
  cat >"$T/pooler/ini" <<EOF
[databases]
postgres = host=$DB1 port=$PORT1
[pgbouncer]
listen_addr = $ADDRESS1
listen_port = $POOL_PORT
unix_socket_dir =
auth_type = trust
auth_file = $T/pooler/users
pool_mode = session
server_tls_sslmode = require
server_tls_cert_file = $files/postgresql.crt
server_tls_key_file = $files/postgresql.key
client_tls_sslmode = allow
client_tls_cert_file = $T/db1/data/server.crt
client_tls_key_file = $T/db1/data/server.key
client_tls_ca_file = $T/db1/data/root.crt
EOF
  # Its resolver knows no hostaddr; the name is not verified here.
  sed -i "s/host=$DB1/host=$ADDRESS1/" "$T/pooler/ini"
  [ "$(id -u)" != 0 ] || chown -R "$SERVER_USER" "$T/pooler"
  # shellcheck disable=SC2016 # its own process, so that it can be ended by its number
  (cd / && exec setpriv --reuid "$SERVER_USER" --regid "$(id -gn "$SERVER_USER")" --init-groups -- "$program" -q "$T/pooler/ini") \
    >"$T/pooler.log" 2>&1 &
  POOLER=$!
  until_true 10 pools || die "pgbouncer does not answer: $(tail -n 3 "$T/pooler.log")"
  hold shopping "host=$ADDRESS1 port=$POOL_PORT user=shop sslmode=disable"
  hold night "host=$ADDRESS1 port=$POOL_PORT user=batch sslmode=disable"
}

pools() {
  "$PG_BIN/psql" -XAtq "host=$ADDRESS1 port=$POOL_PORT user=shop dbname=postgres sslmode=disable" -c 'SELECT 1' >/dev/null 2>"$T/pools.err"
}

# of a document, a Python expression on d; sightings that are connected: s(application)
document() {
  /usr/bin/python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
def s(application):
    found = [x for x in d["sightings"] if x["application"] == application and x["connected"]]
    return tuple((x["user"], x["generation"], x["kind"], x["leaf"]) for x in found)
print(eval(sys.argv[2]))' "$T/document" "$1"
}

samples() {
  /usr/bin/python3 -c 'import json, sys; print(len(json.load(open(sys.argv[1]))["samples"]))' "$RECORD" 2>/dev/null || echo 0
}

# ---- the tests --------------------------------------------------------------------------------------------------

everybody_is_counted() {
  check 'a census' exits 0 rotate census
  check 'all servers answered' said 'servers 2 asked, 2 answered'
  check 'who has switched' said 'report g2: 1 session' 'fresh from 127.' "on $DB1 (1)"
  check 'who has not, and logged in since' said 'app g1: 2 sessions' 'web from 127.' 'it has not switched'
  check 'replication, with its new certificate' said 'replicator g2: 1 session' "replication db2 from"
  check 'a session from before the phase' said 'monitor g1: 1 session' 'early from 127.' \
    'no login with it since the clients switched: these sessions are older'
  check 'an unknown certificate' said 'with a certificate that no generation that is kept has: app: serial' 'stranger from 127.'
  check 'TLS without a certificate' said 'bare: 1 session, TLS without a certificate'
  check 'no TLS' said 'plain: 1 session, no TLS'
  check 'a socket' said 'over a socket, where no certificate is involved' 'local on'
  check 'the pooler, with who is known to be behind it' said 'with the certificate of another (a pooler' 'pooler: 2 sessions of batch, shop' \
    'shopping from 127.' "on $DB1 (1, certificate of pooler)"
  check 'and that its address is shared' said 'several users behind one address' ', shop'
  check 'who was never seen' said 'never seen with g2' 'idle'
  check 'it fits a terminal of 80 columns' fits
  check 'the gate is said to be off' said 'no-census poc:'
}

# As in a terminal that is 80 columns wide.
fits() {
  script -qec "stty cols 80; '$BUILD/certrotate' -C '$R' census 2>/dev/null" /dev/null >"$T/wide" 2>&1 </dev/null || return 1
  sed 's/\x1b\[[0-9;]*[mK]//g; s/\r//g' "$T/wide" | awk 'length > 80 {print; bad = 1} END {exit bad || NR < 10}'
}

the_document_says_the_same() {
  rotate census --json >"$T/document" 2>"$T/err"
  check 'its version' is "$(document 'd["version"], d["generation"], d["asked"], d["answered"]')" "(1, 'g2', 2, 2)"
  check 'the old one' is "$(document 's("web")')" "(('app', 'g1', 'certificate', 'app'),)"
  check 'the new one' is "$(document 's("fresh")')" "(('report', 'g2', 'certificate', 'report'),)"
  check 'the walsender' is "$(document 's("db2"), [x["replication"] for x in d["sightings"] if x["application"] == "db2" and x["connected"]]')" \
    "((('replicator', 'g2', 'certificate', 'replicator'),), [True])"
  check 'the unknown one' is "$(document 's("stranger")')" "(('app', 'unknown', 'certificate', ''),)"
  check 'its serial' is "$(document '[x["serial"] for x in d["sightings"] if x["application"] == "stranger"][0]')" \
    "$(/usr/bin/python3 -c "print(int('$(openssl x509 -in "$T/other/client/app.crt" -noout -serial | cut -d= -f2)', 16))")"
  check 'without certificate, without TLS' is "$(document 's("bare") + s("plain")')" \
    "(('bare', '', 'no-certificate', ''), ('plain', '', 'no-tls', ''))"
  check 'the socket' is "$(document 's("local")[0][2]')" local
  check 'behind the pooler' is "$(document 's("shopping") + s("night")')" \
    "(('shop', 'g2', 'certificate', 'pooler'), ('batch', 'g2', 'certificate', 'pooler'))"
  check 'its certificate is shared' is "$(document 'd["shared_certificates"]')" "[{'leaf': 'pooler', 'users': ['batch', 'shop'], 'sessions': 2}]"
  check 'its address is shared' is "$(document '[set(("shop", "batch")) <= set(c["users"]) for c in d["shared_addresses"]][0]')" True
  check 'a login is not older than the session' is \
    "$(document 'all(x["oldest_login"] <= x["newest_login"] <= d["samples"][-1]["at"] for x in d["sightings"] if x["connected"])')" True
  check 'its own session is not counted' is "$(document '[x for x in d["sightings"] if x["application"] == "certrotate"]')" '[]'
}

status_knows_without_a_network() {
  check 'status tells of the last sample' exits 0 rotate status
  check 'in a line' said 'census g1 ' 'g2 ' 'ago'
  rotate status --json >"$T/document" 2>/dev/null
  check 'and in its document' is "$(document 'd["environments"][0]["census"]["generations"]["g1"] >= 3')" True
}

who_cannot_be_asked() {
  local down
  down=$(free_port "$ADDRESS1")
  configuration report >"$T/report.yml"
  check 'a role that sees only itself counts nobody' exits 1 census "$T/report.yml"
  check 'and it is said what to grant' said 'user report sees its own sessions only: nobody is counted' \
    'GRANT pg_read_all_stats TO "report"' 'servers 2 asked, 0 answered'
  configuration nobody >"$T/nobody.yml"
  check 'a login user without a certificate' exits 1 census "$T/nobody.yml"
  check 'is named' said 'there is no client certificate with a key for user nobody' 'set login.user'
  configuration postgres '' "    - {name: db3.example.com, address: $ADDRESS1, port: $down}" >"$T/down.yml"
  check 'a server that is down' exits 1 census "$T/down.yml"
  check 'is named, and the others are counted' said 'census-server db3.example.com:' 'refused' 'servers 3 asked, 2 answered' 'app g1'
  configuration postgres '' "    - {name: $DB1, address: $ADDRESS1, port: $POOL_PORT, protocol: postgres}" >"$T/pool.yml"
  check 'a pooler with TLS, named as an endpoint, hides who is connected to it' exits 0 census "$T/pool.yml" -v
  check 'that is said, and it counts neither as asked nor as missed' said 'servers 2 asked, 2 answered' \
    "census-pooler $DB1:$POOL_PORT: port $POOL_PORT answers for another server"
}

# A server that was left behind takes the certificate of before.
left_behind() {
  as_server cp "$T/db1/data/root.crt" "$T/db1/root.kept"
  as_server cp "$T/db1/root.first" "$T/db1/data/root.crt"
  on 1 'SELECT pg_reload_conf()' >/dev/null
  until_true 10 not lets_in_report || die 'the server still takes new certificates'
  check 'a server with the bundle of before is asked with the old certificate' exits 0 rotate census
  check 'and tells all' said 'servers 2 asked, 2 answered'
  as_server cp "$T/db1/root.kept" "$T/db1/data/root.crt"
  on 1 'SELECT pg_reload_conf()' >/dev/null
  until_true 10 lets_in_report || die 'the server does not take new certificates'
}

lets_in_report() {
  "$PG_BIN/psql" -XAtq "dbname=postgres $(files_of report)" -c 'SELECT 1' >/dev/null 2>&1
}

through_ansible() {
  configuration postgres ', playbook: census_certs.yml' >"$T/ansible.yml"
  check 'through Ansible' exits 0 census "$T/ansible.yml"
  check 'the same are counted' said 'servers 2 asked, 2 answered' 'report g2: 1 session' 'app g1: 2 sessions' 'app: serial' \
    'replicator g2: 1 session' 'bare: 1 session' 'plain: 1 session'
  as_server "$PG_BIN/pg_ctl" -D "$T/db2/data" -m fast -w stop >/dev/null
  check 'a cluster that is down' exits 1 census "$T/ansible.yml"
  check 'is named' said "census-server $DB2: no cluster runs on this host" 'servers 2 asked, 1 answered'
  as_server "$PG_BIN/pg_ctl" -D "$T/db2/data" -l "$T/db2/data/server.log" -w start >/dev/null
  until_true 20 streams || die "the standby does not stream"
}

# What systemd thinks of the units that are installed.
units() {
  local unit file
  command -v systemd-analyze >/dev/null || {
    echo 'left out: systemd-analyze is not there'
    return
  }
  for unit in systemd/*; do
    file=$T/$(basename "${unit/@./@poc.}")
    sed "s|@bindir@|$BUILD|" "$ROOT/$unit" >"$file"
  done
  for unit in systemd/*; do
    file=$T/$(basename "${unit/@./@poc.}")
    # It cannot find the manual of what is not installed.
    systemd-analyze verify --man=no "$file" >"$T/units" 2>&1
    check "$unit is one that systemd takes" is "$(cat "$T/units")" ''
  done
}

# The same question to the oldest and the newest PostgreSQL, with the primary's certificate.
other_version() {
  local version=$1 bin=$BUILD/postgres/$1/bin data=$T/version$1/data port file session
  [ -x "$bin/postgres" ] || {
    echo "left out: PostgreSQL $version is not there: type tools/postgres-versions $BUILD"
    return
  }
  port=$(free_port "$ADDRESS1")
  PG_BIN=$bin make_pg "$data" "$ADDRESS1" "$port" 'ssl = on' "ssl_ca_file = 'root.crt'"
  for file in server.crt server.key root.crt; do as_server cp -p "$T/db1/data/$file" "$data/$file"; done
  rules | as_server tee "$data/pg_hba.conf" >/dev/null
  identities | as_server tee "$data/pg_ident.conf" >/dev/null
  PG_BIN=$bin run_pg "$data"
  for file in app monitor; do quietly sql "$port" "CREATE ROLE $file LOGIN"; done
  quietly sql "$port" 'GRANT pg_read_all_stats TO monitor'
  [ "$SERVER_USER" = postgres ] || quietly sql "$port" 'CREATE ROLE postgres LOGIN SUPERUSER'
  PGAPPNAME="at$version" "$PG_BIN/psql" -XAtq "dbname=postgres $(files_of app | sed "s/port=$PORT1/port=$port/")" \
    -c 'SELECT pg_sleep(600)' >"$T/session-$version.out" 2>&1 &
  session=$!
  SESSIONS[at$version]=$session
  until_true 10 test_session "$port" "at$version" || die "no session at PostgreSQL $version: $(cat "$T/session-$version.out")"
  configuration monitor '' "    - {name: $DB1, address: $ADDRESS1, port: $port}" >"$T/version.yml"
  census "$T/version.yml" --json >"$T/document" 2>"$T/err"
  check "PostgreSQL $version answers a role that is no superuser" is "$(document 'd["asked"], d["answered"]')" '(3, 3)'
  check 'with who is connected' is "$(document '[(x["server"], x["user"], x["generation"], x["kind"]) for x in d["sightings"] if x["application"] == "at'"$version"'"]')" \
    "[('$DB1:$port', 'app', 'g1', 'certificate')]"
}

test_session() { # PORT NAME
  test "$(sql "$1" "SELECT count(*) FROM pg_stat_activity WHERE application_name = '$2'")" = 1
}

by_a_timer() {
  local files=$T/homes/monitor/.postgresql before
  mv "$T/vault-password" "$T/vault-password.away"
  mv "$HOME/.gitconfig" "$HOME/gitconfig.away"
  before=$(samples)
  check 'without the vault password a census by hand fails' exits 1 rotate census
  check 'and says what is missing' said 'vault-password'
  configuration postgres ", user: monitor, certificate: $files/postgresql.crt, key: $files/postgresql.key" >"$T/monitor.yml"
  check 'the timer needs none, nor a name for commits' exits 0 census "$T/monitor.yml" --record
  check 'and says nothing' is "$(cat "$T/said")" ''
  check 'its sample is in the record' is "$(samples)" $((before + 1))
  git -C "$R" remote set-url origin "$T/gone.git"
  check 'it goes on without the remote' exits 0 census "$T/monitor.yml" --record
  git -C "$R" remote set-url origin "$T/remote.git"
  chmod 640 "$files/postgresql.key"
  check 'a key that others can read is refused' exits 2 census "$T/monitor.yml" --record
  check 'by name' said "$files/postgresql.key can be read by others (mode 0640)" "chmod 0600"
  chmod 600 "$files/postgresql.key"
  configuration postgres ", user: watch, certificate: $files/postgresql.crt, key: $files/postgresql.key" >"$T/watch.yml"
  check 'a certificate of another user is refused' exits 2 census "$T/watch.yml" --record
  check 'with both names' said "is made out for 'monitor', and census.user is 'watch'"
  configuration postgres ", certificate: $files/postgresql.crt, key: $T/homes/report/.postgresql/postgresql.key" >"$T/key.yml"
  check 'a key of another certificate is refused' exits 2 census "$T/key.yml" --record
  check 'with both files' said "$T/homes/report/.postgresql/postgresql.key is not the key to $files/postgresql.crt"
  mv "$T/vault-password.away" "$T/vault-password"
  mv "$HOME/gitconfig.away" "$HOME/.gitconfig"
}

two_hours_ago() {
  /usr/bin/python3 - "$RECORD" <<'PY'
import hashlib, json, sys
record = json.load(open(sys.argv[1]))
del record["sum"]
for sample in record["samples"]:
    sample[0] -= 7200
text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
record["sum"] = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
json.dump(record, open(sys.argv[1], "w"))
PY
}

the_record_is_guarded() {
  local before one two
  before=$(samples)
  census "$T/monitor.yml" --record &
  one=$!
  census "$T/monitor.yml" --record &
  two=$!
  wait "$one" "$two"
  check 'two at once are two samples' is "$(samples)" $((before + 2))
  check 'nobody else can read it' is "$(stat -c %a "$RECORD")" 600
  cp "$RECORD" "$T/record"
  configuration postgres | sed 's/samples: 0/samples: 4/' >"$T/gate.yml"
  check 'the plug-in is content while a census is taken' exits 0 "$BUILD/certrotate" -C "$R" -c "$T/gate.yml" check
  two_hours_ago
  check 'and warns where none is, and prune waits for it' exits 1 "$BUILD/certrotate" -C "$R" -c "$T/gate.yml" check
  check 'which it says' said 'CERTROTATE WARNING - poc clients-switched, census overdue'
  check 'the figures are metrics as well' exits 0 rotate check --prometheus
  check 'by generation' said 'certrotate_census_sessions{environment="poc",generation="g1"} ' \
    'certrotate_census_servers_missed{environment="poc"} 0' 'certrotate_census_timestamp_seconds{environment="poc"} '
  head -c 200 "$T/record" >"$RECORD"
  check 'a damaged record stops the census' exits 1 rotate census
  check 'and it is said what to do' said "$RECORD" 'the record is damaged: remove the file; only sightings are lost'
  sed 's/"db1/"db2/' "$T/record" >"$RECORD"
  check 'so does one that is merely another' exits 1 rotate census
  check 'for the sum that it has' said "$RECORD: its 'sum' is not that of its content" 'remove the file'
  check 'status goes on' exits 0 rotate status
  check 'and says so' said 'the record is damaged'
  rm "$RECORD"
  check 'without it a new one begins' exits 0 rotate census
  check 'with one sample' is "$(samples)" 1
}

main() {
  need ansible-playbook ansible-core
  need git git
  need script bsdutils
  begin census
  ME=$(id -un)
  ADDRESS1=127.$((RANDOM % 200 + 20)).9.1
  ADDRESS2=${ADDRESS1%.1}.2
  PORT1=$(free_port "$ADDRESS1")
  PORT2=$(free_port "$ADDRESS2")
  make_repository
  RECORD=$R/.git/certrotate/poc/census.json
  start_servers
  take_files app
  hold web "$(files_of app)"
  hold early "$(files_of monitor)"
  as_server cp "$T/db1/data/root.crt" "$T/db1/root.first"
  check 'generate, trust, servers and clients' exits 0 rotate next --to clients-switched --yes
  hold late "$(files_of app)"
  hold fresh "$(files_of report)"
  hold local "host=$T port=$PORT1 user=$SERVER_USER"
  hold bare "host=$ADDRESS1 port=$PORT1 user=bare sslmode=require sslcert=none sslkey=none"
  hold plain "host=$ADDRESS1 port=$PORT1 user=plain sslmode=disable"
  hold_stranger
  start_pooler
  everybody_is_counted
  the_document_says_the_same
  status_knows_without_a_network
  who_cannot_be_asked
  left_behind
  through_ansible
  units
  other_version 13
  other_version 18
  by_a_timer
  the_record_is_guarded
  finish
}

main
