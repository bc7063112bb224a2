#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# What `certrotate verify` sees of real servers: PostgreSQL 15 with TLS 1.2 and 1.3, a standby, PostgreSQL 13 and 18
# (where tools/postgres-versions fetched them), PgBouncer with TLS in front, HAProxy in TCP mode, a service that is no
# PostgreSQL and demands a client certificate, IPv6, a name with two addresses, and a server that never answers. They go
# through a trust phase first, and are spoilt one by one after it.
#
#   tests/integration/probes.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
BUILD=$(cd "${1:-build}" && pwd) || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

DOMAIN=example.com
USERS="postgres stranger"
declare -A PORT=() PIDS=() BIN=()

# All but PostgreSQL's own servers, which lib.sh ends.
test_ends() {
  local name
  for name in "${!PIDS[@]}"; do kill "${PIDS[$name]}" 2>/dev/null; done
  [ ! -s "$T/rest.pid" ] || kill "$(cat "$T/rest.pid")" 2>/dev/null
}

# background NAME COMMAND...: as the servers' user; its own process id, so that signals reach it
background() {
  local name=$1
  shift
  if [ "$(id -un)" = "$SERVER_USER" ]; then
    "$@" </dev/null >"$T/$name.log" 2>&1 &
  else
    setpriv --reuid "$SERVER_USER" --regid "$(id -gn "$SERVER_USER")" --init-groups -- "$@" </dev/null >"$T/$name.log" 2>&1 &
  fi
  PIDS[$name]=$!
}

rotate() {
  "$BUILD/certrotate" -C "$R" "$@"
}

# seen EXPRESSION: Python on d, what verify --json says; l(NAME) and c(NAME, GENERATION) are an endpoint's entries
seen() {
  rotate --json verify 2>/dev/null | /usr/bin/python3 -c "import json, sys
d = json.load(sys.stdin)
place = lambda e: e['endpoint'].split('.')[0]
l = lambda n: [e for e in d['evidence']['leaves'] if place(e) == n]
c = lambda n, g: [e for e in d['evidence']['logins'] if place(e) == n and e['generation'] == g]
t = {e['expected']: (e['held'], e['asked'], [s.split('.')[0] for s in e['stragglers']]) for e in d['evidence']['checks']}
r = $1
print(r)"
}

# ---- the servers ------------------------------------------------------------------------------------------------

# A server's own copies of what was rolled out; all run as one user.
put_files() { # FOLDER NAME
  as_server mkdir -p "$1"
  as_server cp "$T/live/$2.crt" "$1/server.crt"
  as_server install -m 600 "$T/live/$2.key" "$1/server.key"
  as_server cp "$T/live/clients.pem" "$1/clients.pem"
}

# pg NAME VERSION ADDRESSES [LINE...]: a PostgreSQL that lets in who shows a certificate
pg() {
  local name=$1 version=$2 addresses=$3
  shift 3
  PORT[$name]=$(free_port "${addresses%%,*}")
  BIN[$name]=$BUILD/postgres/$version/bin
  [ "$version" != 15 ] || BIN[$name]=$bin
  PG_BIN=${BIN[$name]} make_pg "$T/$name" "$addresses" "${PORT[$name]}" "ssl = on" "ssl_ca_file = 'clients.pem'" "$@"
  put_files "$T/$name" "$name"
  hba "$name"
  PG_BIN=${BIN[$name]} run_pg "$T/$name"
}

hba() { # NAME [LINE...]: these lines, and certificates for user postgres
  local name=$1
  shift
  {
    echo 'local all all trust'
    echo 'local replication all trust'
    for line in "$@"; do echo "$line"; done
    echo 'hostssl all postgres all cert clientcert=verify-full'
  } | as_server tee "$T/$name/pg_hba.conf" >/dev/null
}

reload_pg() {
  as_server "${BIN[$1]}/pg_ctl" -D "$T/$1" reload >/dev/null
}

start_pooler() {
  local program
  program=$(PATH=$PATH:/usr/sbin command -v pgbouncer) || die "pgbouncer is missing: install the package pgbouncer"
  PORT[pool]=$(free_port 127.0.0.1)
  put_files "$T/pool" pool
  echo '"postgres" ""' | as_server tee "$T/pool/users" >/dev/null
  as_server tee "$T/pool/pgbouncer.ini" >/dev/null <<INI
[databases]
* = host=$T port=${PORT[pg13]} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${PORT[pool]}
unix_socket_dir =
auth_type = cert
auth_file = $T/pool/users
client_tls_sslmode = verify-full
client_tls_ca_file = $T/pool/clients.pem
client_tls_key_file = $T/pool/server.key
client_tls_cert_file = $T/pool/server.crt
pool_mode = transaction
INI
  background pool "$program" "$T/pool/pgbouncer.ini"
  until_true 10 not port_is_free 127.0.0.1 "${PORT[pool]}" || die "PgBouncer does not start: $(cat "$T/pool.log")"
}

start_proxy() {
  local program
  program=$(PATH=$PATH:/usr/sbin command -v haproxy) || die "haproxy is missing: install the package haproxy"
  PORT[proxy]=$(free_port 127.0.0.1)
  cat >"$T/haproxy.cfg" <<CFG
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen postgres
  bind 127.0.0.1:${PORT[proxy]}
  server pg13 127.0.0.1:${PORT[pg13]}
CFG
  background proxy "$program" -db -f "$T/haproxy.cfg"
  until_true 10 not port_is_free 127.0.0.1 "${PORT[proxy]}" || die "HAProxy does not start: $(cat "$T/proxy.log")"
}

# A service of another kind, which demands a certificate of the clients' CAs. It reads its files once: to take others it
# is started anew, also by the playbook.
start_rest() { # [CA FILE]
  [ ! -s "$T/rest.pid" ] || kill "$(cat "$T/rest.pid")"
  until_true 10 port_is_free 127.0.0.1 "${PORT[rest]}" || die "the service does not end"
  setsid openssl s_server -quiet -accept "127.0.0.1:${PORT[rest]}" -cert "$T/live/rest.crt" -key "$T/live/rest.key" -www \
    -Verify 3 -verify_return_error -CAfile "${1:-$T/live/clients.pem}" </dev/null >"$T/rest.log" 2>&1 &
  echo $! >"$T/rest.pid"
  until_true 10 not port_is_free 127.0.0.1 "${PORT[rest]}" || die "the service does not start: $(cat "$T/rest.log")"
}

port_is_free() {
  /usr/bin/python3 - "$1" "$2" 2>/dev/null <<'PY'
import socket, sys
with socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((sys.argv[1], int(sys.argv[2])))
PY
}

# Accepts, and says nothing.
start_silent() {
  PORT[silent]=$(free_port 127.0.0.1)
  background silent /usr/bin/python3 -c "import socket
s, held = socket.create_server(('127.0.0.1', ${PORT[silent]})), []
while True: held.append(s.accept())"
}

start_servers() {
  pg pg12 15 127.0.0.1 "ssl_max_protocol_version = 'TLSv1.2'" "archive_mode = on" "archive_command = 'true'"
  pg pg13 15 "127.0.0.1${V6:+,$V6}" "max_wal_senders = 4"
  quietly sql "${PORT[pg13]}" "CREATE ROLE stranger LOGIN"
  [ "$SERVER_USER" = postgres ] || quietly sql "${PORT[pg13]}" "CREATE ROLE postgres SUPERUSER LOGIN"
  PORT[standby]=$(free_port 127.0.0.1)
  BIN[standby]=$bin
  start_standby "$T/standby" 127.0.0.1 "${PORT[standby]}" "host=$T port=${PORT[pg13]} user=$SERVER_USER"
  put_files "$T/standby" standby
  hba standby
  reload_pg standby
  for version in 13 18; do
    [ -z "${HAVE[$version]}" ] || pg "v$version" "$version" 127.0.0.1
  done
  start_pooler
  start_proxy
  PORT[rest]=$(free_port 127.0.0.1)
  start_rest
}

# ---- the repository ---------------------------------------------------------------------------------------------

names() {
  echo pg12 pg13 standby pool rest two
  for version in 13 18; do [ -z "${HAVE[$version]}" ] || echo "v$version"; done
}

make_repository() {
  local name
  R=$T/repository
  mkdir -p "$R/config" "$R/environments/poc/group_vars/all" "$T/live" "$T/ansible" "$HOME"
  chmod 755 "$T/live"
  printf '#!/bin/sh\necho a-password\n' >"$T/vault-password"
  chmod 755 "$T/vault-password"
  git config --file "$HOME/.gitconfig" user.name "A DBA"
  git config --file "$HOME/.gitconfig" user.email dba@example.com
  quietly git init -q -b dev "$R"
  {
    printf 'subject: {C: NL, O: Acme, CN: postgres}\nkey: ecdsa-p256\nintermediates:\n  - name: server\n    servers:\n'
    for name in $(names); do echo "      $name.$DOMAIN: [$name.$DOMAIN, 127.0.0.1]"; done
    printf '    keyUsages: [digitalSignature]\n    extendedKeyUsages: [serverAuth]\n'
    printf '  - name: client\n    clients: [%s]\n' "${USERS// /, }"
    printf '    keyUsages: [digitalSignature]\n    extendedKeyUsages: [clientAuth]\n'
  } >"$R/config/chainsmith_poc.yml"
  {
    printf 'all:\n  vars: {ansible_connection: local}\n  hosts:\n'
    for name in $(names); do echo "    $name.$DOMAIN: {ansible_host: 127.0.0.1}"; done
  } >"$R/environments/poc/hosts.yml"
  cat >"$R/rollout_new_certs.yml" <<YML
---
- name: Roll out
  hosts: all
  gather_facts: false
  tasks:
    - name: Replace the files
      ansible.builtin.copy:
        content: "{{ item.content }}"
        dest: "$T/live/{{ item.name }}"
        mode: "0644"
      loop:
        - {name: "{{ inventory_hostname_short }}.crt", content: "{{ certs.server[inventory_hostname] }}"}
        - {name: "{{ inventory_hostname_short }}.key", content: "{{ private_keys.server[inventory_hostname] }}"}
        - {name: clients.pem, content: "{{ certs.client.chain }}"}
      no_log: true
      diff: false
- name: Take them
  hosts: all
  gather_facts: false
  tasks:
    - name: Reload
      ansible.builtin.command: $T/take
      run_once: true
YML
  cat >"$R/ansible.cfg" <<CFG
[defaults]
$ANSIBLE_DEFAULTS
vault_password_file = $T/vault-password
local_tmp = $T/ansible
remote_tmp = $T/ansible
retry_files_enabled = false
CFG
  configuration
}

# configuration [ENDPOINT...]: further endpoints
configuration() {
  local name endpoint
  {
    printf 'version: 1\ndefaults:\n  git: {base: dev, push: false}\n  census: {quiet: 1s, samples: 0}\n  endpoints:\n'
    [ -z "${PORT[pg13]:-}" ] || echo "    - {name: pg13.$DOMAIN, address: '${V6:-127.0.0.1}', port: ${PORT[pg13]}}"
    for name in pg12 standby pool v13; do
      [ -z "${PORT[$name]:-}" ] || echo "    - {name: $name.$DOMAIN, address: 127.0.0.1, port: ${PORT[$name]}}"
    done
    [ -z "${PORT[proxy]:-}" ] || echo "    - {name: pg13.$DOMAIN, address: 127.0.0.1, port: ${PORT[proxy]}}"
    [ -z "${PORT[rest]:-}" ] || echo "    - {name: rest.$DOMAIN, address: 127.0.0.1, port: ${PORT[rest]}, protocol: tls}"
    [ -z "${PORT[v18]:-}" ] ||
      echo "    - {name: v18.$DOMAIN, address: 127.0.0.1, port: ${PORT[v18]}, protocol: postgres-direct}"
    for endpoint in "$@"; do echo "    - {$endpoint}"; done
    [ -n "${PORT[pg12]:-}" ] || [ $# != 0 ] || echo "    - {name: pg12.$DOMAIN, address: 127.0.0.1, port: $(free_port 127.0.0.1)}"
  } >"$R/certrotate.yml"
  git -C "$R" add -A
  quietly git -C "$R" commit -q -m "poc: endpoints"
}

# What the playbook runs at the end: every server takes what is in $T/live.
write_take() {
  declare -p T PORT PIDS BIN PG_BIN SERVER_USER bin >"$T/variables"
  {
    echo "#!/usr/bin/env bash"
    echo ". $T/variables"
    declare -f die as_server put_files reload_pg take_all start_rest until_true port_is_free not
    echo take_all
  } >"$T/take"
  chmod 755 "$T/take"
}

take_all() {
  local name
  for name in "${!BIN[@]}"; do
    put_files "$T/$name" "$name"
    reload_pg "$name"
  done
  put_files "$T/pool" pool
  kill -HUP "${PIDS[pool]}"
  start_rest
}

# ---- what is seen -----------------------------------------------------------------------------------------------

all_is_well() {
  check 'verify finds all as it should be' exits 0 rotate verify
  check 'and says so' said 'idle:' 'all as it should be'
  check 'each endpoint serves the certificate of its name' is \
    "$(seen "all(e['serial'] == e['expected'] for e in d['evidence']['leaves'])")" True
  check 'TLS 1.2 and 1.3 are both there' is "$(seen "l('pg12')[0]['tls'], l('pg13')[0]['tls']")" "('TLSv1.2', 'TLSv1.3')"
  check 'the CA names are the live chain'\''s; PgBouncer announces none' is \
    "$(seen "[l(n)[0].get('announces') for n in ('pg12', 'pg13', 'rest', 'pool')]")" "['new', 'new', 'new', None]"
  [ -z "$V6" ] || check 'over IPv6 where that is the address' is "$(seen "l('pg13')[0]['address']")" ::1
  check 'roles are seen' is "$(seen "c('pg13', 'new')[0]['role'], c('standby', 'new')[0]['role']")" "('primary', 'standby')"
  check 'the standby streams, and its primary knows it' is \
    "$(seen "c('standby', 'new')[0]['streams'], c('pg13', 'new')[0]['standbys_streaming']")" '(True, 1)'
  check 'HAProxy shows the server behind it' is "$(seen "[e['outcome'] for e in c('pg13', 'new')]")" "['accepted', 'accepted']"
  check 'a login through PgBouncer' is "$(seen "c('pool', 'new')[0]['outcome']")" accepted
  check 'leaves no setting behind in its connections' is "$(through_pooler 'SHOW default_transaction_read_only')" off
  check 'the other service takes the certificate' is "$(seen "c('rest', 'new')[0]['by'], c('rest', 'new')[0]['outcome']")" \
    "('probe', 'accepted')"
  check 'nobody gets in without one' is "$(seen "t['refuse who shows no certificate']")" "($COUNT, $COUNT, [])"
  [ -z "${HAVE[13]}" ] || check 'PostgreSQL 13' is "$(seen "c('v13', 'new')[0]['outcome']")" accepted
  [ -z "${HAVE[18]}" ] || check 'PostgreSQL 18, TLS at once' is "$(seen "l('v18')[0]['outcome'], c('v18', 'new')[0]['outcome']")" \
    "('connected', 'accepted')"
  check 'without a login no vault password is needed' env ANSIBLE_VAULT_PASSWORD_FILE=/nonexistent \
    "$BUILD/certrotate" -C "$R" verify --no-login
  check 'which else is asked for' exits 1 env ANSIBLE_VAULT_PASSWORD_FILE=/nonexistent "$BUILD/certrotate" -C "$R" verify
}

# As a pooled application: whatever connection the pooler gives.
through_pooler() {
  "$bin/psql" -XAtq -c "$1" "host=pool.$DOMAIN hostaddr=127.0.0.1 port=${PORT[pool]} user=postgres dbname=postgres \
sslmode=verify-full sslcert=$T/client.crt sslkey=$T/client.key sslrootcert=$T/servers.pem"
}

# The certificate and key of user postgres, as the inventory holds them.
client_files() {
  local certs=$R/environments/poc/group_vars/all
  ansible-vault view --vault-password-file "$T/vault-password" "$certs/certs.vault.yml" |
    /usr/bin/python3 -c "import sys, yaml
keys, certs = yaml.safe_load(sys.stdin), yaml.safe_load(open('$certs/certs.yml'))['certs']
open('$T/client.key', 'w').write(keys['private_keys']['client']['postgres'])
open('$T/client.crt', 'w').write(certs['client']['postgres'])
open('$T/servers.pem', 'w').write(certs['server']['chain'])" && chmod 600 "$T/client.key"
}

through_trust() {
  as_server cp "$T/pg12/clients.pem" "$T/old-clients.pem"
  check 'generate' exits 0 rotate next --yes
  check 'trust holds for all of them' exits 0 rotate next --yes
  check 'verify says so' exits 0 rotate verify
  check 'each announces both generations, where it announces any' is \
    "$(seen "sorted({e.get('announces') or 'none' for e in d['evidence']['leaves']})")" "['both', 'none']"
  check 'each lets both clients in' is \
    "$(seen "t['let the old client certificate in'] == t['let the new client certificate in'] == ($COUNT, $COUNT, [])")" True
}

# ---- one after the other is spoilt, and mended --------------------------------------------------------------------

old_bundle_everywhere_else() {
  local name
  for name in pg12 pool; do as_server cp "$T/old-clients.pem" "$T/$name/clients.pem"; done
  reload_pg pg12
  kill -HUP "${PIDS[pool]}"
  start_rest "$T/old-clients.pem"
  check 'three have the old bundle' exits 3 rotate verify
  check 'the two that announce CAs are named' said "block ca-names pg12.$DOMAIN, rest.$DOMAIN: does not announce the new CAs"
  check 'so are all three that refuse the new client' said \
    "block client-login pg12.$DOMAIN, pool.$DOMAIN, rest.$DOMAIN: the new client certificate (user postgres) does not get in" \
    "$((COUNT - 3)) of $COUNT endpoints let the new client certificate in; stragglers: pg12.$DOMAIN, pool.$DOMAIN, rest.$DOMAIN"
  check 'the announced CAs show without a login, too' exits 3 rotate verify --no-login
  check 'with no word about logins' said "no login tried: something differs" "block ca-names pg12.$DOMAIN"
  quietly "$T/take"
  check 'all is well again' exits 0 rotate verify
}

access_rules() {
  hba pg12 'hostssl all all all trust'
  reload_pg pg12
  check 'a rule that lets everybody in is no failure' exits 0 rotate verify
  check 'but it is said' said "warning client-none pg12.$DOMAIN: lets somebody in without certificate and password"
  hba pg12 'hostssl all all all scram-sha-256'
  reload_pg pg12
  check 'a rule with passwords is no failure' exits 0 rotate -v verify
  check 'and worth knowing, as is who cannot log in' said \
    "info client-none pg12.$DOMAIN: asks for a password where no certificate is shown" \
    "warning client-login pg12.$DOMAIN: the login of user postgres is refused for another reason than its certificate"
  check 'its certificate counts as accepted' is "$(seen "c('pg12', 'new')[0]['outcome'], t['let the new client certificate in'][2]")" \
    "('refused-server', [])"
  hba pg12
  as_server sed -i 's/^ssl_ca_file/#&/' "$T/pg12/postgresql.conf"
  reload_pg pg12
  check 'a server that has loaded no CAs lets nobody in' exits 3 rotate verify
  check 'and says so in its own way' said "block client-login pg12.$DOMAIN: pg_hba.conf demands a client certificate, but the \
server asks for none: it has loaded no ssl_ca_file"
  as_server sed -i 's/^#ssl_ca_file/ssl_ca_file/' "$T/pg12/postgresql.conf"
  make_chain "$T/strange" strange
  make_leaf "$T/strange" server "pg12.$DOMAIN"
  chmod -R a+rX "$T/strange"
  as_server cp "$T/strange/server/pg12.$DOMAIN.crt" "$T/pg12/server.crt"
  as_server tee "$T/pg12/server.key" <"$T/strange/server/pg12.$DOMAIN.key" >/dev/null
  reload_pg pg12
  check 'a server that clients do not trust' exits 3 rotate verify
  check 'is named, and asked for its word about clients all the same' is "$(seen "[(e['by'], e['outcome'], 'reason' in e) \
for e in c('pg12', 'new')]")" "[('login', 'not-trusted', True), ('probe', 'accepted', False)]"
  put_files "$T/pg12" pg12
  reload_pg pg12
}

# Whoever answers once is known by his certificate; what becomes of clients is not.
answers_once() {
  PORT[once]=$(free_port 127.0.0.1)
  configuration "name: two.$DOMAIN, address: 127.0.0.1, port: ${PORT[once]}, protocol: tls"
  background once openssl s_server -quiet -accept "127.0.0.1:${PORT[once]}" -naccept 1 -cert "$T/live/two.crt" \
    -key "$T/live/two.key" -Verify 3 -CAfile "$T/live/clients.pem"
  until_true 10 not port_is_free 127.0.0.1 "${PORT[once]}"
  check 'a service that ends after its first connection' exits 3 rotate verify
  check 'may not let clients in' said "block client-login two.$DOMAIN: the new client certificate (user postgres) may not get in: connection refused"
}

archiving() {
  as_server sed -i "s/^archive_command.*/archive_command = 'false'/" "$T/pg12/postgresql.conf"
  reload_pg pg12
  quietly sql "${PORT[pg12]}" "SELECT pg_switch_wal()"
  until_true 30 archiving_failed || die "archiving does not fail"
  check 'archiving that fails since the phase began' exits 3 rotate verify
  check 'is named' said "block archiver pg12.$DOMAIN: archiving fails since the phase began (last for 0000"
  as_server sed -i "s/^archive_command.*/archive_command = 'true'/" "$T/pg12/postgresql.conf"
  reload_pg pg12
  until_true 90 archived_again || die "archiving does not work again"
  check 'once it works again' exits 0 rotate -v verify
  check 'it is worth knowing' said "info archiver pg12.$DOMAIN: archiving failed" 'since the phase began, and works again'
}

archiving_failed() {
  [ "$(sql "${PORT[pg12]}" 'SELECT failed_count > 0 FROM pg_stat_archiver')" = t ]
}

archived_again() {
  quietly sql "${PORT[pg12]}" "SELECT pg_switch_wal()"
  [ "$(sql "${PORT[pg12]}" 'SELECT last_archived_time > last_failed_time FROM pg_stat_archiver')" = t ]
}

standby_without_primary() {
  as_server "$bin/pg_ctl" -D "$T/pg13" -m fast -w stop >/dev/null
  check 'a primary that is down' exits 3 rotate verify
  check 'is named, once for each of its ports' said "block endpoint pg13.$DOMAIN: ${V6:-127.0.0.1} port ${PORT[pg13]}: connection refused" \
    "block endpoint pg13.$DOMAIN: 127.0.0.1 port ${PORT[proxy]}: " "block replication standby.$DOMAIN: the standby does not stream"
  run_pg "$T/pg13"
  until_true 60 standby_streams || die "the standby does not stream again"
}

standby_streams() {
  [ "$(sql "${PORT[standby]}" 'SELECT status FROM pg_stat_wal_receiver')" = streaming ]
}

# A name with two addresses of which one has other files: /etc/hosts is another one for this process alone.
two_addresses() {
  PORT[two]=$(free_port 127.0.0.1)
  start_silent
  configuration "name: two.$DOMAIN, address: both.$DOMAIN, port: ${PORT[two]}, protocol: tls" \
    "name: silent.$DOMAIN, address: 127.0.0.1, port: ${PORT[silent]}"
  make_leaf "$T/strange" server "two.$DOMAIN"
  chmod -R a+rX "$T/strange"
  chmod 644 "$T/strange/server/two.$DOMAIN.key"
  background right openssl s_server -quiet -accept "127.0.0.1:${PORT[two]}" -cert "$T/live/two.crt" -key "$T/live/two.key"
  background wrong openssl s_server -quiet -accept "[::1]:${PORT[two]}" -cert "$T/strange/server/two.$DOMAIN.crt" \
    -key "$T/strange/server/two.$DOMAIN.key"
  until_true 10 not port_is_free 127.0.0.1 "${PORT[two]}"
  printf '127.0.0.1 localhost both.%s\n::1 localhost both.%s\n' "$DOMAIN" "$DOMAIN" >"$T/hosts"
  check 'one of two addresses serves another certificate, and a server is silent' exits 3 elsewhere verify --no-login
  check 'the address is named' said "block leaf-served two.$DOMAIN: ::1: serves a certificate that is not the inventory's"
  check 'so is who is silent' said "block endpoint silent.$DOMAIN: 127.0.0.1 port ${PORT[silent]}: no answer within 10"
  check 'each is one of the stragglers' said \
    "$((COUNT + 1)) of $((COUNT + 2)) endpoints answer with TLS; stragglers: silent.$DOMAIN" \
    "$COUNT of $((COUNT + 1)) endpoints serve the old certificate; stragglers: two.$DOMAIN"
}

elsewhere() {
  # shellcheck disable=SC2016 # the other shell's own
  unshare -m sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' - "$T/hosts" "$BUILD/certrotate" -C "$R" "$@"
}

main() {
  local version
  need ansible-playbook ansible-core
  need git git
  begin probes
  [ -x "$BUILD/certrotate" ] || die "$BUILD/certrotate is missing: make all"
  V6=::1
  port_is_free "$V6" 0 || {
    V6=''
    echo 'left out: this machine has no IPv6'
  }
  declare -gA HAVE=([13]='' [18]='')
  for version in 13 18; do
    if [ -x "$BUILD/postgres/$version/bin/postgres" ]; then
      HAVE[$version]=yes
    else
      echo "left out: PostgreSQL $version is not there: type tools/postgres-versions $BUILD"
    fi
  done
  COUNT=$((6 + ${#HAVE[13]} / 3 + ${#HAVE[18]} / 3))
  export HOME=$T/home ANSIBLE_HOME=$T/ansible GIT_CONFIG_NOSYSTEM=1 ANSIBLE_NOCOLOR=1
  unset ANSIBLE_CONFIG ANSIBLE_VAULT_PASSWORD_FILE CERTROTATE_ENV
  printf '#!/bin/sh\n' >"$T/take"
  chmod 755 "$T/take"
  make_repository
  quietly rotate next --first --yes
  (cd "$R" && quietly ansible-playbook -i environments/poc rollout_new_certs.yml) || exit 1
  chmod a+r "$T/live"/*
  [ "$(id -u)" != 0 ] || chown -R "$SERVER_USER" "$T/live"
  start_servers
  write_take
  configuration
  quietly client_files
  all_is_well
  through_trust
  old_bundle_everywhere_else
  access_rules
  answers_once
  configuration
  archiving
  standby_without_primary
  if [ -n "$V6" ] && unshare -m true 2>/dev/null; then
    two_addresses
  else
    echo 'left out: a name with two addresses needs IPv6 and a mount namespace'
  fi
  finish
}

main
