#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# certrotate with real servers and the shipped playbook. First a whole rotation under load in which certrotate is
# killed in the middle of each phase, and a colleague runs the plain playbook from the base then and after each phase:
# no login may fail. Then what fails silently on the hosts, which the verification has to find and name.
#
#   tests/integration/servers.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
BUILD=$(cd "${1:-build}" && pwd) || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/lib_repository.sh
. tests/integration/lib_repository.sh

DB1=db1.example.com DB2=db2.example.com DB3=db3.example.com
CLIENTS="postgres replicator avchecker application"
LOAD_PID=

test_ends() {
  [ -z "$LOAD_PID" ] || kill "$LOAD_PID" 2>/dev/null
  LOAD_PID=
}

# ---- where it runs: three addresses of this machine, at PostgreSQL's own port where that is free ----------------

pick_addresses() {
  local network=$((RANDOM % 200 + 20)) number
  ADDRESSES=(- "127.$network.7.1" "127.$network.7.2" "127.$network.7.3")
  PORTS=(- 5432 5432 5432)
  BY_DEFAULT=yes
  for number in 1 2 3; do
    port_is_free "${ADDRESSES[number]}" 5432 || BY_DEFAULT=
  done
  [ -z "$BY_DEFAULT" ] || return 0
  echo "left out: port 5432 is taken on this machine, so nothing about the default of 'endpoints' is known"
  for number in 1 2 3; do PORTS[number]=$(free_port "${ADDRESSES[number]}"); done
}

port_is_free() {
  /usr/bin/python3 - "$1" "$2" 2>/dev/null <<'PY'
import socket, sys
with socket.socket() as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((sys.argv[1], int(sys.argv[2])))
PY
}

# ---- the repository ---------------------------------------------------------------------------------------------

description() {
  cat <<EOF
subject: {C: NL, O: Acme, CN: postgres}
key: ecdsa-p256
intermediates:
  - name: server
    servers:
      $DB1: [${ADDRESSES[1]}, $DB1]
      $DB2: [${ADDRESSES[2]}, $DB2]
      $DB3: [${ADDRESSES[3]}, $DB3]
    keyUsages: [digitalSignature, keyEncipherment]
    extendedKeyUsages: [serverAuth]
  - name: client
    clients: [${CLIENTS// /, }]
    keyUsages: [digitalSignature]
    extendedKeyUsages: [clientAuth]
EOF
}

# inventory COUNT: the first so many hosts
inventory() {
  local number
  cat <<EOF
---
all:
  vars:
    ansible_connection: local
    certrotate_become: false
    certrotate_reconnect_deadline: 20
    certrotate_serial: '100%'
  children:
    postgres:
      hosts:
        $DB1:
          ansible_host: ${ADDRESSES[1]}
          certrotate_clusters: [{data: $T/db1/data}]
          certrotate_clients:
            - {user: postgres, owner: $ME, home: $T/homes/postgres}
            - {user: avchecker, owner: $ME, home: $T/homes/avchecker}
EOF
  for ((number = 2; number <= $1; number++)); do
    cat <<EOF
        db$number.example.com:
          ansible_host: ${ADDRESSES[number]}
          certrotate_clusters: [{data: $T/db$number/data}]
          certrotate_clients:
            - {user: replicator, owner: $SERVER_USER, home: $T/homes/replicator$number}
EOF
  done
}

# The application is outside of the hosts: it gets its files by itself, when a phase is about clients.
application_playbook() {
  cat <<EOF
---
- name: Hand the application its files
  hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_pipelining: true
  tasks:
    - name: Replace the application's files
      certrotate_files:
        clusters: []
        clients:
          - user: application
            owner: $ME
            named: true
            cert: $T/homes/application/.postgresql/postgresql.crt
            key: $T/homes/application/.postgresql/postgresql.key
            bundle: $T/homes/application/.postgresql/root.crt
        server_chain: "{{ certs.server.chain }}"
        client_certs: {application: "{{ certs.client.application }}"}
        client_keys: {application: "{{ private_keys.client.application }}"}
        client_chain: "{{ certs.client.chain }}"
      no_log: true
      diff: false
EOF
}

# configuration default|"NUMBER..." [PLAYBOOK]: the endpoints that are named, and what the phase servers runs
configuration() {
  local number
  cat <<EOF
version: 1
defaults:
  git: {flow: direct, base: dev, remote: origin, push: true}
  login: {user: postgres, database: postgres}
  census: {quiet: 1s, samples: 0}
  rollout:
    trust: [{playbook: rollout_new_certs.yml}, {playbook: application.yml}]
    servers: [{playbook: ${2:-rollout_new_certs.yml}}]
    clients: [{playbook: rollout_new_certs.yml}, {playbook: application.yml}]
    prune: [{playbook: rollout_new_certs.yml}, {playbook: application.yml}]
EOF
  if [ "$1" != default ] || [ -z "$BY_DEFAULT" ]; then
    echo "  endpoints:"
    for number in ${1/default/1 2 3}; do
      echo "    - {name: db$number.example.com, address: ${ADDRESSES[number]}, port: ${PORTS[number]}}"
    done
  fi
  printf 'environments:\n  poc: {}\n'
}

make_repository() {
  new_repository
  description >"$R/config/chainsmith_poc.yml"
  inventory 2 >"$R/environments/poc/hosts"
  configuration "1 2" >"$R/certrotate.yml"
  application_playbook >"$R/application.yml"
  team_commits "poc: describe the environment"
}

# ---- the servers ------------------------------------------------------------------------------------------------

# at NUMBER STATEMENT
at() {
  as_server "$PG_BIN/psql" -XAtq -h "$T/db$1" -p "${PORTS[$1]}" -U "$SERVER_USER" -d postgres -c "$2"
}

new_socket_folder() {
  mkdir -p "$T/db$1"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$T/db$1"
}

start_primary() {
  local user
  new_socket_folder 1
  start_pg "$T/db1/data" "${ADDRESSES[1]}" "${PORTS[1]}" "ssl_ca_file = 'root.crt'" "max_wal_senders = 6" \
    "wal_keep_size = 256MB" "unix_socket_directories = '$T/db1'"
  printf '%s\n' 'local all all trust' 'local replication all trust' \
    'hostssl all all 127.0.0.0/8 cert clientcert=verify-full' 'hostssl replication all 127.0.0.0/8 cert clientcert=verify-full' |
    as_server tee "$T/db1/data/pg_hba.conf" >/dev/null
  for user in $CLIENTS; do
    [ "$user" = "$SERVER_USER" ] || quietly at 1 "CREATE ROLE $user LOGIN"
  done
  quietly at 1 "ALTER ROLE replicator REPLICATION"
  quietly at 1 "ALTER ROLE postgres SUPERUSER"
}

# Its data directory begins as the primary's copy, TLS files included.
start_copy() {
  local number=$1
  new_socket_folder "$number"
  as_server "$PG_BIN/pg_basebackup" -D "$T/db$number/data" -R -c fast -X stream --no-sync \
    -d "host=$T/db1 port=${PORTS[1]} user=$SERVER_USER" || die "no copy for db$number"
  configure_pg "$T/db$number/data" "${ADDRESSES[number]}" "${PORTS[number]}" "unix_socket_directories = '$T/db$number'"
  run_pg "$T/db$number/data"
}

reload() {
  is "$(at "$1" "SELECT pg_reload_conf()")" t
}

# replicate NUMBER [HOST]: with its certificate, from the primary under that name
replicate() {
  local files=$T/homes/replicator$1/.postgresql
  at "$1" "ALTER SYSTEM SET primary_conninfo = 'host=${2:-$DB1} hostaddr=${ADDRESSES[1]} port=${PORTS[1]} \
user=replicator sslmode=verify-full sslcert=$files/postgresql.crt sslkey=$files/postgresql.key sslrootcert=$files/root.crt'" &&
    reload "$1"
}

streams() {
  [ "$(at "$1" "SELECT status FROM pg_stat_wal_receiver" 2>/dev/null)" = streaming ]
}

streams_again() {
  replicate "$1" && until_true 60 streams "$1" && return
  tail -n 3 "$T/db$1/data/server.log"
  return 1
}

stop_server() {
  as_server "$PG_BIN/pg_ctl" -D "$T/db$1/data" -m fast -w stop >/dev/null
}

start_server() {
  as_server "$PG_BIN/pg_ctl" -D "$T/db$1/data" -l "$T/db$1/data/server.log" -w start >/dev/null
}

# put_back NUMBER FOLDER FILE...: by hand, as somebody does who knows better
put_back() {
  local number=$1 folder=$2 file
  shift 2
  for file in "$@"; do
    as_server cp -p "$folder/$file" "$T/db$number/data/$file" || return 1
  done
  reload "$number"
}

# keep_server NUMBER NAME: its TLS files as they are now
keep_server() {
  local file
  as_server mkdir -p "$T/db$1/$2"
  for file in server.crt server.key root.crt; do as_server cp -p "$T/db$1/data/$file" "$T/db$1/$2"; done
}

keep_application() {
  cp -a "$T/homes/application/.postgresql" "$T/$1"
}

# login NUMBER FOLDER: the certificate's serial as the server has it
login() {
  PGSSLCERT=$2/postgresql.crt PGSSLKEY=$2/postgresql.key PGSSLROOTCERT=$T/homes/application/.postgresql/root.crt \
    "$PG_BIN/psql" -XAtq "host=db$1.example.com hostaddr=${ADDRESSES[$1]} port=${PORTS[$1]} user=application \
dbname=postgres sslmode=verify-full" -c "SELECT client_serial FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
}

# The server refuses the certificate itself, and nothing else is wrong.
refused() {
  local out
  out=$(login "$@" 2>&1)
  case $out in *"alert unknown ca"*) return 0 ;; esac
  echo "db$1: $out"
  return 1
}

on_each() { # COMMAND FOLDER
  local number
  for number in 1 2 3; do "$1" "$number" "$2" || return 1; done
}

decimal_serial() {
  /usr/bin/python3 -c "print(int('$(openssl x509 -in "$1" -noout -serial | cut -d= -f2)', 16))"
}

sees_serial_of() { # NUMBER FOLDER
  is "$(login "$1" "$2")" "$(decimal_serial "$2/postgresql.crt")"
}

# ---- a rotation with a colleague --------------------------------------------------------------------------------

start_load() {
  "$BUILD/demo-load" "$T/load.log" 3-6 "application=$T/homes/application/.postgresql" \
    "avchecker=$T/homes/avchecker/.postgresql" -- "$DB1=${ADDRESSES[1]}:${PORTS[1]}" \
    "$DB2=${ADDRESSES[2]}:${PORTS[2]}" 2>"$T/load.err" &
  LOAD_PID=$!
  until_true 20 test -s "$T/load.log" || die "the load does not run: $(cat "$T/load.err")"
  SEEN=0
}

stop_load() {
  kill "$LOAD_PID" && wait "$LOAD_PID"
  LOAD_PID=
}

# Since the last look: logins of both users at both servers, and none that failed.
nobody_refused() {
  local from=$SEEN all user server
  kill -0 "$LOAD_PID" || return 1
  all=$(wc -l <"$T/load.log")
  SEEN=$all
  sed -n "$((from + 1)),${all}p" "$T/load.log" >"$T/load.part"
  ! grep ' failed: ' "$T/load.part" || return 1
  for user in application avchecker; do
    for server in $DB1 $DB2; do
      grep -q " $user $server .* ok\$" "$T/load.part" || {
        echo "$user did not log in at $server"
        return 1
      }
    done
  done
}

# What somebody does who knows nothing of certrotate.
colleague() {
  git -C "$T/colleague" pull -q || return 1
  (cd "$T/colleague" && ansible-playbook -i environments/poc rollout_new_certs.yml >"$T/colleague.out" 2>&1) && return
  tail -n 20 "$T/colleague.out"
  return 1
}

harmless() { # WHEN
  check "a colleague's rollout $1 ends well" colleague
  check 'and nobody was refused' nobody_refused
}

rotation_with_a_colleague() {
  local phase state
  quietly git clone -q "$T/remote.git" "$T/colleague"
  start_load
  while read -r phase state <&3; do
    check "$phase: killed once its edit is published" killed next
    harmless "in the middle of $phase"
    check "$phase: next goes on" exits 0 go next
    check "$phase is complete" whole "$state"
    [ "$phase" = generate ] || harmless "after $phase"
    case $phase in trust | servers | clients)
      check "$phase: its revert is killed" killed revert
      harmless "in the middle of the revert of $phase"
      check "$phase: next turns round" exits 0 go next
      check "$phase is complete again" whole "$state"
      ;;
    esac
  done 3<<EOF
generate generated
trust trusted
servers servers-switched
clients clients-switched
prune idle
EOF
  check 'prune: its revert is killed' killed revert --prune
  harmless 'in the middle of the revert of prune'
  check 'prune: next turns round' exits 0 go next
  check 'prune is complete again' whole idle
  check 'and nobody was refused' nobody_refused
  stop_load
  echo "$(wc -l <"$T/load.log") logins"
}

# ---- what fails silently ----------------------------------------------------------------------------------------

nobody_there_yet() {
  local before
  inventory 3 >"$R/environments/poc/hosts"
  configuration default >"$R/certrotate.yml"
  team_commits "poc: a third server"
  check 'a server that is not there yet is in nobody'"'"'s way at generate' exits 0 go next
  before=$(tip)
  check 'trust does not begin while it does not answer' exits 3 go next
  check 'it is named, with the reason' said "$DB3" "${ADDRESSES[3]}" 'refused' '--waive'
  check 'and nothing was changed' is "$(tip)" "$before"
  check 'with a waiver it is left out' exits 0 go next --waive "hosts=$DB3:not built yet"
  check 'trust is complete' whole trusted
  check 'and it is recorded as behind' is "$(state "d['behind']")" "['$DB3']"
  keep_server 2 trusted
  start_copy 3
  check 'verify leaves out who is behind' exits 0 rotate verify
}

# The phase's playbook ends well, and three hosts are not what they should be.
write_mishap() {
  local prefix=""
  [ "$ME" = "$SERVER_USER" ] || prefix="setpriv --reuid $SERVER_USER --regid $(id -gn "$SERVER_USER") --init-groups --"
  cat >"$T/mishap" <<EOF
#!/bin/sh
cd /
$prefix $PG_BIN/pg_ctl -D $T/db3/data -m fast -w stop
sed -i 's/host=$DB1/host=elsewhere.example.com/' $T/db2/data/postgresql.auto.conf
$prefix $PG_BIN/pg_ctl -D $T/db2/data reload
EOF
  chmod 755 "$T/mishap"
  {
    sed -e '/^- name: Have standbys/,$d' -e "s/^\( *\)register: certrotate_reloaded/&\n\1when: inventory_hostname != '$DB1'/" \
      "$ROOT/playbooks/rollout_new_certs.yml"
    printf -- '- name: Misfortune\n  hosts: %s\n  gather_facts: false\n  tasks:\n    - name: Misfortune\n      ansible.builtin.command: %s\n' \
      "$DB1" "$T/mishap"
  } >"$R/quiet.yml"
}

silent_failures() {
  write_mishap
  configuration default quiet.yml >"$R/certrotate.yml"
  team_commits "poc: another playbook"
  check 'a rollout that failed silently leaves the phase unfinished' exits 1 go next
  check 'first it brought up to date who was behind' said "$DB3 was left behind"
  check 'the server without its reload is named' said "$DB1: serves the old certificate, not the new one"
  check 'the standby that does not stream is named' said "$DB2: the standby does not stream"
  check 'the server that is down is named' said "$DB3: ${ADDRESSES[3]} port ${PORTS[3]}: connection refused"
  check 'the state says so' is "$(state "d['state'], d['under_way']['phase']")" 'trusted servers'
  check 'nobody is behind' is "$(state "d['behind']")" '[]'
  check 'verify fails' exits 3 rotate verify
  check 'and names the same three' said "$DB1: serves the old certificate, not the new one" \
    "$DB2: the standby does not stream" "$DB3: ${ADDRESSES[3]} port ${PORTS[3]}"
  configuration default >"$R/certrotate.yml"
  team_commits "poc: the whole playbook again"
  start_server 3
  check 'db2 is mended' streams_again 2
  check 'db3 replicates with its own certificate' streams_again 3
  check 'next goes on' exits 0 go next
  check 'and servers is complete' whole servers-switched
  check 'verify finds all as it should be' exits 0 rotate verify
}

by_hand() {
  local before
  check 'the old files are put back on db2 by hand' put_back 2 "$T/db2/trusted" server.crt server.key
  check 'verify fails' exits 3 rotate verify
  check 'and says what db2 serves' said "$DB2: serves the old certificate, not the new one"
  before=$(tip)
  check 'clients does not begin' exits 3 go next
  check 'it says why' said "$DB2" 'serves the old certificate'
  check 'and nothing was changed' is "$(tip)" "$before"
  check 'the plain playbook mends it' play rollout_new_certs.yml
  check 'clients' exits 0 go next
  keep_application application.g3
  check 'each server sees the new serial at a new login' on_each sees_serial_of "$T/application.g3"
  check 'which is another one than before' test "$(decimal_serial "$T/application.g3/postgresql.crt")" != \
    "$(decimal_serial "$T/application.g2/postgresql.crt")"
  check 'the old bundle alone is put back on db1 by hand' put_back 1 "$T/db1/idle" root.crt
  check 'verify fails' exits 3 rotate verify
  check 'and says who does not get in' said "$DB1: the new client certificate (user postgres) does not get in"
  check 'the plain playbook mends it' play rollout_new_certs.yml
}

login_outcomes() { # GENERATION: of verify's evidence
  rotate --json verify 2>/dev/null | /usr/bin/python3 -c "import json, sys
d = json.load(sys.stdin)
print(sorted((l['endpoint'].split(':')[0], l['outcome']) for l in d['evidence']['logins'] if l['generation'] == '$1'))"
}

# A limit that somebody forgot leaves a host out: Ansible is content with that.
passed_over() {
  configuration default | sed "s/prune: \[{playbook: [a-z_.]*/&, limit: 'all:!$DB2'/" >"$R/certrotate.yml"
  team_commits "poc: a limit"
  check 'a prune that passes over a host does not hold' exits 1 go next
  check 'the host is named' said "$DB2: no playbook of this phase reached it"
  check 'and what it still does' said "$DB2: still announces the old CAs" \
    "$DB2: the old client certificate (user postgres) still opens it"
  check 'nobody else is' not said "$DB1: no playbook" "$DB3: no playbook"
  configuration default >"$R/certrotate.yml"
  team_commits "poc: no limit"
}

pruned() {
  keep_server 1 clients
  passed_over
  check 'prune' exits 0 go next
  check 'each server refuses the old certificate' on_each refused "$T/application.g2"
  check 'each server takes the new one' on_each sees_serial_of "$T/application.g3"
  check 'verify says so' is "$(login_outcomes old)" "[('$DB1', 'refused-tls'), ('$DB2', 'refused-tls'), ('$DB3', 'refused-tls')]"
  check 'the bundle with both chains is put back on db1 by hand' put_back 1 "$T/db1/clients" root.crt
  check 'verify fails' exits 3 rotate verify
  check 'and says that the old one still opens it' said "$DB1: the old client certificate (user postgres) still opens it"
  check 'the plain playbook mends it' play rollout_new_certs.yml
  check 'the prune is taken back' exits 0 go revert --prune
  check 'the old certificate opens each server again' on_each sees_serial_of "$T/application.g2"
}

emergency() {
  check 'an emergency' exits 0 go next --emergency 'the key of application leaked'
  check 'the state is idle' whole idle
  check 'each server takes the newest certificate' on_each sees_serial_of "$T/homes/application/.postgresql"
  check 'and refuses the one before' on_each refused "$T/application.g3"
  check 'and the one before that' on_each refused "$T/application.g2"
  check 'the standbys stream' until_true 30 both_stream
  check 'verify finds all as it should be' exits 0 rotate verify
}

both_stream() {
  streams 2 && streams 3
}

first_again() {
  local before
  mkdir -p "$R/environments/next/group_vars/all"
  touch "$R/environments/next/group_vars/all/.keep"
  description >"$R/config/chainsmith_next.yml"
  inventory 3 >"$R/environments/next/hosts"
  echo '  next: {}' >>"$R/certrotate.yml"
  team_commits "next: an environment on servers that speak TLS"
  before=$(tip)
  check 'a first generation is refused where TLS is spoken' exits 2 go next --first --env next
  check 'the server is named' said "$DB1:${PORTS[1]} speaks TLS already"
  check 'and nothing was changed' is "$(tip)" "$before"
}

first_generation() {
  local number
  check 'the first generation' exits 0 go next --first
  mkdir "$T/homes/application/.postgresql"
  quietly play rollout_new_certs.yml
  quietly play application.yml
  for number in 1 2; do
    quietly at "$number" "ALTER SYSTEM SET ssl = on"
    quietly reload "$number"
  done
  quietly streams_again 2
  keep_application application.g1
}

main() {
  local user
  need ansible-playbook ansible-core
  need git git
  begin servers
  [ -x "$BUILD/certrotate" ] || die "$BUILD/certrotate is missing: make all"
  make -s BUILD="$BUILD" "$BUILD/demo-load" || die "demo-load cannot be built"
  ME=$(id -un)
  pick_addresses
  for user in postgres avchecker application replicator2 replicator3; do
    mkdir -p "$T/homes/$user"
    case $user in replicator*) [ "$ME" = "$SERVER_USER" ] || chown "$SERVER_USER" "$T/homes/$user" ;; esac
  done
  make_repository
  start_primary
  start_copy 2
  first_generation
  rotation_with_a_colleague
  keep_application application.g2
  keep_server 1 idle
  check 'the retired certificate is refused' refused 1 "$T/application.g1"
  nobody_there_yet
  silent_failures
  by_hand
  pruned
  emergency
  first_again
  finish
}

main
