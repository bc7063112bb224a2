#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# playbooks/rollout_new_certs.yml with real Ansible and real PostgreSQL: a primary and a standby named by variables,
# then the layouts of Debian and RHEL, found by themselves in a mount namespace of their own.

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

# ---- the inventory ----------------------------------------------------------------------------------------------

indented() {
  sed 's/^/      /' "$1"
}

# values SERVER_CHAIN CLIENT_CHAIN SERVERS CLIENTS: certs.yml and certs.vault.yml with leaves of these generations
values() {
  local server_chain=$1 client_chain=$2 servers=$3 clients=$4 folder=$T/inventory/group_vars/all name
  mkdir -p "$folder"
  {
    printf -- '---\ncerts:\n  server:\n    chain: |\n'
    indented "$server_chain"
    for name in $HOSTS; do
      printf '    %s: |\n' "$name"
      indented "$servers/server/$name.crt"
    done
    printf '  client:\n    chain: |\n'
    indented "$client_chain"
    for name in $USERS; do
      printf '    %s: |\n' "$name"
      indented "$clients/client/$name.crt"
    done
  } >"$folder/certs.yml"
  {
    printf -- '---\nprivate_keys:\n  server:\n'
    for name in $HOSTS; do
      printf '    %s: |\n' "$name"
      indented "${SERVER_KEYS:-$servers}/server/$name.key"
    done
    printf '  client:\n'
    for name in $USERS; do
      printf '    %s: |\n' "$name"
      indented "$clients/client/$name.key"
    done
  } >"$folder/.keys"
  rm -f "$folder/certs.vault.yml"
  ansible-vault encrypt --output "$folder/certs.vault.yml" "$folder/.keys" >"$T/vault.out" 2>&1 || die "ansible-vault failed: $(cat "$T/vault.out")"
  rm "$folder/.keys"
}

rollout() {
  ansible-playbook -i "$T/inventory" "$T/repository/rollout_new_certs.yml" "$@" >"$T/rollout.out" 2>&1
}

rollout_fails() {
  local words=$1
  shift
  if rollout "$@"; then
    cat "$T/rollout.out"
    return 1
  fi
  grep -E "$words" "$T/rollout.out" || {
    cat "$T/rollout.out"
    return 1
  }
}

recap_is() {
  local host
  for host in $HOSTS; do
    grep -E "^$host .*$1" "$T/rollout.out" || {
      cat "$T/rollout.out"
      return 1
    }
  done
}

ansible_environment() {
  need ansible-playbook ansible-core
  printf '#!/bin/sh\necho integration\n' >"$T/vault-password"
  chmod 755 "$T/vault-password"
  cp -r "$ROOT/playbooks" "$T/repository"
  mkdir -p "$T/tmp"
  printf '[defaults]\n%s\n' "$ANSIBLE_DEFAULTS" >"$T/ansible.cfg"
  export ANSIBLE_CONFIG=$T/ansible.cfg ANSIBLE_VAULT_PASSWORD_FILE=$T/vault-password ANSIBLE_LOCAL_TEMP=$T/tmp \
    ANSIBLE_REMOTE_TEMP=$T/tmp ANSIBLE_NOCOLOR=1 ANSIBLE_STDOUT_CALLBACK=default \
    ANSIBLE_RETRY_FILES_ENABLED=0 ANSIBLE_HOME=$T/tmp
}

# ---- what is looked at ------------------------------------------------------------------------------------------

mode_is() {
  [ "$(stat -c '%a %U' "$1")" = "$2 $3" ] || {
    stat -c '%n %a %U' "$1"
    return 1
  }
}

same() {
  cmp "$1" "$2"
}

fingerprints() {
  # shellcheck disable=SC2016
  (cd "$T" && find data homes -name '*.crt' -o -name '*.key' | sort | xargs sha256sum)
}

unchanged_since() {
  fingerprints | diff "$1" -
}

nothing_left() {
  ! find "$T/data" "$T/homes" "$T/tmp" -name '.*certrotate*' | grep .
}

served_is() {
  local host=$1 port=$2 file=$3
  diff <(openssl s_client -starttls postgres -connect "$host:$port" </dev/null 2>/dev/null |
    openssl x509 -noout -fingerprint) <(openssl x509 -in "$file" -noout -fingerprint)
}

# login ADDRESS HOST USER FOLDER: with these files; the server's name is checked
login() {
  PGSSLMODE=verify-full PGSSLCERT=$4/postgresql.crt PGSSLKEY=$4/postgresql.key PGSSLROOTCERT=$4/root.crt \
    as_server "$PG_BIN/psql" -XAtq "host=$2 hostaddr=$1 port=$PORT user=$3 dbname=postgres" -c 'SELECT 1'
}

reloads() {
  grep -c 'received SIGHUP' "$T/data/$1/server.log"
}

reloads_are() {
  [ "$(reloads db1) $(reloads db2)" = "$1" ] || {
    echo "$(reloads db1) $(reloads db2), not $1"
    return 1
  }
}

streams() {
  [ -n "$(receiver)" ]
}

receiver() {
  sql "$PORT2" "SELECT pid FROM pg_stat_wal_receiver WHERE status = 'streaming'"
}

other_receiver() {
  local now
  now=$(receiver)
  [ -n "$now" ] && [ "$now" != "$1" ]
}

# ---- two hosts named by variables -------------------------------------------------------------------------------

one_machine() {
  HOSTS="db1 db2" USERS="replicator $SERVER_USER reporter"
  PORT=$(free_port 127.0.0.2)
  PORT2=$(free_port 127.0.0.3)
  local g host user
  for g in g1 g2; do
    make_chain "$T/$g" $g
    make_leaf "$T/$g" server db1 DNS:db1,IP:127.0.0.2
    make_leaf "$T/$g" server db2 DNS:db2,IP:127.0.0.3
    for user in $USERS; do make_leaf "$T/$g" client "$user"; done
  done
  cat "$T/g2/server.chain" "$T/g1/server.chain" >"$T/both-server.chain"
  cat "$T/g2/client.chain" "$T/g1/client.chain" >"$T/both-client.chain"
  mkdir -p "$T/homes/$SERVER_USER" "$T/homes/replicator" "$T/inventory"
  [ "$(id -u)" != 0 ] || chown -R "$SERVER_USER" "$T/homes"
  cat >"$T/inventory/hosts" <<EOF
---
all:
  vars: {ansible_connection: local, certrotate_become: false}
  hosts:
    db1:
      certrotate_clusters: [{data: $T/data/db1}]
      certrotate_clients: [{user: $SERVER_USER, home: $T/homes/$SERVER_USER}]
    db2:
      certrotate_clusters: [{data: $T/data/db2}]
      certrotate_clients: [{user: replicator, owner: $SERVER_USER, home: $T/homes/replicator}]
EOF
  start_pg "$T/data/db1" 127.0.0.2 "$PORT" "ssl_ca_file = 'root.crt'"
  start_standby "$T/data/db2" 127.0.0.3 "$PORT2" "host=$T port=$PORT user=$SERVER_USER"
}

first_rollout() {
  values "$T/g1/server.chain" "$T/g1/client.chain" "$T/g1" "$T/g1"
  check "the first rollout writes every file" rollout
  check "the server's certificate is the inventory's" same "$T/g1/server/db1.crt" "$T/data/db1/server.crt"
  check "the server's key is the inventory's" same "$T/g1/server/db2.key" "$T/data/db2/server.key"
  check "the server trusts the clients' chain" same "$T/g1/client.chain" "$T/data/db1/root.crt"
  check "a client gets its certificate" same "$T/g1/client/replicator.crt" "$T/homes/replicator/.postgresql/postgresql.crt"
  check "a client trusts the servers' chain" same "$T/g1/server.chain" "$T/homes/replicator/.postgresql/root.crt"
  check "the server's key is its owner's alone" mode_is "$T/data/db1/server.key" 600 "$SERVER_USER"
  check "the client's key is its owner's alone" mode_is "$T/homes/replicator/.postgresql/postgresql.key" 600 "$SERVER_USER"
  check "the certificate is readable by owner and group" mode_is "$T/data/db1/server.crt" 640 "$SERVER_USER"
  check "the folder is its owner's alone" mode_is "$T/homes/replicator/.postgresql" 700 "$SERVER_USER"
  check "no temporary file is left" nothing_left
}

# From here on both servers let in certificates only, and replication logs in with one.
tls_only() {
  local host
  for host in db1 db2; do
    printf 'local all all trust\nhostssl all all 0.0.0.0/0 cert clientcert=verify-full\n%s\n' \
      'hostssl replication all 0.0.0.0/0 cert clientcert=verify-full' |
      as_server tee "$T/data/$host/pg_hba.conf" >/dev/null
  done
  sql "$PORT" "CREATE ROLE replicator LOGIN REPLICATION" && sql "$PORT" "CREATE ROLE reporter LOGIN"
  sql "$PORT" "ALTER SYSTEM SET ssl = on" && sql "$PORT2" "ALTER SYSTEM SET ssl = on"
  local files=$T/homes/replicator/.postgresql
  sql "$PORT2" "ALTER SYSTEM SET primary_conninfo = 'host=db1 hostaddr=127.0.0.2 port=$PORT user=replicator sslmode=verify-full \
sslcert=$files/postgresql.crt sslkey=$files/postgresql.key sslrootcert=$files/root.crt'"
  sql "$PORT" "SELECT pg_reload_conf()" >/dev/null && sql "$PORT2" "SELECT pg_reload_conf()" >/dev/null
  check "the standby streams with its certificate" until_true 20 streams
  check "a client logs in" login 127.0.0.2 db1 "$SERVER_USER" "$T/homes/$SERVER_USER/.postgresql"
}

unchanged() {
  check "a first run after that settles what is pending" rollout
  local before
  before="$(reloads db1) $(reloads db2)"
  check "a run without differences succeeds" rollout
  check "and changes nothing" recap_is 'changed=0'
  check "and reloads nothing" reloads_are "$before"
  as_server touch -a "$T/data/db1/server.key"
  as_server mv "$T/data/db1/server.crt" "$T/data/db1/moved.crt"
  as_server mv "$T/data/db1/moved.crt" "$T/data/db1/server.crt"
  check "files younger than the last reload, left by a run that was cut off" rollout
  check "are loaded, on that host alone" reloads_are "$(($(reloads db1))) ${before#* }"
  check "and that was a reload" test "$(reloads db1)" -gt "${before% *}"
}

check_mode() {
  local before
  values "$T/both-server.chain" "$T/both-client.chain" "$T/g1" "$T/g1"
  fingerprints >"$T/before"
  before="$(reloads db1) $(reloads db2)"
  check "check mode succeeds" rollout --check --diff
  check "and says that there would be changes" recap_is 'changed=[1-9]'
  check "and changes no file" unchanged_since "$T/before"
  check "and reloads nothing" reloads_are "$before"
}

phase() {
  local name=$1 pid
  shift
  pid=$(receiver)
  values "$@"
  check "$name: the rollout succeeds" rollout -e "certrotate_phase=$name" -e certrotate_direction=forward -e certrotate_environment=test
  check "$name: replication logged in again" other_receiver "$pid"
  check "$name: a client of host db1 logs in to both servers" both_let_in
}

both_let_in() {
  login 127.0.0.2 db1 "$SERVER_USER" "$T/homes/$SERVER_USER/.postgresql" &&
    PORT=$PORT2 login 127.0.0.3 db2 "$SERVER_USER" "$T/homes/$SERVER_USER/.postgresql"
}

rotation() {
  as_server sh -c "echo left behind >'$T/data/db1/.server.key.certrotate-99999'"
  phase trust "$T/both-server.chain" "$T/both-client.chain" "$T/g1" "$T/g1"
  check "trust: the servers still show their old certificates" served_is 127.0.0.2 "$PORT" "$T/g1/server/db1.crt"
  check "trust: what a rollout that was killed left behind is gone" nothing_left
  phase servers "$T/both-server.chain" "$T/both-client.chain" "$T/g2" "$T/g1"
  check "servers: the primary shows its new certificate" served_is 127.0.0.2 "$PORT" "$T/g2/server/db1.crt"
  check "servers: the standby shows its new certificate" served_is 127.0.0.3 "$PORT2" "$T/g2/server/db2.crt"
  phase clients "$T/both-server.chain" "$T/both-client.chain" "$T/g2" "$T/g2"
  phase prune "$T/g2/server.chain" "$T/g2/client.chain" "$T/g2" "$T/g2"
  mkdir -p "$T/old"
  cp "$T/g1/client/reporter.crt" "$T/old/postgresql.crt"
  cp "$T/g1/client/reporter.key" "$T/old/postgresql.key"
  cp "$T/g2/server.chain" "$T/old/root.crt"
  [ "$(id -u)" != 0 ] || chown -R "$SERVER_USER" "$T/old"
  check_not "prune: an old certificate opens nothing" login 127.0.0.2 db1 reporter "$T/old"
}

# ---- what is refused --------------------------------------------------------------------------------------------

refusals() {
  fingerprints >"$T/before"
  SERVER_KEYS=$T/g1 values "$T/g2/server.chain" "$T/g2/client.chain" "$T/g2" "$T/g1"
  check "a key of another pair is refused, with the host's name" rollout_fails 'db1: .*server.crt: the private key does not belong'
  check "and nothing on any host was replaced" unchanged_since "$T/before"
  check "and no temporary file is left" nothing_left

  printf '%s%s\n' "$(cat "$T/g2/client.crt")" "$(cat "$T/g2/root.crt")" >"$T/glued.chain"
  values "$T/g2/server.chain" "$T/glued.chain" "$T/g2" "$T/g2"
  check "a glued bundle is refused" rollout_fails 'root.crt: line [0-9]+ is not a PEM boundary'
  check "and nothing on any host was replaced" unchanged_since "$T/before"

  values "$T/both-server.chain" "$T/both-client.chain" "$T/g2" "$T/g2"
  rm "$T/inventory/group_vars/all/certs.vault.yml"
  check "a missing vault is refused in so many words" rollout_fails 'db1: .*a server certificate for this host but no private key'
  check "and nothing on any host was replaced" unchanged_since "$T/before"

  values "$T/g2/server.chain" "$T/g2/client.chain" "$T/g1" "$T/g2"
  check "a leaf of another chain is refused" rollout_fails 'db1: .*not accepted by its bundle: unable to get local issuer'
  check "and nothing on any host was replaced" unchanged_since "$T/before"

  sed '3,5d' "$T/g2/server/db1.crt" >"$T/cut.crt"
  cp -r "$T/g2" "$T/cut"
  cp "$T/cut.crt" "$T/cut/server/db1.crt"
  values "$T/g2/server.chain" "$T/g2/client.chain" "$T/cut" "$T/g2"
  check "a damaged certificate is refused" rollout_fails 'db1: .*server.crt: certificate 1 cannot be read'
  check "and nothing on any host was replaced" unchanged_since "$T/before"
}

# An unusable CRL is something that no check of the files sees: only PostgreSQL's log tells.
silent_reload() {
  local what=$1
  values "$T/both-server.chain" "$T/both-client.chain" "$T/g2" "$T/g2"
  sql "$PORT" "ALTER SYSTEM SET ssl_crl_file = 'missing.crl'"
  check "$what: a reload that PostgreSQL ignored is found, with host and log line" \
    rollout_fails 'db1.*FAILED.*did not take the new files.*(missing.crl|SSL configuration was not reloaded)' --limit db1
  sql "$PORT" "ALTER SYSTEM RESET ssl_crl_file"
  sql "$PORT" "SELECT pg_reload_conf()" >/dev/null
  values "$T/g2/server.chain" "$T/g2/client.chain" "$T/g2" "$T/g2"
  check "$what: the next good one is accepted" rollout
}

restart_db1() {
  as_server "$PG_BIN/pg_ctl" -D "$T/data/db1" -m fast -w stop >/dev/null
  PG_LOG=$1 run_pg "$T/data/db1"
  until_true 30 streams
}

log_places() {
  silent_reload "log on standard error"
  local destination
  for destination in stderr csvlog jsonlog; do
    sql "$PORT" "ALTER SYSTEM SET logging_collector = on"
    sql "$PORT" "ALTER SYSTEM SET log_destination = '$destination'"
    restart_db1 "$T/data/db1/server.log"
    silent_reload "log by the collector as $destination"
  done
  sql "$PORT" "ALTER SYSTEM RESET ALL"
  sql "$PORT" "ALTER SYSTEM SET ssl = on"
  restart_db1 /dev/null
  values "$T/both-server.chain" "$T/both-client.chain" "$T/g1" "$T/g2"
  check "without a log, what the server serves is compared" rollout
  check "and it serves the file" served_is 127.0.0.2 "$PORT" "$T/g1/server/db1.crt"
  sql "$PORT" "ALTER SYSTEM SET ssl_crl_file = 'missing.crl'"
  values "$T/both-server.chain" "$T/both-client.chain" "$T/g2" "$T/g2"
  check "and when it serves another, the rollout fails" \
    rollout_fails 'still serves another certificate' --limit db1 -e certrotate_deadline=2
  sql "$PORT" "ALTER SYSTEM RESET ssl_crl_file"
  sql "$PORT" "SELECT pg_reload_conf()" >/dev/null
  restart_db1 "$T/data/db1/server.log"
}

no_key_in() {
  local key line
  for key in "$T"/g?/*/*.key; do
    line=$(sed -n 2p "$key")
    if grep -rqF "$line" "$@"; then
      echo "a line of $key is in $*"
      return 1
    fi
  done
}

secrecy() {
  values "$T/both-server.chain" "$T/both-client.chain" "$T/g1" "$T/g1"
  check "a verbose run succeeds" rollout -vvvv --diff
  cp "$T/rollout.out" "$T/verbose.out"
  SERVER_KEYS=$T/g2 values "$T/g2/server.chain" "$T/g2/client.chain" "$T/g1" "$T/g2"
  check "a verbose run that fails" rollout_fails 'db1: .*does not belong' -vvvv --diff
  check "no key is in what they printed" no_key_in "$T/verbose.out" "$T/rollout.out"
  check "no key is in Ansible's temporary folders" no_key_in "$T/tmp"
}

# ---- what the check finds ---------------------------------------------------------------------------------------

# shellcheck disable=SC2120 # check gives it its arguments
look() {
  rm -rf "$T/reports" && mkdir -m 700 "$T/reports"
  ansible-playbook -i "$T/inventory" "$T/repository/check_certs.yml" -e "certrotate_report_dir=$T/reports" "$@" >"$T/rollout.out" 2>&1 ||
    { cat "$T/rollout.out" && return 1; }
}

# reported HOST EXPRESSION: Python over its report as r, with c the cluster and f its failures
reported() {
  /usr/bin/python3 - "$T/reports/$1.json" "$2" "$T" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
c = r["clusters"][0]
f = [(x["address"], x["reason"], x["count"]) for x in c["failures"]]
T = sys.argv[3]
if not eval(sys.argv[2]):
    sys.exit(json.dumps([r["clients"], c], indent=None))
PY
}

fingerprint_of() {
  openssl x509 -in "$1" -outform DER | sha256sum | cut -d' ' -f1
}

# broken WHAT WORDS COMMAND...: after the command the report of db1 says so of exactly one file, then all is put back
broken() {
  local what=$1 words=$2
  shift 2
  as_server cp -p "$T/data/db1/server.crt" "$T/data/db1/server.key" "$T/data/db1/root.crt" "$T/kept"
  as_server "$@"
  check "check: $what" look
  check "check: $what, in words" reported db1 "len(c['problems'] + c['unloaded']) == 1 and '$words' in (c['problems'] + c['unloaded'])[0]"
  as_server cp -p "$T/kept/server.crt" "$T/kept/server.key" "$T/kept/root.crt" "$T/data/db1"
}

looks() {
  values "$T/g2/server.chain" "$T/g2/client.chain" "$T/g2" "$T/g2"
  rollout || cat "$T/rollout.out"
  as_server mkdir -m 700 "$T/kept"
  as_server tee "$T/kept/old.key" <"$T/g1/server/db1.key" >/dev/null
  fingerprints >"$T/before"
  check "check: what the rollout left" look --check
  check "check: reports are private" mode_is "$T/reports/db1.json" 600 "$(id -un)"
  check "check: no problem" reported db1 "c['problems'] == c['unloaded'] == [] and c['ignored'] == '' and c['running'] and c['log']['read']"
  check "check: the leaf in the file and on the port" reported db1 "c['leaf'] == c['served'] == '$(fingerprint_of "$T/g2/server/db1.crt")' and c['cn'] == 'db1'"
  check "check: the bundle's certificates" reported db1 "c['bundle'] == sorted(['$(fingerprint_of "$T/g2/client.crt")', '$(fingerprint_of "$T/g2/root.crt")'])"
  check "check: a client's files" reported db2 "[(x['user'], x['cn'], x['leaf'], x['problems']) for x in r['clients']] == [('replicator', 'replicator', '$(fingerprint_of "$T/g2/client/replicator.crt")', [])]"
  broken "the key's mode" "server.key has mode 0644, and PostgreSQL takes a key with 0600 only" chmod 644 "$T/data/db1/server.key"
  broken "a key that is not there" "server.key cannot be read: No such file" rm "$T/data/db1/server.key"
  broken "a glued bundle" "root.crt is glued" sh -c "printf %s%s \"\$(cat '$T/g2/client.crt')\" \"\$(cat '$T/g2/root.crt')\" >'$T/data/db1/root.crt'"
  broken "a damaged bundle" "root.crt holds a damaged certificate" sed -i '3d' "$T/data/db1/root.crt"
  broken "another pair's key" "does not belong" sh -c "cat '$T/kept/old.key' >'$T/data/db1/server.key'"
  broken "an empty key" "server.key holds no private key" truncate -s 0 "$T/data/db1/server.key"
  broken "a bundle that was not loaded" "root.crt is not what port $PORT trusts" sh -c "cat '$T/g1/client.chain' >'$T/data/db1/root.crt'"
  as_server sh -c "cat '$T/g1/server/db1.crt' >'$T/data/db1/server.crt'; cat '$T/kept/old.key' >'$T/data/db1/server.key'"
  check "check: a pair that was not loaded" look
  check "check: a pair that was not loaded, in words" reported db1 "c['problems'] == [] and len(c['unloaded']) == 1 and 'server.crt is not what port $PORT serves' in c['unloaded'][0]"
  as_server cp -p "$T/kept/server.crt" "$T/kept/server.key" "$T/data/db1"
  as_server cp -p "$T/homes/replicator/.postgresql/postgresql.key" "$T/kept/client.key"
  as_server chmod 640 "$T/homes/replicator/.postgresql/postgresql.key"
  check "check: a client's key with a mode that libpq refuses" look
  check "check: and whose it is" reported db2 "r['clients'][0]['problems'][0].endswith(\"postgresql.key has mode 0640, and PostgreSQL takes a key with 0600 only (root's with 0640)\")"
  as_server chmod 600 "$T/homes/replicator/.postgresql/postgresql.key"
  check "check: no file was changed" unchanged_since "$T/before"
  looks_at_logs
}

# A client that trusts the old chain only, from 127.0.0.9.
distrusts() {
  ! timeout 20 openssl s_client -starttls postgres -connect "127.0.0.2:$PORT" -bind 127.0.0.9 -verify_return_error \
    -CAfile "$T/g1/server.chain" </dev/null >/dev/null 2>&1
}

sees_failures() {
  local what=$1 address=$2 start
  start=$(date +%s)
  distrusts && distrusts
  check "check: $what" look -e "certrotate_since=$start" -e "certrotate_now=$(date +%s)"
  check "check: $what, who failed and why" reported db1 "[x for x in f if x == ('$address', 'tlsv1 alert unknown ca', 2)]"
  check "check: $what, and when" reported db1 "all($start <= x['first'] <= x['last'] <= r['time'] for x in c['failures'])"
}

sees_reloads() {
  local what=$1
  sql "$PORT" "ALTER SYSTEM SET ssl_crl_file = 'missing.crl'" && sql "$PORT" "SELECT pg_reload_conf()" >/dev/null
  check "check: $what" until_true 10 sees_ignored
  sql "$PORT" "ALTER SYSTEM RESET ssl_crl_file" && sql "$PORT" "SELECT pg_reload_conf()" >/dev/null
  check "check: $what, a good reload ends that" until_true 10 sees_no_more
}

# shellcheck disable=SC2119
sees_ignored() {
  look && reported db1 "'could not load SSL certificate revocation list file \"missing.crl\"' in c['ignored'] and f == []"
}

# shellcheck disable=SC2119
sees_no_more() {
  look && reported db1 "c['ignored'] == ''"
}

looks_at_logs() {
  local destination
  sees_failures "a log without addresses" ""
  sees_reloads "a log on standard error"
  sql "$PORT" "ALTER SYSTEM SET log_connections = on" && sql "$PORT" "SELECT pg_reload_conf()" >/dev/null
  sees_failures "addresses of connections" 127.0.0.9
  sql "$PORT" "ALTER SYSTEM RESET log_connections"
  sql "$PORT" "ALTER SYSTEM SET log_timezone = 'Asia/Kathmandu'"
  sql "$PORT" "ALTER SYSTEM SET log_line_prefix = '%t %c:%l%q user=%u,db=%d,host=%h '" && sql "$PORT" "SELECT pg_reload_conf()" >/dev/null
  sees_failures "another prefix and zone" 127.0.0.9
  sql "$PORT" "ALTER SYSTEM SET log_line_prefix = '%n %5p [%r] '" && sql "$PORT" "SELECT pg_reload_conf()" >/dev/null
  sees_failures "addresses in the prefix" 127.0.0.9
  sql "$PORT" "ALTER SYSTEM SET log_line_prefix = '[%p] '" && sql "$PORT" "SELECT pg_reload_conf()" >/dev/null
  check "check: a prefix without time" look -e certrotate_since=1
  check "check: and that is said" reported db1 "c['log']['why'] == 'its log_line_prefix has no time (%m)' and not c['log']['read']"
  sql "$PORT" "ALTER SYSTEM RESET log_line_prefix"
  sql "$PORT" "ALTER SYSTEM SET logging_collector = on"
  for destination in csvlog jsonlog; do
    sql "$PORT" "ALTER SYSTEM SET log_destination = '$destination'"
    restart_db1 "$T/data/db1/server.log"
    sees_failures "$destination" 127.0.0.9
    sees_reloads "$destination"
  done
  sql "$PORT" "ALTER SYSTEM RESET ALL" && sql "$PORT" "ALTER SYSTEM SET ssl = on"
  restart_db1 /dev/null
  check "check: no log at all" look -e certrotate_since=1
  check "check: and that is said" reported db1 "c['log']['why'].startswith('it has no log file') and c['problems'] == []"
  restart_db1 "$T/data/db1/server.log"
}

# ---- stock layouts ----------------------------------------------------------------------------------------------

# A machine of our own: users, homes, and the folders of both layouts, over this one's and gone with the namespace.
own_machine() {
  mount -t tmpfs none /mnt
  mkdir -p /mnt/upper /mnt/work /mnt/home
  mount -t overlay overlay -o lowerdir=/var/lib,upperdir=/mnt/upper,workdir=/mnt/work /var/lib
  mount -t tmpfs none /etc/postgresql
  rm -rf /var/lib/postgresql/* && mkdir -p /var/lib/postgresql /var/lib/pgsql
  mount --bind /mnt/home /home
  sed '/^reporter:/d' /etc/passwd >/mnt/passwd
  echo 'reporter:x:4711:4711::/home/reporter:/bin/sh' >>/mnt/passwd
  mount --bind /mnt/passwd /etc/passwd
  mkdir -m 755 /home/reporter && chown 4711:4711 /home/reporter
  chown postgres: /var/lib/postgresql /var/lib/pgsql /etc/postgresql
}

layouts() {
  own_machine
  HOSTS="db1" USERS="postgres reporter nobody-here"
  local g user debian=/var/lib/postgresql/15/main rhel=/var/lib/pgsql/15/data
  for g in g1 g2; do
    make_chain "$T/$g" $g
    make_leaf "$T/$g" server db1
    for user in $USERS; do make_leaf "$T/$g" client "$user"; done
  done
  mkdir -p "$T/inventory" "$T/data" "$T/homes"
  printf -- '---\nall:\n  hosts:\n    db1: {ansible_connection: local, certrotate_become: false}\n' >"$T/inventory/hosts"
  make_pg $rhel 127.0.0.3 "$(free_port 127.0.0.3)" "ssl_ca_file = 'root.crt'" "logging_collector = on"
  run_pg $rhel
  debian_cluster $debian
  values "$T/g1/server.chain" "$T/g1/client.chain" "$T/g1" "$T/g1"
  check "layouts: both are found and written" rollout
  check "layouts: RHEL's data directory" same "$T/g1/server/db1.key" $rhel/server.key
  check "layouts: Debian's configured path" same "$T/g1/server/db1.key" /etc/postgresql/15/main/tls.key
  check "layouts: a user of the host" same "$T/g1/client/reporter.key" /home/reporter/.postgresql/postgresql.key
  check "layouts: that user's key is the user's" mode_is /home/reporter/.postgresql/postgresql.key 600 reporter
  check "layouts: the user postgres" same "$T/g1/client/postgres.crt" /var/lib/postgresql/.postgresql/postgresql.crt
  check "layouts: who is no user of the host gets nothing" test ! -e /home/nobody-here
  for g in 3 2; do
    sql "$(sed -n 4p "$([ $g = 3 ] && echo $rhel || echo $debian)/postmaster.pid")" "ALTER SYSTEM SET ssl = on"
  done
  values "$T/g2/server.chain" "$T/g2/client.chain" "$T/g2" "$T/g2"
  check "layouts: the next generation" rollout -v
  check "layouts: both were reloaded" grep -F "\"$debian\", \"$rhel\"" "$T/rollout.out"
  check "layouts: RHEL serves it" served_is 127.0.0.3 "$(sed -n 4p $rhel/postmaster.pid)" "$T/g2/server/db1.crt"
  check "layouts: Debian serves it" served_is 127.0.0.2 "$(sed -n 4p $debian/postmaster.pid)" "$T/g2/server/db1.crt"
  ln -sfn /etc /home/reporter/elsewhere
  mv /home/reporter/.postgresql /home/reporter/kept && ln -s /etc /home/reporter/.postgresql
  values "$T/both-server.chain" "$T/g2/client.chain" "$T/g2" "$T/g2" 2>/dev/null
  check "layouts: a user's link to a folder of root is refused" rollout_fails '/home/reporter/.postgresql: does not belong to reporter'
  check "layouts: and nothing was written there" test ! -e /etc/postgresql.crt
}

# As pg_createcluster lays it out, with TLS files outside of the data directory.
debian_cluster() {
  local data=$1 config=/etc/postgresql/15/main
  mkdir -p $config && chown -R postgres: /etc/postgresql
  make_pg "$data" 127.0.0.2 "$(free_port 127.0.0.2)"
  as_server mv "$data/postgresql.conf" "$data/pg_hba.conf" "$data/pg_ident.conf" $config
  printf '%s\n' "data_directory = '$data'" "hba_file = '$config/pg_hba.conf'" "ident_file = '$config/pg_ident.conf'" \
    "ssl_cert_file = '$config/tls.crt'" "ssl_key_file = '$config/tls.key'" "ssl_ca_file = '$config/ca.crt'" |
    as_server tee -a $config/postgresql.conf >/dev/null
  PG_LOG=$T/debian.log run_pg "$data" $config
}

main() {
  begin "playbooks"
  ansible_environment
  if [ "${1:-}" = --layouts ]; then
    layouts
    finish
    return
  fi
  one_machine
  first_rollout
  tls_only
  unchanged
  check_mode
  rotation
  refusals
  log_places
  looks
  secrecy
  if [ "$(id -u)" = 0 ]; then
    check "the stock layouts of Debian and RHEL (counted as one)" unshare -m "$ROOT/tests/integration/playbooks.sh" --layouts
    sed 's/^/    /' "$T/check.out"
  else
    echo "not run: the stock layouts need root for a mount namespace"
  fi
  finish
}

main "$@"
