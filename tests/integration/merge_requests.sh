#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# A whole rotation in flow merge_request over a bare remote, with a small forge beside it (tests/support/forge.py): merge
# requests are opened, found again, merged by hand as a merge commit, a squash and a rebase, with the branch deleted and
# not, closed, and commented with the evidence; and what happens when the forge fails. Nothing is rolled out here: the
# hosts are rotation.sh's business.
#
#   tests/integration/merge_requests.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
BUILD=$(cd "${1:-build}" && pwd) || exit 1
ROOT=$PWD
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/lib_repository.sh
. tests/integration/lib_repository.sh
begin merge-requests
need git git
[ -x "$BUILD/certrotate" ] || die "$BUILD/certrotate is missing: make all"
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || die "install the package python3-cryptography"

LIFE=
FORGE_PID=
test_ends() {
  [ -z "$FORGE_PID" ] || kill "$FORGE_PID" 2>/dev/null
  [ -z "$LIFE" ] || kill "$LIFE" 2>/dev/null
}

# forge_of KIND: another forge beside the same remote, and the configuration for it
forge_of() {
  [ -z "$FORGE_PID" ] || kill "$FORGE_PID"
  FORGE=$T/$1
  mkdir -p "$FORGE"
  /usr/bin/python3 "$ROOT/tests/support/forge.py" "$FORGE" "$1" "$T/remote.git" <"$T/life" >"$FORGE/log" 2>&1 &
  FORGE_PID=$!
  until_true 60 test -s "$FORGE/port" || die "the forge did not start: $(cat "$FORGE/log")"
  printf 'a-secret-token\n' >"$T/token"
  chmod 600 "$T/token"
  configure "kind: $1, project: dba/inventory, token_file: $T/token, ca_file: $FORGE/ca.pem,
             url: \"https://localhost:$(cat "$FORGE/port")/git\""
}

configure() { # KEYS of git.forge
  cat >"$R/certrotate.yml" <<EOF
version: 1
defaults:
  endpoints: []
  census: {samples: 0}
  rollout: {trust: [], servers: [], clients: [], prune: [], check: []}
  git:
    flow: merge_request
    forge: {$1}
EOF
  git -C "$R" add -A && git -C "$R" commit -q -m "forge" && git -C "$R" push -q -u origin HEAD:dev
}

# asked EXPRESSION: Python's value of it, with the forge's merge requests as r
asked() {
  /usr/bin/python3 -c "import json,sys; r=json.load(open(sys.argv[1])); print($1)" "$FORGE/requests"
}

mark() { # STATE: of the newest merge request, as somebody makes it
  /usr/bin/python3 - "$FORGE/requests" "$1" <<'PY'
import json, os, sys
r = json.load(open(sys.argv[1]))
r[-1]["state"] = sys.argv[2]
json.dump(r, open(sys.argv[1] + ".new", "w"))
os.rename(sys.argv[1] + ".new", sys.argv[1])
PY
}

calls() { # PATTERN: how many calls of that kind there were
  grep -cE -- "$1" "$FORGE/calls" || true
}

# merge HOW: what the newest merge request is about comes onto dev
merge() {
  local branch
  branch=$(asked 'r[-1]["source"]')
  (
    cd "$T/reviewer" && git pull -q && git fetch -q -p || exit 1
    case $1 in
    squash*) git merge -q --squash "origin/$branch" && git commit -qm "$(asked 'r[-1]["title"]')" ;;
    rebase*) echo "$branch" >>CHANGES && git add CHANGES && git commit -qm other && git cherry-pick "origin/$branch" >/dev/null ;;
    *) git merge -q --no-ff -m "merge $branch" "origin/$branch" ;;
    esac && git push -q || exit 1
    case $1 in *-deleted) git push -q origin --delete "$branch" ;; esac
  )
}

# phase HOW: opened, merged, done, commented
phase() {
  exits 3 go next && said "once it is merged, type 'certrotate next' again" &&
    merge "$1" && mark merged && exits 0 go next && is "$(asked 'len(r[-1]["comments"])')" 1
}

# The environment, with an own chain from the start.
new_repository
mkfifo "$T/life"
sleep 600 >"$T/life" &
LIFE=$!
cat >"$R/config/chainsmith_poc.yml" <<'EOF'
key: ecdsa-p256
subject: {C: NL, O: Acme, CN: acme}
intermediates:
  - name: server
    servers: {db1.example.com: [], db2.example.com: []}
    extendedKeyUsages: [serverAuth]
  - name: client
    clients: [postgres, app]
    extendedKeyUsages: [clientAuth]
EOF
printf 'all:\n  hosts:\n    db1.example.com:\n    db2.example.com:\n' >"$R/environments/poc/hosts"
forge_of gitlab
git clone -q "$T/remote.git" "$T/reviewer"

# ---------------------------------------------------------------- a first chain
check 'the first chain is a merge request too' exits 3 go next --first
check 'it was opened' is "$(asked 'len(r), r[0]["state"], r[0]["target"], r[0]["title"]')" "1 open dev certrotate poc: first"
check 'what is awaited is named with its page' said 'waiting for the merge of certrotate/poc-first-r' "merge request !1 (https://localhost:$(cat "$FORGE/port")/git/dba/inventory/1) is open"
check 'asked again it is found again' exits 3 go next --first
check 'and not opened twice' is "$(asked 'len(r)') $(calls '^POST .*/merge_requests ')" '1 1'
cp "$FORGE/calls" "$T/calls.before"
check 'status shows it' exits 3 rotate status
check 'with the page, as it was seen last' said 'merge request !1 (https://localhost' ') was open at 20'
check 'without asking the forge' cmp "$FORGE/calls" "$T/calls.before"
asked 'r[0]["text"]' >"$T/text"
check 'its text begins with what finds it again' bash -c "head -n 1 '$T/text' | grep -qE '^<!-- certrotate [0-9TZ]+-[0-9a-f]+/first/forward [0-9a-f]{40} -->\$'"
# shellcheck disable=SC2016 # Markdown's
check 'says what changes' grep -qF -- '- `environments/poc/group_vars/all/certs.yml`' "$T/text"
check 'how many' grep -qF '2 servers, 2 clients' "$T/text"
check 'what was proven' grep -qE 'Proven before: [0-9]+ leaves' "$T/text"
# shellcheck disable=SC2016 # Markdown's
check 'who opened it' grep -qF 'Opened by `A DBA <dba@example.com>`' "$T/text"
check 'until when the chain is good' bash -c "grep -qE '^\\| .C=NL, O=Acme, CN=.*\\| 20[0-9]{2}-[0-9]{2}-[0-9]{2} \\|\$' '$T/text' && grep -qE '^\\| 2 servers \\| 20' '$T/text'"
check 'what to type' grep -qx '    certrotate next --env poc' "$T/text"
check 'and no key' bash -c "! grep -q 'PRIVATE\|ANSIBLE_VAULT' '$T/text'"
merge commit
mark merged
check 'merged by hand it goes on' exits 0 go next --first
check 'the evidence was posted' is "$(asked 'len(r[0]["comments"])')" 1
asked 'r[0]["comments"][0]' >"$T/text"
# shellcheck disable=SC2016 # Markdown's
check 'it says what came of it' grep -qF '**completed**: `first` in `poc`. The state is now `idle`' "$T/text"
check 'with its marker' bash -c "head -n 1 '$T/text' | grep -q '^<!-- certrotate .*/first/forward evidence -->\$'"

# ---------------------------------------------------------------- a rotation
check 'generate by merge commit' phase commit
check 'trust by squash, the branch deleted' phase squash-deleted

# Closed without a merge.
check 'servers is opened' exits 3 go next
CLOSED=$(asked 'r[-1]["source"]')
mark closed
check 'closed: abandoned, and said so' exits 3 go next
check 'by name and page' said 'merge request !4 https://localhost' 'was closed without being merged: the phase is abandoned' "its branch $CLOSED was taken back" "'certrotate next' begins it afresh"
check 'the branch is gone' is "$(git -C "$T/remote.git" for-each-ref "refs/heads/$CLOSED")" ''
check 'the state is what it was' is "$(rotate status --json | /usr/bin/python3 -c 'import json,sys; print(json.load(sys.stdin)["environments"][0]["state"])')" trusted
check 'it begins afresh, with another one' exits 3 go next
check 'which is' is "$(asked 'len(r), r[-1]["state"], r[-2]["state"]')" '5 open closed'

# Taken back.
check 'revert takes it back' exits 0 go revert
check 'and closes it' is "$(asked 'r[-1]["state"]')" closed
check 'the branch is gone' is "$(git -C "$T/remote.git" for-each-ref 'refs/heads/certrotate/poc-servers*')" ''

# The answer of the forge is lost: it is not opened twice.
echo lost >"$FORGE/fail"
check 'an answer that is lost is looked for' exits 3 go next
rm "$FORGE/fail"
check 'one was opened' is "$(asked 'len(r), r[-1]["state"]')" '6 open'
check 'asked for, and found' said 'merge request !6 '
check 'and found again' bash -c "'$BUILD/certrotate' -C '$R' next --yes; [ \$? = 3 ]"
check 'still once' is "$(asked 'len(r)')" 6

# People's own words stay; what was written about another commit does not.
/usr/bin/python3 - "$FORGE/requests" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
r[-1]["text"] = r[-1]["text"].replace("servers/forward ", "servers/forward old-")
json.dump(r, open(sys.argv[1], "w"))
PY
check 'a text about another commit' exits 3 go next
check 'is written anew' bash -c "[ $(asked 'r[-1]["text"].count("servers/forward old-")') = 0 ]"
/usr/bin/python3 - "$FORGE/requests" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
r[-1]["text"] = "see ticket 42"
json.dump(r, open(sys.argv[1], "w"))
PY
check 'a text by people' exits 3 go next
check 'stays' is "$(asked 'r[-1]["text"]')" 'see ticket 42'

# The forge says merged, and the base has nothing of it.
mark merged
check 'git is the truth' exits 3 go next
check 'and both are said' said 'GitLab says that merge request !6' 'but dev on origin does not have it'
check 'nothing was opened for it' is "$(asked 'len(r)')" 6

# Merged, and the forge does not know: that is enough. Its evidence comes when the forge is back.
merge rebase
echo 500 >"$FORGE/fail"
check 'servers by rebase, the forge away' exits 0 go next
check 'says that the evidence waits' said 'the evidence was not posted to the merge request' 'the next call tries again' 'answered 500'
check 'the phase is complete' is "$(rotate status --json | /usr/bin/python3 -c 'import json,sys; print(json.load(sys.stdin)["environments"][0]["state"])')" servers-switched
rm "$FORGE/fail"
check 'clients by merge commit, deleted' phase commit-deleted
check 'and the evidence before it came late' is "$(asked '[len(x["comments"]) for x in r[-2:]]')" '[1, 1]'

# ---------------------------------------------------------------- refusals: the phase is resumable
rm -f "$FORGE/fail"
echo 503 >"$FORGE/fail"
check 'a forge that is away' exits 1 go next
check 'is named, with what waits' said 'certrotate/poc-prune-r' 'answered 503' 'nothing is rolled out; the command goes on from here'
rm "$FORGE/fail"
BEFORE=$(asked 'len(r)')
check 'then the merge request is opened' exits 3 go next
check 'once' is "$(asked 'len(r)')" "$((BEFORE + 1))"
printf 'another-token\n' >"$T/token"
check 'a wrong token' exits 1 go next
check 'is told with its file and what it needs' said 'answered 401: Unauthorized' "does not know the token in the file $T/token" 'the scope api'
check 'and never shown' not_said another-token
chmod 644 "$T/token"
check 'a token that others can read' exits 2 go next
check 'is refused' said "$T/token can be read by others (mode 0644)" "chmod 0600 $T/token"
rm "$T/token"
check 'a token that is not there' exits 2 go next
check 'is named' said "cannot read $T/token"
printf 'a-secret-token\n' >"$T/token"
chmod 600 "$T/token"
check 'and then it goes on waiting' exits 3 go next
merge squash
mark merged
check 'prune by squash' exits 0 go next
check 'the state is idle' is "$(rotate status --json | /usr/bin/python3 -c 'import json,sys; print(json.load(sys.stdin)["environments"][0]["state"])')" idle
check 'the token is nowhere' bash -c "! grep -rqs a-secret-token '$R' '$T/remote.git'"

# ---------------------------------------------------------------- the other forges
for kind in github forgejo; do
  forge_of "$kind"
  check "$kind: opened" exits 3 go next
  check "$kind: as its own kind of thing" said 'pull request #1 (https://localhost'
  check "$kind: found again" exits 3 go next
  check "$kind: once" is "$(asked 'len(r), r[0]["title"]')" '1 certrotate poc: generate'
  mark closed
  check "$kind: closed is abandoned" exits 3 go next
  check "$kind: and said" said 'pull request #1 https://localhost' 'was closed without being merged'
  check "$kind: generate" phase commit-deleted
  check "$kind: taken back by another one" exits 3 go revert
  check "$kind: which says so" is "$(asked 'r[-1]["title"]')" 'certrotate poc: revert generate'
  merge squash
  mark merged
  check "$kind: and merged" exits 0 go revert
done

# ---------------------------------------------------------------- without a token
configure "kind: gitlab, url: \"https://git.example.com/git\", project: dba/inventory"
check 'without a token the page is named' exits 3 go next
check 'as the configuration says' said 'open the merge request at https://git.example.com/git/dba/inventory/-/merge_requests/new?'
configure "kind: null, token_env: NO_SUCH_TOKEN"
check 'a forge that is not known' exits 2 go next
check 'is asked for' said 'which project of a forge the remote origin is does not follow from its URL' 'git.forge.url'

finish
