#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# What only PostgreSQL can answer: whether its own rules let a user in with the certificate that a rotation brings, and
# which servers are clients themselves. What is said of each user is compared with a real login with that certificate.
#
#   tests/integration/access.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
BUILD=$(cd "${1:-build}" && pwd) || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/lib_repository.sh
. tests/integration/lib_repository.sh

DB1=db1.example.com DB2=db2.example.com
# Whose name fits a rule, and whose does not.
FITTING="postgres plain mapped pattern byname byregex verified anyname grouped listed svc weird"
FAILING="wrongmap nomap unmapped asname trusting captureless renamed"
CLIENTS="$FITTING $FAILING secret nowhere shadowed moving replicator watcher"

exits() { # CODE COMMAND...; what it said stays in $T/said
  local want=$1 got=0
  shift
  "$@" >"$T/said" 2>&1 || got=$?
  cat "$T/said" >>"$T/all.out"
  [ "$got" = "$want" ] || {
    echo "exit code $got, not $want"
    cat "$T/said"
    return 1
  }
}

# ---- the repository ---------------------------------------------------------------------------------------------

description() {
  cat <<END
subject: {C: NL, O: Acme, CN: postgres}
key: ecdsa-p256
intermediates:
  - name: server
    servers:
      $DB1: [$ADDRESS1, $DB1]
      $DB2: [$ADDRESS2, $DB2]
  - name: client
    clients: [${CLIENTS// /, }]
END
}

inventory() {
  local user
  cat <<END
all:
  vars: {ansible_connection: local, certrotate_become: false, certrotate_settle: 0.05}
  hosts:
    $DB1:
      ansible_host: $ADDRESS1
      certrotate_clusters: [{data: $T/db1/data}]
      certrotate_clients:
END
  for user in $CLIENTS; do
    [ "$user" = replicator ] || echo "        - {user: $user, owner: $ME, home: $T/homes/$user}"
  done
  cat <<END
    $DB2:
      ansible_host: $ADDRESS2
      certrotate_clusters: [{data: $T/db2/data}]
      certrotate_clients:
        - {user: replicator, owner: $SERVER_USER, home: $T/homes/replicator}
END
}

configuration() { # USER who logs in
  cat <<END
version: 1
defaults:
  git: {flow: direct, base: dev, remote: origin, push: true}
  login: {user: $1}
  endpoints:
    - {name: $DB1, address: $ADDRESS1, port: $PORT}
    - {name: $DB2, address: $ADDRESS2, port: $PORT}
environments:
  poc: {}
END
}

make_repository() {
  local user
  new_repository
  for user in $CLIENTS; do mkdir -p "$T/homes/$user"; done
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$T/homes/replicator"
  description >"$R/config/chainsmith_poc.yml"
  inventory >"$R/environments/poc/hosts"
  configuration postgres >"$R/certrotate.yml"
  team_commits "poc: describe the environment"
}

go() {
  rotate next --yes "$@"
}

play() { # HOST
  (cd "$R" && ansible-playbook -i environments/poc rollout_new_certs.yml --limit "$1")
}

logs_in_as() { # from now on it is this user who asks the servers
  configuration "$1" >"$R/certrotate.yml"
  team_commits "poc: log in as $1"
}

# ---- the servers ------------------------------------------------------------------------------------------------

socket() { # NUMBER STATEMENT [DATABASE]
  as_server "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -h "$T/db$1" -p "$PORT" -U "$SERVER_USER" -d "${3:-postgres}" -c "$2"
}

# rules NUMBER FILE, from standard input
rules() {
  as_server tee "$T/db$1/data/$2" >/dev/null
  [ -z "${STARTED:-}" ] || quietly socket "$1" "SELECT pg_reload_conf()"
}

hba() {
  cat <<'END'
local all all trust
local replication all trust
hostssl replication replicator all cert
hostssl all         postgres,watcher,listed,@names all cert
hostssl all         plain      0.0.0.0/0 cert
hostssl all         mapped     all cert map=plain
hostssl all         pattern    all cert map=regex
hostssl all         byname     all cert clientname=DN map=dn
hostssl all         byregex    all cert map=dnregex \
    clientname=DN
hostssl all         verified   all trust clientcert=verify-full   # clientname=DN is only said here
hostssl all         anyname    all trust clientcert=verify-ca
hostssl all         +staff     all cert
hostssl all         svc_owner  all cert map=dn clientname=DN
hostssl all         weird      all cert map=weird
hostssl all         wrongmap   all cert map=plain
hostssl all         nomap      all cert map=nowhere
hostssl all         unmapped   all cert map=regex
hostssl all         asname     all cert clientname=DN
hostssl all         trusting   all trust clientcert=verify-full clientname=DN
hostssl all         captureless all cert map=captureless
hostssl all         renamed    all cert clientname=DN map=dn
hostssl all         moving     all cert clientname=DN map=dn
hostssl all         secret     all scram-sha-256
hostssl all         shadowed   127.0.0.0/8 cert
hostssl all         shadowed   127.0.0.0/9 cert map=nowhere
END
}

ident() {
  cat <<'END'
plain    mapped    mapped
plain    other     wrongmap
regex    /^(p.*n)$ \1
dn       "CN=byname,O=Acme,C=NL" byname
dn       "CN=svc,O=Acme,C=NL" svc_owner
dn       "CN=renamed,O=Other,C=NL" renamed
dn       "CN=moving,O=Acme,C=NL" moving
dnregex  "/^CN=(?:svc-)?(\w+),\s*O=Acme,.*$" \1
weird    /^(?=we)(.*)$ \1
captureless /^captureless$ \1
captureless captureless captureless
END
}

start_primary() {
  local user
  mkdir -p "$T/db1"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$T/db1"
  make_pg "$T/db1/data" "$ADDRESS1" "$PORT" "ssl_ca_file = 'root.crt'" "unix_socket_directories = '$T/db1'" \
    "wal_level = logical" "max_wal_senders = 6"
  echo grouped2 | rules 1 names
  hba | rules 1 pg_hba.conf
  ident | rules 1 pg_ident.conf
  run_pg "$T/db1/data"
  STARTED=yes
  for user in $CLIENTS svc_owner; do
    [ "$user" = "$SERVER_USER" ] || [ "$user" = svc ] || quietly socket 1 "CREATE ROLE $user LOGIN"
  done
  quietly socket 1 "ALTER ROLE postgres SUPERUSER; ALTER ROLE replicator REPLICATION; ALTER ROLE secret PASSWORD 'geheim'"
  quietly socket 1 "CREATE ROLE squad; CREATE ROLE staff; GRANT staff TO squad; GRANT squad TO grouped"
}

start_copy() {
  local files=$T/homes/replicator/.postgresql
  mkdir -p "$T/db2"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$T/db2"
  as_server "$PG_BIN/pg_basebackup" -D "$T/db2/data" -R -c fast -X stream --no-sync \
    -d "host=$T/db1 port=$PORT user=$SERVER_USER" || die "no copy for db2"
  configure_pg "$T/db2/data" "$ADDRESS2" "$PORT" "unix_socket_directories = '$T/db2'"
  printf 'local all all trust\nhostssl all postgres,watcher all cert\n' | STARTED='' rules 2 pg_hba.conf
  run_pg "$T/db2/data"
  quietly socket 2 "ALTER SYSTEM SET primary_conninfo = 'host=$DB1 hostaddr=$ADDRESS1 port=$PORT user=replicator password=tr\\\\ickyone \
sslmode=verify-full sslcert=$files/postgresql.crt sslkey=$files/postgresql.key sslrootcert=$files/root.crt'"
}

turn_tls_on() {
  quietly socket "$1" "ALTER SYSTEM SET ssl = on"
  quietly socket "$1" "SELECT pg_reload_conf()"
}

# ---- logins -----------------------------------------------------------------------------------------------------

login() { # USER [ROLE]: with the files that the user has now
  local files=$T/homes/$1/.postgresql
  PGPASSWORD=geheim "$PG_BIN/psql" -XAtq "host=$DB1 hostaddr=$ADDRESS1 port=$PORT user=${2:-$1} dbname=postgres \
sslmode=verify-full sslcert=$files/postgresql.crt sslkey=$files/postgresql.key sslrootcert=$files/root.crt" -c 'SELECT 1'
}

refused() { # MESSAGE USER
  local out
  ! out=$(login "$2" 2>&1) && case $out in *"$1"*) ;; *)
    echo "$out"
    return 1
    ;;
  esac
}

# Of the findings "client-mapping": "SEVERITY SUBJECT", sorted.
mappings() {
  rotate prove --json 2>"$T/prove.err" >"$T/prove.json"
  /usr/bin/python3 -c '
import json, sys
findings = json.load(open(sys.argv[1]))["findings"]
print("\n".join(sorted("%s %s" % (f["severity"], f["subject"]) for f in findings if f["check"] == "client-mapping")))' "$T/prove.json"
}

warned() {
  local user
  for user in $1; do echo "warning client $user"; done | sort
}

# ---- a new generation whose certificate has another name ----------------------------------------------------------

# Signs a leaf of generation 2 anew, with another organisation: what a team does that takes a leaf from elsewhere.
rename_moving() {
  (
    umask 077
    mkdir -p "$T/resign"
    cd "$R" || exit 1
    ansible-vault view .certrotate/poc/g2.ca.vault.yml >"$T/resign/ca.yml" &&
      ansible-vault view .certrotate/poc/g2.vault.yml >"$T/resign/keys.yml" &&
      resign .certrotate/poc/g2.yml "$T/resign"
  ) || die "moving has no certificate of another name"
  rm -rf "$T/resign"
  team_commits "poc: a certificate for moving from elsewhere"
}

resign() { # FILE FOLDER
  /usr/bin/python3 - "$@" <<'PY'
import hashlib, subprocess, sys, yaml
path, work = sys.argv[1:]

def write(name, value):
    with open(work + "/" + name, "w") as stream:
        stream.write(value)
    return work + "/" + name

def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True).stdout

def lines_of(pem):
    lines = [line.strip() for line in pem.splitlines()]
    return lines[lines.index("-----BEGIN CERTIFICATE-----"):lines.index("-----END CERTIFICATE-----") + 1]

text = open(path).read()
certs = yaml.safe_load(text)["certs"]["client"]
key = write("leaf.key", yaml.safe_load(open(work + "/keys.yml"))["private_keys"]["client"]["moving"])
ca_key = write("ca.key", yaml.safe_load(open(work + "/ca.yml"))["ca_keys"]["client"]["key"])
ca = write("ca.crt", "\n".join(lines_of(certs["chain"])) + "\n")
extensions = write("extensions", "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                   "extendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nsubjectAltName=DNS:moving\n")
run("openssl", "req", "-new", "-key", key, "-subj", "/C=NL/O=Acme BV/CN=moving", "-out", work + "/request")
new = run("openssl", "x509", "-req", "-in", work + "/request", "-CA", ca, "-CAkey", ca_key, "-set_serial", "0x1234567890abcdef1234",
          "-days", "30", "-extfile", extensions)
old, lines = lines_of(certs["moving"]), text.splitlines()
at = next(i for i in range(len(lines)) if [line.strip() for line in lines[i:i + len(old)]] == old)
indent = lines[at][:len(lines[at]) - len(lines[at].lstrip())]
lines[at:at + len(old)] = [indent + line for line in lines_of(new)]
body = "\n".join(lines[:-1]) + "\n"
with open(path, "w") as stream:
    stream.write('%ssum: "sha256:%s"\n' % (body, hashlib.sha256(body.encode()).hexdigest()))
PY
}

# ---- the tests --------------------------------------------------------------------------------------------------

every_verdict_is_a_real_login() {
  local user
  check 'a generation is made' exits 0 go
  check 'those who fail today are named, and nobody else' is "$(mappings)" "$(warned "$FAILING")"
  for user in $FITTING; do
    [ "$user" = svc ] || check "$user, of whom nothing is said, gets in" login "$user"
  done
  check 'svc gets in as the role that the map gives' login svc svc_owner
  for user in $FAILING; do
    [ "$user" = trusting ] || check "$user, who is named, is refused" refused 'certificate authentication failed' "$user"
  done
  check 'trusting, who is named, is refused by name, too' refused '"trust" authentication failed' trusting
  check 'secret gets in with a password' login secret
  check 'nowhere has no line' refused 'no pg_hba.conf entry' nowhere
  check 'shadowed gets in by the first of two lines' login shadowed
  check 'plan asks nobody' exits 0 rotate plan
  check 'and so does not know' not_said 'client wrongmap'
  check 'prove names line and map' exits 0 rotate -v prove
  check 'and what to do' said "client wrongmap: on $DB1, pg_hba.conf line 16 (hostssl all wrongmap all cert map=plain), map 'plain', does not let in the CN 'wrongmap'" \
    'the login fails today and will fail' \
    "pg_hba.conf line 22 (hostssl all renamed all cert clientname=DN map=dn), map 'dn', does not let in the DN 'CN=renamed,O=Acme,C=NL'"
}

servers_that_are_clients_are_listed() {
  local files=$T/homes/replicator/.postgresql
  quietly socket 1 "CREATE DATABASE shop"
  quietly socket 1 "CREATE EXTENSION postgres_fdw; CREATE SERVER stock FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'stock.example.com', \
sslrootcert '/etc/tls/root.crt'); CREATE USER MAPPING FOR plain SERVER stock OPTIONS (user 'stock_reader', password 'opensesame', sslcert '/etc/tls/stock.crt', \
sslkey '/etc/tls/stock.key'); CREATE SERVER open FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'open.example.com'); \
CREATE EXTENSION dblink; CREATE SERVER links FOREIGN DATA WRAPPER dblink_fdw OPTIONS (host 'links.example.com', sslcert '/etc/tls/links.crt')" shop
  quietly socket 1 "CREATE SUBSCRIPTION orders CONNECTION 'host=orders.example.com user=sub password=''abra \\''cadabra'' sslpassword=simsalabim \
sslcert=''/etc/tls/my sub.crt'' sslkey=/etc/tls/sub.key dbname=x' PUBLICATION p WITH (connect = false)" shop
  quietly socket 1 "CREATE SUBSCRIPTION by_uri CONNECTION 'postgresql://subber:hocuspocus@uri.example.com:5433/x?sslcert=%2Fetc%2Ftls%2Furi.crt&password=fidibus' \
PUBLICATION p WITH (connect = false)"
  check 'before trust they are said' exits 0 rotate -v prove
  check 'the standby' said "server $DB2: as a standby (primary_conninfo) it logs in to $DB1 as replicator with $files/postgresql.crt and $files/postgresql.key, and trusts $files/root.crt"
  check 'the subscription' said "server $DB1: subscription 'orders' (database shop) logs in to orders.example.com as sub with /etc/tls/my sub.crt and /etc/tls/sub.key" \
    "see that the rollout of 'trust' brings both chains to ~/.postgresql/root.crt there, before servers are switched"
  check 'one by URI' said "subscription 'by_uri' (database postgres) logs in to uri.example.com:5433 as subber with /etc/tls/uri.crt"
  check 'the foreign server in another database' said \
    "foreign server 'stock' (database shop) logs in to stock.example.com as stock_reader with /etc/tls/stock.crt and /etc/tls/stock.key, and trusts /etc/tls/root.crt"
  check 'and dblink' said "foreign server 'links' (database shop) logs in to links.example.com with /etc/tls/links.crt"
  check 'one without certificates is not' not_said 'open.example.com'
  check 'census lists them as well' exits 0 rotate census
  check 'as clients' said 'servers that are clients themselves, and have to be switched as well' \
    "$DB1: foreign server 'links' (database shop) logs in to links.example.com" "$DB2: as a standby (primary_conninfo) it logs in to $DB1"
  rotate census --json 2>/dev/null >"$T/census.json"
  check 'and in its document' is "$(/usr/bin/python3 -c '
import json, sys
for c in json.load(open(sys.argv[1]))["hidden_clients"]:
    if c["kind"] != "foreign-server" or c["server"] == "db1.example.com":
        print(c["kind"], c["server"], c["database"], c["name"], c["host"], c["user"], c["certificate"].split("/")[-1])' "$T/census.json")" \
    "$(printf '%s\n' 'subscription db1.example.com postgres by_uri uri.example.com:5433 subber uri.crt' \
      'subscription db1.example.com shop orders orders.example.com sub my sub.crt' \
      "standby db2.example.com   $DB1 replicator postgresql.crt" \
      'foreign-server db1.example.com shop links links.example.com  links.crt' \
      'foreign-server db1.example.com shop stock stock.example.com stock_reader stock.crt')"
}

# Databases of which there is nothing but the name: more of them than are looked into, and none that lets anybody in.
databases_that_cannot_be_looked_into_are_said() {
  quietly socket 1 "INSERT INTO pg_database SELECT (jsonb_populate_record(d, jsonb_build_object('oid', 90000 + n, 'datname', 'many' || n))).* \
FROM pg_database AS d, generate_series(1, 101) AS n WHERE d.datname = 'shop'"
  check 'a server with many databases' exits 0 rotate -v census
  quietly socket 1 "DELETE FROM pg_database WHERE oid > 90000 AND datname LIKE 'many%'"
  check 'is looked into as far as that goes' said "server $DB1: foreign servers of 2 of its databases were not looked at: there are too many"
  check 'and who does not let us in is named with the database' said \
    "server $DB1 (database many1): its foreign servers were not looked at: $DB1:$PORT" 'database "many1" does not exist' \
    "(the same on $DB1 (database many1), $DB1 (database many10), " 'let "postgres" in to every database'
}

# A role with no rights gets the grants that it is told of, and sees the same.
grants_open_what_is_closed() {
  logs_in_as watcher
  check 'a role without rights' exits 0 rotate -v prove
  check 'what was not looked at is said, and which grants would show it' said 'permission denied for view pg_hba_file_rules' \
    'GRANT SELECT ON pg_hba_file_rules, pg_ident_file_mappings TO "watcher"' \
    'primary_conninfo is not shown to user watcher' 'GRANT pg_read_all_settings TO "watcher"' \
    'GRANT SELECT (subconninfo) ON pg_subscription TO "watcher"' '(database shop): user mappings of its foreign servers are not shown to user watcher'
  check 'what needs no rights is still listed' said "foreign server 'links' (database shop)"
  check 'and nobody is judged' not_said 'client wrongmap'
  quietly socket 1 'GRANT SELECT ON pg_hba_file_rules TO watcher; GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO watcher; GRANT pg_read_all_settings TO watcher'
  check 'with the rules alone, maps are not known, which matters only where a name changes' is "$(mappings)" ''
  quietly socket 1 'GRANT SELECT ON pg_ident_file_mappings TO watcher; GRANT EXECUTE ON FUNCTION pg_ident_file_mappings() TO watcher;
    GRANT SELECT (subconninfo) ON pg_subscription TO watcher'
  check 'with the maps, whom neither CN nor DN lets in is known; without one it is taken to be the CN' is "$(mappings)" "$(warned 'wrongmap nomap unmapped captureless renamed')"
  quietly socket 1 'GRANT EXECUTE ON FUNCTION pg_read_file(text) TO watcher'
  check 'with the file, it is as a superuser sees it' is "$(mappings)" "$(warned "$FAILING")"
  check 'the rest too' exits 0 rotate -v prove
  check 'without a word about rights' not_said 'permission denied' 'primary_conninfo is not shown' 'GRANT'
  logs_in_as nowhere
  check 'a user who is not let in asks nothing' exits 0 rotate -v prove
  check 'which is said of both servers' said "its rules and its own logins were not looked at: $DB1:$PORT" 'no pg_hba.conf entry' \
    "(the same on $DB1, $DB2)" 'let login.user of certrotate.yml in from here with its certificate'
  logs_in_as postgres
}

a_user_who_would_be_shut_out_stops_the_phase() {
  local waive=(--waive 'leaf-subject=client moving:the new certificates have the new name')
  rename_moving
  check 'a certificate with another name than the old one' exits 3 go "${waive[@]}"
  check 'stops trust already, by name' said \
    "client moving: on $DB1, pg_hba.conf line 23 (hostssl all moving all cert clientname=DN map=dn), map 'dn', lets in the DN 'CN=moving,O=Acme,C=NL' of the old certificate as role moving, not the new one's 'CN=moving,O=Acme BV,C=NL'" \
    'add this line to pg_ident.conf there and reload: dn "CN=moving,O=Acme BV,C=NL" moving'
  check 'who knows better waives it by name' exits 0 go "${waive[@]}" --waive 'client-mapping=client moving:the map follows' --to trusted
  { ident && echo 'dn "CN=moving,O=Acme BV,C=NL" moving'; } | rules 1 pg_ident.conf
  check 'with both names in the map it goes on, to the last phase before clients switch' exits 0 go "${waive[@]}" --to servers-switched
  ident | rules 1 pg_ident.conf
  check 'somebody takes the line out again' exits 3 go "${waive[@]}"
  check 'clients do not switch' said 'clients does not begin: 1 finding in the way, the first: client moving' 'of the old certificate as role moving'
  check 'and what else logs in elsewhere is said' said 'brings the new certificate to /etc/tls/stock.crt and its key there'
  check 'moving still gets in' login moving
  { ident && echo 'dn "CN=moving,O=Acme BV,C=NL" moving'; } | rules 1 pg_ident.conf
  check 'with the line as it was advised, they switch' exits 0 go "${waive[@]}"
  check 'moving gets in with the new certificate' login moving
  ident | rules 1 pg_ident.conf
  check 'without it not' refused 'certificate authentication failed' moving
}

passwords_are_nowhere() {
  local word
  for word in ickyone opensesame abra cadabra simsalabim hocuspocus fidibus; do
    check_not "no $word in the repository, the records or anything that was said" \
      grep -rqF -- "$word" "$R" "$T/prove.json" "$T/census.json" "$T/prove.err" "$T/all.out"
  done
}

main() {
  need ansible-playbook ansible-core
  need git git
  begin access
  ME=$(id -un)
  ADDRESS1=127.$((RANDOM % 200 + 20)).9.1
  ADDRESS2=${ADDRESS1%.1}.2
  PORT=$(free_port "$ADDRESS1")
  make_repository
  start_primary
  quietly go --first
  quietly play "$DB1"
  turn_tls_on 1
  start_copy
  quietly play "$DB2"
  turn_tls_on 2
  every_verdict_is_a_real_login
  servers_that_are_clients_are_listed
  databases_that_cannot_be_looked_into_are_said
  grants_open_what_is_closed
  a_user_who_would_be_shut_out_stops_the_phase
  passwords_are_nowhere
  finish
}

main
