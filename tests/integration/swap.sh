#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# A client's pair is swapped again and again while three clients log in with it as fast as they can: behind a file
# lease none of them may ever find half of a pair. Two bare renames must be seen to fail, or this proves nothing.
# SWAPS=500 tests/integration/swap.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
BUILD=${1:-build}
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

SWAPS=${SWAPS:-150}
LOAD_PID=

test_ends() {
  [ -z "$LOAD_PID" ] || kill "$LOAD_PID" 2>/dev/null
  LOAD_PID=
}

server() {
  make_chain "$T/ca" g1
  make_leaf "$T/ca" server db1.example.com
  make_leaf "$T/ca" client reporter
  mkdir -p "$T/pairs" "$T/home"
  mv "$T/ca/client/reporter.crt" "$T/pairs/0.crt"
  mv "$T/ca/client/reporter.key" "$T/pairs/0.key"
  make_leaf "$T/ca" client reporter
  mv "$T/ca/client/reporter.crt" "$T/pairs/1.crt"
  mv "$T/ca/client/reporter.key" "$T/pairs/1.key"
  cp "$T/pairs/0.crt" "$T/home/postgresql.crt"
  cp -p "$T/pairs/0.key" "$T/home/postgresql.key"
  cp "$T/ca/server.chain" "$T/home/root.crt"
  PORT=$(free_port 127.0.0.2)
  make_pg "$T/pg" 127.0.0.2 "$PORT" "ssl = on" "ssl_ca_file = 'root.crt'"
  as_server tee "$T/pg/server.crt" <"$T/ca/server/db1.example.com.crt" >/dev/null
  as_server sh -c "umask 077; cat >'$T/pg/server.key'" <"$T/ca/server/db1.example.com.key"
  as_server tee "$T/pg/root.crt" <"$T/ca/client.chain" >/dev/null
  printf 'local all all trust\nhostssl all all 127.0.0.0/8 cert clientcert=verify-full\n' |
    as_server tee "$T/pg/pg_hba.conf" >/dev/null
  run_pg "$T/pg"
  sql "$PORT" "CREATE ROLE reporter LOGIN"
}

swaps() {
  /usr/bin/python3 - "$ROOT/playbooks/module_utils" "$T" "$@" <<'PY'
import collections, sys, time
import ansible.module_utils
ansible.module_utils.__path__.append(sys.argv[1])
from ansible.module_utils.certrotate_swap import Place, swap_pair
folder, count, lease, settle = sys.argv[2], int(sys.argv[3]), sys.argv[4] == "lease", float(sys.argv[5])
how = collections.Counter()
for number in range(1, count + 1):
    parts, place = [], Place(folder + "/home")
    for ending in ("crt", "key"):
        with open("%s/pairs/%d.%s" % (folder, number % 2, ending), "rb") as stream:
            content = stream.read()
        name = "postgresql." + ending
        parts.append((place, place.temporary(name, content, 0o600, place.uid, place.gid), name, content))
    how[swap_pair(parts[0][:3], parts[1][:3], parts[0][3], settle, lease)] += 1
    place.close()
    time.sleep(0.01)
print(", ".join("%d by %s" % (number, name) for name, number in how.items()))
PY
}

# run COUNT lease|rename SETTLE: leaves LOGINS and REFUSED
run() {
  local client=$T/home
  rm -f "$T/load.log"
  "$BUILD/demo-load" "$T/load.log" 1000-1000 "reporter=$client" "reporter=$client" "reporter=$client" -- \
    "db1.example.com=127.0.0.2:$PORT" &
  LOAD_PID=$!
  sleep 0.5
  HOW=$(swaps "$@")
  kill "$LOAD_PID" && wait "$LOAD_PID"
  LOAD_PID=
  LOGINS=$(wc -l <"$T/load.log")
  REFUSED=$(grep -c ' failed: ' "$T/load.log")
  echo "$2: $1 swaps ($HOW), $LOGINS logins, $REFUSED failed"
  grep ' failed: ' "$T/load.log" | head -n 2
}

main() {
  begin swap
  make -s BUILD="$BUILD" "$BUILD/demo-load" || die "demo-load cannot be built"
  server
  run "$SWAPS" lease 0.15
  check "the lease was granted for most swaps" test "${HOW%% by lease*}" -ge $((SWAPS * 9 / 10))
  check "no login found half of a pair" test "$REFUSED" = 0
  check "there were logins enough to tell" test "$LOGINS" -gt $((SWAPS * 2))
  # The control: as many as it takes to hit the moment.
  for _ in {1..20}; do
    run 100 rename 0
    [ "$REFUSED" = 0 ] || break
  done
  check "without the lease some did" test "$REFUSED" -gt 0
  finish
}

main
