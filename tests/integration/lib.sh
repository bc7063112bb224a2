# SPDX-License-Identifier: PostgreSQL
# shellcheck shell=bash
#
# What the integration tests share: a temporary directory that is removed however the test ends, real PostgreSQL
# servers, chains made with openssl as chainsmith makes them, and the count at the end. To be sourced.
#
#   begin NAME             makes $T; from here on everything started is ended and removed on exit, INT and TERM
#   make_chain DIR G       root, intermediates `server` and `client`: DIR/{server,client}.chain (P-256)
#   make_leaf DIR KIND NAME [SAN]   DIR/KIND/NAME.{crt,key}
#   start_pg DATA ADDRESS PORT [LINE...]   a server with these lines in its configuration
#   start_standby DATA ADDRESS PORT CONNINFO
#   check WHAT COMMAND...  passes where the command does; check_not where it fails; finish prints the count
#   exits CODE COMMAND...  passes where it ends with that; what it said stays for said TEXT... and not_said TEXT...
#   quietly COMMAND...     ends the test where it fails; is A B compares

bin=${PG_BIN:-/usr/lib/postgresql/15/bin}
unset "${!PG@}"
PG_BIN=$bin
PASSED=0
FAILED=0
SERVERS=()
# For every ansible.cfg: left alone Ansible asks its workers a thousand times a second whether they have ended, which is a
# fifth of the processors' time where many tests run at once.
# shellcheck disable=SC2034 # for those who source this
ANSIBLE_DEFAULTS='interpreter_python = /usr/bin/python3
internal_poll_interval = 0.02'

die() {
  echo "$*" >&2
  exit 1
}

need() {
  local program=$1 package=$2
  command -v "$program" >/dev/null || die "$program is missing: install the package $package"
}

begin() {
  need openssl openssl
  need setpriv util-linux
  [ -x "$PG_BIN/postgres" ] || die "$PG_BIN/postgres is missing: install the package postgresql-15"
  T=$(mktemp -d "${TMPDIR:-/tmp}/certrotate-$1.XXXXXX")
  chmod 755 "$T"
  [ ${#T} -le 80 ] || die "$T: this path is too long for a server's socket: set TMPDIR to a shorter one"
  SERVER_USER=$(id -un)
  [ "$(id -u)" != 0 ] || SERVER_USER=postgres
  trap 'end_all' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# Servers are ended by their data directory, never by a name.
end_all() {
  local data
  trap '' INT TERM
  if declare -F test_ends >/dev/null; then test_ends; fi
  for data in "${SERVERS[@]}"; do
    as_server "$PG_BIN/pg_ctl" -D "$data" -m immediate -w stop >/dev/null 2>&1 || true
  done
  rm -rf "$T"
}

# Runs a program as the user whom the servers run as.
as_server() {
  if [ "$(id -un)" = "$SERVER_USER" ]; then
    (cd / && "$@")
  else
    (cd / && setpriv --reuid "$SERVER_USER" --regid "$(id -gn "$SERVER_USER")" --init-groups -- "$@")
  fi
}

# A port below the range that the system gives to outgoing connections, free on this address.
free_port() {
  /usr/bin/python3 - "$1" <<'PY'
import random, socket, sys
for _ in range(200):
    port = random.randrange(20000, 32000)
    with socket.socket() as s:
        try:
            s.bind((sys.argv[1], port))
        except OSError:
            continue
    print(port)
    break
else:
    sys.exit("no free port on " + sys.argv[1])
PY
}

make_key() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null
  chmod 600 "$1"
}

# make_certificate FILE KEY SUBJECT ISSUER EXTENSIONS [DAYS]; ISSUER is a path without its ending.
make_certificate() {
  local file=$1 key=$2 subject=$3 issuer=$4 extensions=$5 days=${6:-30}
  openssl req -new -key "$key" -subj "$subject" -out "$file.csr"
  printf 'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n%b' "$extensions" >"$file.ext"
  if [ "$issuer" = self ]; then
    openssl x509 -req -in "$file.csr" -signkey "$key" -days "$days" -extfile "$file.ext" -out "$file" 2>/dev/null
  else
    openssl x509 -req -in "$file.csr" -CA "$issuer.crt" -CAkey "$issuer.key" -set_serial "0x$(openssl rand -hex 15)" \
      -days "$days" -extfile "$file.ext" -out "$file" 2>/dev/null
  fi
  rm -f "$file.csr" "$file.ext"
}

make_chain() {
  local dir=$1 generation=$2 kind
  mkdir -p "$dir/server" "$dir/client"
  make_key "$dir/root.key"
  make_certificate "$dir/root.crt" "$dir/root.key" "/O=Acme/CN=root $generation" self \
    'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n'
  for kind in server client; do
    make_key "$dir/$kind.key"
    make_certificate "$dir/$kind.crt" "$dir/$kind.key" "/O=Acme/CN=$kind $generation" "$dir/root" \
      'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n'
    cat "$dir/$kind.crt" "$dir/root.crt" >"$dir/$kind.chain"
  done
}

make_leaf() {
  local dir=$1 kind=$2 name=$3 names=${4:-DNS:$3}
  make_key "$dir/$kind/$name.key"
  make_certificate "$dir/$kind/$name.crt" "$dir/$kind/$name.key" "/O=Acme/CN=$name" "$dir/$kind" \
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=${kind}Auth\nsubjectAltName=$names\n"
}

# Where make_pg puts its socket, and how psql gets in as the superuser.
make_pg() {
  local data=$1 address=$2 port=$3
  shift 3
  mkdir -p "$(dirname "$data")"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$(dirname "$data")"
  as_server "$PG_BIN/initdb" -D "$data" -U "$SERVER_USER" -A trust --no-sync --locale=C -E UTF8 >/dev/null
  configure_pg "$data" "$address" "$port" "$@"
}

configure_pg() {
  local data=$1 address=$2 port=$3 line
  shift 3
  {
    echo "listen_addresses = '$address'"
    echo "port = $port"
    echo "unix_socket_directories = '$T'"
    echo "fsync = off"
    echo "max_connections = 40"
    echo "shared_buffers = 16MB"
    for line in "$@"; do echo "$line"; done
  } | as_server tee -a "${PG_CONFIG:-$data/postgresql.conf}" >/dev/null
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$T"
}

run_pg() {
  local data=$1 config=${2:-$1}
  SERVERS+=("$data")
  as_server "$PG_BIN/pg_ctl" -D "$config" -l "${PG_LOG:-$data/server.log}" -w -t 60 start >/dev/null ||
    die "PostgreSQL did not start: $(tail -n 3 "${PG_LOG:-$data/server.log}")"
}

start_pg() {
  make_pg "$@"
  run_pg "$1"
}

start_standby() {
  local data=$1 address=$2 port=$3 conninfo=$4
  mkdir -p "$(dirname "$data")"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$(dirname "$data")"
  as_server "$PG_BIN/pg_basebackup" -D "$data" -d "$conninfo" -R -c fast -X stream --no-sync
  configure_pg "$data" "$address" "$port"
  run_pg "$data"
}

# sql PORT STATEMENT, over the socket in $T as the superuser
sql() {
  as_server "$PG_BIN/psql" -XAtq -h "$T" -p "$1" -U "$SERVER_USER" -d postgres -c "$2"
}

until_true() {
  local seconds=$1 end
  shift
  end=$(($(date +%s) + seconds))
  until "$@"; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 0.1
  done
}

check() {
  local what=$1
  shift
  if "$@" >"$T/check.out" 2>&1; then
    PASSED=$((PASSED + 1))
    echo "ok: $what"
  else
    FAILED=$((FAILED + 1))
    echo "FAILED: $what"
    sed 's/^/    /' "$T/check.out" | tail -n 20
  fi
}

check_not() {
  local what=$1
  shift
  check "$what" not "$@"
}

not() {
  ! "$@"
}

quietly() {
  "$@" >"$T/last.out" 2>&1 || {
    tail -n 40 "$T/last.out" >&2
    die "failed: $*"
  }
}

is() {
  [ "$1" = "$2" ] || {
    echo "'$1' is not '$2'"
    return 1
  }
}

exits() {
  local want=$1 got=0
  shift
  "$@" >"$T/said" 2>&1 || got=$?
  [ "$got" = "$want" ] || {
    echo "exit code $got, not $want"
    cat "$T/said"
    return 1
  }
}

# What the last command said, line ends aside: each of these texts.
said() {
  local text
  for text in "$@"; do
    tr -s '\n ' ' ' <"$T/said" | grep -qF -- "$text" || {
      echo "not said: $text"
      cat "$T/said"
      return 1
    }
  done
}

not_said() {
  local text
  for text in "$@"; do
    ! tr -s '\n ' ' ' <"$T/said" | grep -F -- "$text" || return 1
  done
}

finish() {
  echo "$PASSED passed, $FAILED failed"
  [ "$FAILED" = 0 ] && [ "$PASSED" -gt 0 ]
}
