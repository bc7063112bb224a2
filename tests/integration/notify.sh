#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# Who is told of a rotation: a receiver behind TLS that keeps what it gets, one that is down, one that hangs; a phase
# that is killed and goes on tells nothing twice; what expires; and that nothing of address or secret is seen anywhere.
set -u
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
BUILD=$(realpath "${1:-build}")
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/lib_repository.sh
. tests/integration/lib_repository.sh
begin notify
need ansible-playbook ansible-core
need git git
[ -x "$BUILD/certrotate" ] || die "$BUILD/certrotate is missing: make all"
unset https_proxy HTTPS_PROXY all_proxy ALL_PROXY
HTTPD=
LIFE=
# All that was ever said is looked through in the end.
eval "$(declare -f exits | sed '1s/exits/exits_alone/')"
exits() {
  local got=0
  exits_alone "$@" || got=$?
  cat "$T/said" >>"$T/all-said"
  return $got
}

test_ends() {
  [ -z "$LIFE" ] || kill "$LIFE" 2>/dev/null
  [ -z "$HTTPD" ] || kill "$HTTPD" 2>/dev/null
}

start_httpd() {
  mkfifo "$T/life"
  sleep 600 >"$T/life" &
  LIFE=$!
  /usr/bin/python3 -W ignore tests/support/httpd.py "$T/httpd" <"$T/life" &
  HTTPD=$!
  for _ in $(seq 300); do
    [ ! -s "$T/httpd/ports" ] || return 0
    sleep 0.1
  done
  die "tests/support/httpd.py does not start: it needs python3-cryptography"
}

port() { sed -n "s/^$1=//p" "$T/httpd/ports"; }
answers() { # ROUTES
  rm -f "$T/httpd/requests"
  echo "{\"routes\": $1}" >"$T/httpd/next"
  mv "$T/httpd/next" "$T/httpd/script"
}

# told: "EVENT PHASE TEXT" for each that arrived; each has to be signed, and to have a key of its own.
told() {
  /usr/bin/python3 - "$T/httpd/requests" "$T/secret/word" <<'PY'
import hashlib, hmac, json, os, sys, time
word = open(sys.argv[2], 'rb').read().strip()
lines = open(sys.argv[1]).readlines() if os.path.exists(sys.argv[1]) else []
keys = set()
for line in map(json.loads, lines):
    stamp, digest = (part.split('=')[1] for part in line['headers']['certrotate-signature'].split(','))
    signed = hmac.new(word, (stamp + '.' + line['body']).encode(), hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signed, digest), line
    assert abs(time.time() - int(stamp)) < 3600, line
    assert line['headers']['content-type'] == 'application/json', line
    assert line['path'] == '/services/secret-path', line
    keys.add(line['headers']['idempotency-key'])
    card = json.loads(line['body'])['attachments'][0]['content']['body']
    facts = {fact['title']: fact['value'] for fact in card[1]['facts']}
    assert facts['by'] == ('' if facts['event'] == 'expiring' else 'A DBA <dba@example.com>'), facts
    assert facts['environment'] == 'poc', facts
    print(facts['event'], card[0]['text'])
assert len(keys) == len(lines), keys
PY
}
is_told() { diff <(told) <(printf '%s\n' "$@"); }

# ---- a repository whose playbook leaves a line, and a receiver of its own

start_httpd
answers '{}'
new_repository
mkdir -m 700 "$T/secret"
(
  umask 077
  echo "https://localhost:$(port good)/services/secret-path" >"$T/secret/url"
  echo 'a-word-that-nobody-sees' >"$T/secret/word"
)
cat >"$R/config/chainsmith_poc.yml" <<'EOS'
subject: {O: Acme, CN: postgres}
key: ecdsa-p256
intermediates:
  - {name: server, servers: {db1.example.com: []}}
  - {name: client, clients: [postgres, app]}
EOS
printf 'db1.example.com ansible_connection=local\n' >"$R/environments/poc/hosts"
cat >"$R/leave.yml" <<EOS
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: echo {{ certrotate_phase }} >>$T/rolled
EOS
cat >"$R/teams.json" <<'EOS'
{
  "type": "message",
  "attachments": [{
    "contentType": "application/vnd.microsoft.card.adaptive",
    "contentUrl": null,
    "content": {
      "type": "AdaptiveCard", "version": "1.2",
      "body": [
        {"type": "TextBlock", "wrap": true, "text": "{text}"},
        {"type": "FactSet", "facts": [
          {"title": "event", "value": "{event}"},
          {"title": "environment", "value": "{environment}"},
          {"title": "by", "value": "{by}"},
          {"title": "next", "value": "{next}"}]}]
    }
  }]
}
EOS
configure() { # ITEM OF NOTIFY...
  {
    printf 'version: 1\ndefaults:\n  endpoints: []\n  census: {samples: 0}\n  rollout:\n'
    for phase in trust servers clients prune; do echo "    $phase: [{playbook: leave.yml}]"; done
    printf '  notify:\n'
    printf '    - %s\n' "$@"
  } >"$R/certrotate.yml"
  team_commits configuration
}
OURS="{url_file: $T/secret/url, secret_file: $T/secret/word, ca_file: $T/httpd/ca.pem, template: teams.json}"
configure "$OURS"

# ---- a rotation is told

check 'a first chain' exits 0 go next --first
check 'is told' is_told 'start poc: first begins, by A DBA' 'end poc: first is complete; now idle'
answers '{}'
check 'a new one' exits 0 go next
check 'is told too' is_told 'start poc: generate begins, by A DBA' 'end poc: generate is complete; now generated'
answers '{}'
check 'a phase that is killed behind its publishing' killed next
check 'has told nothing yet' is "$(told)" ''
check 'goes on' exits 0 go next
check 'and is told once' is_told 'start poc: trust begins, by A DBA' 'end poc: trust is complete; now trusted'
check 'the same again has nothing to tell' exits 0 go next --to trusted
check 'and does not' is "$(told | wc -l)" 2
answers '{}'
check 'the way back' exits 0 go revert
check 'is told as such' is_told 'start poc: the revert of trust begins, by A DBA' \
  'end poc: the revert of trust is complete; now generated'

# ---- failures

sed -i 's/echo {{/exit 3; echo {{/' "$R/leave.yml"
team_commits 'a playbook that fails'
answers '{}'
check 'a playbook that fails' exits 1 go next
check 'and once more' exits 1 go next
check 'is told once' is "$(told | cut -d: -f1-2)" $'start poc: trust begins, by A DBA\nfailure poc: trust failed'
sed -i 's/exit 3; echo {{/echo {{/' "$R/leave.yml"
team_commits 'one that does not'

# ---- receivers that do not do

answers '{"*": [{"status": 503}]}'
check 'a receiver that answers 503' exits 0 go next
check 'is a warning' said "nobody was told that poc: trust is complete; now trusted (notify[0]): POST \
https://localhost:$(port good)/…: answered 503 (not available)"
answers '{"*": [{"do": "hang"}]}'
check 'one that hangs' exits 0 go next
check 'is one, too' said "(notify[0]): POST https://localhost:$(port good)/…: no answer within"
configure "{url: 'https://localhost:$(port untrusted)/services/secret-path'}" "$OURS"
answers '{}'
check 'one that is not trusted' exits 0 go next
check 'is named' said "(notify[0]): POST https://localhost:$(port untrusted)/…: its certificate is not accepted"
check 'and does not keep others from being told' is_told 'start poc: clients begins, by A DBA' \
  'end poc: clients is complete; now clients-switched'
configure "$OURS"
kill "$HTTPD"
wait "$HTTPD" 2>/dev/null
check 'one that is down' exits 0 go next
check 'is said' said 'POST https://localhost:' '/…: cannot connect: Connection refused'
check 'and the rotation is at its end' whole idle
check 'all was rolled out' is "$(sort -u "$T/rolled" | tr '\n' ' ')" 'clients prune servers trust '

# ---- what is wrong before anything begins

sed -i 's/{by}/{buy}/' "$R/teams.json"
team_commits 'a slip'
check 'a word that stands for nothing is refused by plan' exits 2 rotate plan
check 'with its line' said 'certrotate.yml: notify[0]: teams.json:13: '"'{buy}'"' stands for nothing' "did you mean '{by}'?"
check 'and by next' exits 2 go next
sed -i 's/{buy}/{by}/' "$R/teams.json"
team_commits 'mended'
chmod 644 "$T/secret/word"
check 'a secret that others can read' exits 0 rotate plan
check 'is a warning' said 'notify[0]' 'word can be read by others (mode 0644)'
chmod 600 "$T/secret/word"

# ---- what expires

rm -rf "$T/httpd" "$T/life"
kill "$LIFE" 2>/dev/null
start_httpd
(umask 077 && echo "https://localhost:$(port good)/services/secret-path" >"$T/secret/url")
check 'far away is not told' exits 0 rotate check --notify --warning 30 --critical 7
check 'to anybody' is "$(told)" ''
check 'what comes near' exits 1 rotate check --notify --warning 36000 --critical 7
check 'is told' is "$(told | cut -c1-20)" 'expiring poc: server'
check 'asked again' exits 1 rotate check --notify --warning 36000 --critical 7
check 'it is not' is "$(told | wc -l)" 1
check 'nearer still' exits 2 rotate check --notify --warning 36000 --critical 35000
check 'it is told again' is "$(told | wc -l)" 2
check 'without --notify' exits 2 rotate check --warning 36000 --critical 36000
check 'nobody is told' is "$(told | wc -l)" 2

# ---- nothing of it is seen

check 'what was said was kept' grep -q 'nobody was told' "$T/all-said"
check_not 'no message showed address or secret' grep -rqE 'secret-path|nobody-sees' "$T/all-said"
check_not 'nor has the repository it' grep -rqE 'secret-path|nobody-sees' "$R/.git/certrotate" "$R/.certrotate"
finish
