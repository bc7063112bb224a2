#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# What only the hosts can tell, with two real servers and the shipped playbooks: files that would not survive a restart,
# rollouts that do the wrong thing and end well, clients that nobody deploys, and a canary whose log names a client that
# the new certificates shut out.
#
#   tests/integration/hosts.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
BUILD=$(cd "${1:-build}" && pwd) || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/lib_repository.sh
. tests/integration/lib_repository.sh

DB1=db1.example.com DB2=db2.example.com
CLIENTS="postgres replicator application reporter"
LOADS=()

test_ends() {
  stop_loads
}

# ---- the repository ---------------------------------------------------------------------------------------------

indented() {
  sed 's/^/      /' "$1"
}

# The chain as somebody made it by hand, before certrotate.
values() {
  local folder=$R/environments/poc/group_vars/all name
  {
    printf -- '---\ncerts:\n  server:\n    chain: |\n'
    indented "$T/g1/server.chain"
    for name in $DB1 $DB2; do printf '    %s: |\n' "$name" && indented "$T/g1/server/$name.crt"; done
    printf '  client:\n    chain: |\n'
    indented "$T/g1/client.chain"
    for name in $CLIENTS; do printf '    %s: |\n' "$name" && indented "$T/g1/client/$name.crt"; done
  } >"$folder/certs.yml"
  {
    printf -- '---\nprivate_keys:\n  server:\n'
    for name in $DB1 $DB2; do printf '    %s: |\n' "$name" && indented "$T/g1/server/$name.key"; done
    printf '  client:\n'
    for name in $CLIENTS; do printf '    %s: |\n' "$name" && indented "$T/g1/client/$name.key"; done
  } >"$T/keys"
  quietly ansible-vault encrypt --vault-password-file "$T/vault-password" --output "$folder/certs.vault.yml" "$T/keys"
  rm "$T/keys"
}

description() {
  cat <<END
subject: {C: NL, O: Acme, CN: postgres}
key: ecdsa-p256
intermediates:
  - name: server
    servers:
      $DB1: [${ADDRESSES[1]}, $DB1]
      $DB2: [${ADDRESSES[2]}, $DB2]
    keyUsages: [digitalSignature]
    extendedKeyUsages: [serverAuth]
  - name: client
    clients: [${CLIENTS// /, }]
    keyUsages: [digitalSignature]
    extendedKeyUsages: [clientAuth]
END
}

inventory() {
  cat <<END
---
all:
  vars: {ansible_connection: local, certrotate_become: false, certrotate_serial: '100%'}
  hosts:
    $DB1:
      certrotate_clusters: [{data: $T/db1/data}]
      certrotate_clients: [{user: postgres, owner: $SERVER_USER, home: $T/homes/postgres}]
    $DB2:
      certrotate_clusters: [{data: $T/db2/data}]
      certrotate_clients: [{user: replicator, owner: $SERVER_USER, home: $T/homes/replicator}]
END
}

# configuration [TRUST [SERVERS [CHECK]]]: lists of steps
configuration() {
  local usual='[{playbook: rollout_new_certs.yml}]' check=null
  cat <<END
version: 1
defaults:
  login: {user: postgres, database: postgres}
  census: {quiet: 1s, samples: 0}
  rollout:
    trust: ${1:-$usual}
    servers: ${2:-$usual}
    check: ${3:-$check}
  endpoints:
    - {name: $DB1, address: ${ADDRESSES[1]}, port: ${PORTS[1]}}
    - {name: $DB2, address: ${ADDRESSES[2]}, port: ${PORTS[2]}}
applications:
  shop: {users: [application]}
END
}

make_repository() {
  new_repository
  description >"$R/config/chainsmith_poc.yml"
  inventory >"$R/environments/poc/hosts"
  values
  configuration >"$R/certrotate.yml"
  team_commits "poc: describe the environment"
}

# ---- the servers ------------------------------------------------------------------------------------------------

at() { # NUMBER STATEMENT
  as_server "$PG_BIN/psql" -XAtq -h "$T/db$1" -p "${PORTS[$1]}" -U "$SERVER_USER" -d postgres -c "$2"
}

make_server() {
  local number=$1 user
  mkdir -p "$T/db$number"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$T/db$number"
  start_pg "$T/db$number/data" "${ADDRESSES[number]}" "${PORTS[number]}" "ssl_ca_file = 'root.crt'" \
    "unix_socket_directories = '$T/db$number'" "log_line_prefix = '%m [%p] %h '"
  printf '%s\n' 'local all all trust' 'hostssl all all 127.0.0.0/8 cert clientcert=verify-full' |
    as_server tee "$T/db$number/data/pg_hba.conf" >/dev/null
  for user in $CLIENTS; do [ "$user" = "$SERVER_USER" ] || quietly at "$number" "CREATE ROLE $user LOGIN"; done
}

reload() {
  is "$(at "$1" "SELECT pg_reload_conf()")" t
}

make_servers() {
  local network=$((RANDOM % 200 + 20)) number user
  ADDRESSES=(- "127.$network.9.1" "127.$network.9.2")
  PORTS=(- "$(free_port "127.$network.9.1")" "$(free_port "127.$network.9.2")")
  make_chain "$T/g1" g1
  make_leaf "$T/g1" server $DB1 "DNS:$DB1,IP:${ADDRESSES[1]}"
  make_leaf "$T/g1" server $DB2 "DNS:$DB2,IP:${ADDRESSES[2]}"
  for user in $CLIENTS; do make_leaf "$T/g1" client "$user"; done
  mkdir -p "$T/homes/postgres" "$T/homes/replicator"
  [ "$(id -u)" != 0 ] || chown -R "$SERVER_USER" "$T/homes"
  make_server 1
  make_server 2
  make_repository
  quietly play rollout_new_certs.yml
  for number in 1 2; do
    quietly at $number "ALTER SYSTEM SET ssl = on"
    quietly reload $number
  done
}

restart_fails() {
  ! as_server "$PG_BIN/pg_ctl" -D "$T/db$1/data" -l "$T/db$1/data/server.log" -m fast -w restart >/dev/null &&
    tail -n 5 "$T/db$1/data/server.log" | grep -F "$2"
}

start_again() {
  as_server "$PG_BIN/pg_ctl" -D "$T/db$1/data" -l "$T/db$1/data/server.log" -w start >/dev/null
}

served_is() { # NUMBER FILE
  diff <(openssl s_client -starttls postgres -connect "${ADDRESSES[$1]}:${PORTS[$1]}" </dev/null 2>/dev/null |
    openssl x509 -noout -fingerprint) <(openssl x509 -in "$2" -noout -fingerprint)
}

# ---- files ------------------------------------------------------------------------------------------------------

looks_at_files() {
  local key=$T/db1/data/server.key
  check 'without the playbook verify holds' exits 0 rotate verify -v
  check 'and says that nobody looks at the files' said 'nobody looks at the files on the hosts' 'check_certs.yml'
  cp "$ROOT/playbooks/check_certs.yml" "$R"
  team_commits "look at the hosts"
  check 'with it verify holds' exits 0 rotate verify -v
  check 'and has looked at both' said '2 of 2 hosts have files that a restart would take'
  as_server chmod 644 "$key"
  check "a key's mode that PostgreSQL refuses is found while all still works" exits 3 rotate verify
  check 'the host is named, with what will happen' said \
    "$DB1: it serves the right certificate from memory, but its files would not survive a restart: $key has mode 0644"
  check 'without the hosts nothing is seen of it' exits 0 rotate verify --no-hosts
  check 'and the next start really fails' restart_fails 1 'has group or world access'
  as_server chmod 600 "$key"
  check 'mended, it starts' start_again 1
  check 'and verify holds' exits 0 rotate verify
  as_server cp -p "$T/db2/data/root.crt" "$T/db2/kept.crt"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/other.key" -out "$T/other.crt" -subj /CN=other -days 3 2>/dev/null
  as_server tee -a "$T/db2/data/root.crt" <"$T/other.crt" >/dev/null
  check 'a bundle that was not loaded is found' exits 3 rotate verify
  check 'and named' said "$DB2: it goes on with what it has in memory: $T/db2/data/root.crt is not what port ${PORTS[2]} trusts"
  check 'a reload' reload 2
  check 'a certificate that nobody knows is worth a warning' exits 0 rotate verify
  check 'that names the file' said "$DB2: the bundle $T/db2/data/root.crt holds 1 certificate that certrotate does not know"
  as_server sh -c "head -n -1 '$T/db2/kept.crt' >'$T/db2/data/root.crt'"
  check 'a damaged bundle is found' exits 3 rotate verify
  check 'and named' said "$DB2: it serves the right certificate from memory" "root.crt holds a damaged certificate"
  as_server cp -p "$T/db2/kept.crt" "$T/db2/data/root.crt"
  check 'mended, it loads it' reload 2
  as_server chmod 640 "$T/homes/replicator/.postgresql/postgresql.key"
  check "a client's key is looked at as well" exits 3 rotate verify
  check 'and named' said "$DB2: the client replicator cannot log in with its files" 'mode 0640'
  as_server chmod 600 "$T/homes/replicator/.postgresql/postgresql.key"
  check 'all is well again' exits 0 rotate verify
}

# A playbook of somebody's own, by a task on this machine: what it leaves is not believed blindly.
odd_reports() {
  cat >"$R/odd.yml" <<'END'
---
- name: Look
  hosts: all
  gather_facts: false
  tasks:
    - name: Tell
      ansible.builtin.copy:
        content: "{{ tell }}"
        dest: "{{ certrotate_report_dir }}/{{ inventory_hostname }}.json"
        mode: "0600"
      delegate_to: localhost
      become: false
      when: tell is defined
END
  inventory | sed "s/^    $DB1:/&\n      tell: '{\"version\": 1, \"clusters\": ['/" >"$R/environments/poc/hosts"
  configuration '' '' '[{playbook: odd.yml}]' >"$R/certrotate.yml"
  team_commits "an odd playbook"
  check 'reports that are none are found' exits 3 rotate verify
  check 'and said to be none' said "$DB1: its files could not be looked at: its report:1:" \
    "$DB2: its files could not be looked at: the playbook left no report about it"
  inventory | sed "s/certrotate_clusters: .*db2.*/certrotate_clusters: [{data: \/nonexistent}]/" >"$R/environments/poc/hosts"
  configuration >"$R/certrotate.yml"
  team_commits "a cluster that is not there"
  check 'a host where the playbook fails is named, and the others are looked at' exits 3 rotate verify
  check 'with what Ansible said' said "$DB2: its files could not be looked at: failed in task 'Find what belongs to this host'" \
    'is not a data directory of PostgreSQL' '1 of 2 hosts have files'
  inventory >"$R/environments/poc/hosts"
  team_commits "as it was"
}

# ---- who has the certificates -----------------------------------------------------------------------------------

orphans() {
  check 'generate' exits 0 go next
  check 'trust does not begin with a client that nobody deploys' exits 3 go next
  check 'it is named, with what to do' said 'reporter: nobody would bring it its new certificate' \
    'add it to an application in certrotate.yml' "--waive 'orphan="
  check "and an application's is none" not_said 'application: nobody would'
}

# ---- rollouts that do the wrong thing and end well ----------------------------------------------------------------

# mishap NAME HOST COMMAND: the rollout, then on that host the command
mishap() {
  {
    printf -- '---\n- name: Roll out\n  ansible.builtin.import_playbook: rollout_new_certs.yml\n'
    printf -- '- name: Misfortune\n  hosts: %s\n  gather_facts: false\n  tasks:\n    - name: Misfortune\n      ansible.builtin.shell: |\n        %s\n' "$2" "$3"
  } >"$R/$1.yml"
  configuration "[{playbook: $1.yml}]" >"$R/certrotate.yml"
  team_commits "a rollout with $1"
}

silent_failures() {
  local bundle=$T/db1/data/root.crt
  mishap mode $DB2 "chmod 644 $T/db2/data/server.key"
  check 'a rollout that leaves a key open ends well, and does not hold' exits 1 go next --waive 'orphan=reporter:left last year'
  check 'its host is named' said "$DB2: it serves the right certificate from memory" "server.key has mode 0644"
  check 'the phase is unfinished' is "$(state "d['state'], d['under_way']['phase']")" 'generated trust'
  mishap glue $DB1 "tr -d '\\n' <$bundle | sed 's/-----BEGIN CERTIFICATE-----/&\\n/g; s/-----END CERTIFICATE-----/\\n&/g' >$bundle.new && cat $bundle.new >$bundle"
  check 'neither does one that glues a bundle' exits 1 go next --waive 'orphan=reporter:left last year'
  check 'its host is named' said "$DB1: it serves the right certificate from memory" "root.crt is glued"
  check 'and the mended one not any more' not_said "$DB2: it serves"
  {
    sed "s/^  hosts: .*/  hosts: $DB1/" "$ROOT/playbooks/rollout_new_certs.yml"
  } >"$R/skip.yml"
  configuration "" "[{playbook: skip.yml}]" >"$R/certrotate.yml"
  team_commits "a rollout without db2"
  check 'trust' exits 0 go next
  check 'is complete' whole trusted
  check 'the application confirms' exits 0 rotate ack --app shop
  check 'a rollout that passes over a host does not hold' exits 1 go next
  check 'the host is named' said "$DB2: the certificate in $T/db2/data/server.crt is still the one of generation g1"
  check 'turning round' exits 0 go revert
  check 'back in trusted' whole trusted
  as_server cp -p "$T/db1/data/server.crt" "$T/db1/data/server.key" "$T/db1"
  as_server sh -c "cat '$T/db2/data/server.crt' >'$T/db1/data/server.crt'; cat '$T/db2/data/server.key' >'$T/db1/data/server.key'"
  check 'files that were never loaded are found' exits 3 rotate verify
  check 'and named' said "$DB1: it goes on with what it has in memory: $T/db1/data/server.crt is not what port ${PORTS[1]} serves" \
    "$DB1: the certificate in $T/db1/data/server.crt is another one than the inventory's"
  as_server cp -p "$T/db1/server.crt" "$T/db1/server.key" "$T/db1/data"
}

# ---- the canary -------------------------------------------------------------------------------------------------

# client ADDRESS BUNDLE: tries db2 once a second from there, trusting that bundle
client() {
  local address=$1 bundle=$2
  (
    while :; do
      timeout 10 openssl s_client -starttls postgres -connect "${ADDRESSES[2]}:${PORTS[2]}" -bind "$address" \
        -verify_return_error -CAfile "$bundle" </dev/null >/dev/null 2>&1
      sleep 0.7
    done
  ) &
  LOADS+=($!)
}

stop_loads() {
  local pid
  for pid in "${LOADS[@]}"; do kill "$pid" && wait "$pid"; done 2>/dev/null
  LOADS=()
}

# Reports name the files that they are about.
no_reports_left() {
  ! grep -rls --include='*.json' "$T/db" /dev/shm/certrotate-scratch-* /tmp/certrotate-scratch-*
}

canaries() { # MARK: how many lines of the journal
  grep -c "\"step\": *\"canary\", *\"mark\": *\"$1\"" "$R/.git/certrotate/poc/journal"
}

begins_again() {
  [ "$(canaries begin)" = 2 ]
}

# Ctrl-C while it waits.
stopped_at_canary() {
  local pid got=0
  "$BUILD/certrotate" -C "$R" next --yes &
  pid=$!
  until_true 60 begins_again && sleep 1
  kill -INT $pid
  wait $pid || got=$?
  return $got
}

canary() {
  local steps="[{playbook: rollout_new_certs.yml, limit: $DB2, canary: 6s}, {playbook: second.yml}]"
  sed "s/^  tasks:/&\n    - name: Not yet\n      ansible.builtin.stat:\n        path: $(sed 's/[/]/\\\//g' <<<"$T/go")\n      register: certrotate_go\n      failed_when: not certrotate_go.stat.exists\n/" \
    "$ROOT/playbooks/rollout_new_certs.yml" >"$R/second.yml"
  configuration '' "$steps" >"$R/certrotate.yml"
  team_commits "a canary"
  client 127.0.0.8 "$T/other.crt"
  client 127.0.0.9 "$T/g1/server.chain"
  sleep 7
  check 'a client that the new certificates shut out halts the rest' exits 3 go next
  check 'it is named, with its reason and host' said '127.0.0.9: tlsv1 alert unknown ca' "on $DB2" 'certrotate revert'
  check 'who failed before is not' not_said '127.0.0.8'
  check 'the canary has its new certificate' not served_is 2 "$T/g1/server/$DB2.crt"
  check 'and the rest its old one' served_is 1 "$T/g1/server/$DB1.crt"
  check 'the journal has it' is "$(canaries begin) $(canaries fail)" '1 1'
  stop_loads
  client 127.0.0.8 "$T/other.crt"
  check 'with the client mended it waits once more, until it is told to stop' exits 1 stopped_at_canary
  check 'which it says' said 'stopped while waiting behind the canary'
  check 'then the canary passes, and the next step is tried' exits 1 go next
  check 'which fails by itself' said 'second.yml' "Not yet"
  check 'the journal has that too' is "$(canaries begin) $(canaries fail) $(canaries end)" '3 1 1'
  touch "$T/go"
  check 'next goes on' exits 0 go next
  check 'without waiting once more' is "$(canaries begin) $(canaries end)" '3 1'
  check 'servers is complete' whole servers-switched
  check 'the history says that the canary passed' is "$(state "[r['canary']['new_failures'] for r in d['history'][-1]['rollout'] if 'canary' in r]")" '[0]'
  stop_loads
  check 'no report is left behind' no_reports_left
}

begin hosts
need ansible-playbook ansible-core
[ -x "$BUILD/certrotate" ] || die "$BUILD/certrotate is missing: make all"
make_servers
looks_at_files
odd_reports
orphans
silent_failures
canary
finish
