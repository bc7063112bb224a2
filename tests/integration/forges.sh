#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# Each call of each forge against that forge's own published description (tests/data/openapi), served by prism behind
# TLS: a path, method, parameter or field that the description does not know is an error, and so is a field that we read
# and no answer has. Skipped, and said, where tools/prism did not fetch prism.
#
#   tests/integration/forges.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
BUILD=$(cd "${1:-build}" && pwd) || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
PRISM=$BUILD/prism/node_modules/.bin/prism
if [ ! -x "$PRISM" ] || ! command -v node >/dev/null; then
  echo "skipped: $PRISM is missing (tools/prism fetches it from npm): the forges' calls are held against no description"
  exit 0
fi
begin forges
[ -x "$BUILD/tests/forges" ] || die "$BUILD/tests/forges is missing: make $BUILD/tests/forges"
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || die "install the package python3-cryptography"

PIDS=()
test_ends() {
  local pid
  for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null; done
}

answers() { # PORT: prism does, with whatever
  /usr/bin/python3 -c 'import http.client, sys; c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=5); c.request("GET", "/"); c.getresponse()' "$1" 2>/dev/null
}

# start KIND FILE
declare -A PORT=()
start() {
  PORT[$1]=$(free_port 127.0.0.1)
  node "$PRISM" mock -h 127.0.0.1 -p "${PORT[$1]}" "tests/data/openapi/$2" >"$T/$1.log" 2>&1 &
  PIDS+=($!)
}

# serve KIND: behind TLS, once prism has read the description
serve() {
  local port=${PORT[$1]}
  until_true 180 answers "$port" || die "prism did not start: $(tail -n 3 "$T/$1.log")"
  /usr/bin/python3 tests/support/prism.py "$T/$1" "$1" "$port" <"$T/life" >"$T/$1.proxy" 2>&1 &
  PIDS+=($!)
  until_true 60 test -s "$T/$1/port" || die "its proxy did not start: $(cat "$T/$1.proxy")"
}

ask() { # KIND CALL
  FORGES_TOKEN=a-token "$BUILD/tests/forges" "$1" "https://localhost:$(cat "$T/$1/port")" "$T/$1/ca.pem" "$2"
}

mkfifo "$T/life"
sleep 900 >"$T/life" &
PIDS+=($!)
start gitlab gitlab.yaml
start github github.json
start forgejo forgejo.json
for kind in gitlab github forgejo; do
  serve "$kind"
  check "$kind: opened" exits 0 ask "$kind" open
  check "$kind: as it is" said '17 open'
  check "$kind: found again" exits 0 ask "$kind" find
  check "$kind: as it is" said '17 open'
  check "$kind: its text is written anew" exits 0 ask "$kind" update
  echo merged >"$T/$kind/state"
  check "$kind: merged" exits 0 ask "$kind" get
  check "$kind: seen" said '17 merged'
  check "$kind: commented" exits 0 ask "$kind" comment
  echo open >"$T/$kind/state"
  check "$kind: closed by us" exits 0 ask "$kind" close
  echo closed >"$T/$kind/state"
  check "$kind: closed" exits 0 ask "$kind" find
  check "$kind: seen" said '17 closed'
  check "$kind: nothing was against its description" bash -c "! grep -v ' 20[01] \$' '$T/$kind/calls'"
  check "$kind: with every kind of call" is "$(cut -d ' ' -f 1 "$T/$kind/calls" | sort -u | tr '\n' ' ')" "GET $([ "$kind" = gitlab ] || echo 'PATCH ')POST $([ "$kind" != gitlab ] || echo 'PUT ')"
done
# The check itself: what the descriptions do not have is found out.
check_not 'a call without a token is refused where the description says so' \
  /usr/bin/python3 -c 'import ssl, sys, urllib.request; urllib.request.urlopen(sys.argv[1], context=ssl._create_unverified_context())' \
  "https://localhost:$(cat "$T/gitlab/port")/api/v4/projects/dba%2Finventory/merge_requests"
check_not 'and one without a title' \
  /usr/bin/python3 -c 'import ssl, sys, urllib.request; urllib.request.urlopen(urllib.request.Request(sys.argv[1], b"{\"source_branch\": \"a\", \"target_branch\": \"b\"}", {"Authorization": "Bearer x", "Content-Type": "application/json"}), context=ssl._create_unverified_context())' \
  "https://localhost:$(cat "$T/gitlab/port")/api/v4/projects/dba%2Finventory/merge_requests"
finish
