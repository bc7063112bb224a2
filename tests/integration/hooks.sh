#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# Hooks of applications with the real thing: a PostgreSQL, Ansible, a receiver of webhooks, programs that install what
# they are given, and those that hang, fail, print a gigabyte, cannot be run, or are killed with certrotate. What ended
# is never done twice; waves wait for the census; and no passphrase or key is left behind.
#
#   tests/integration/hooks.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
BUILD=$(cd "${1:-build}" && pwd) || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/lib_repository.sh
. tests/integration/lib_repository.sh
# shellcheck source=tests/integration/lib_sessions.sh
. tests/integration/lib_sessions.sh

PYTHON=/usr/bin/python3
DB1=db1.example.com
CLIENTS="postgres app report audit lists"
QUIET=3
declare -A SESSIONS=()
RECEIVER=
LIFE=

test_ends() {
  local name
  for name in "${!SESSIONS[@]}"; do kill "${SESSIONS[$name]}" 2>/dev/null; done
  [ -z "$LIFE" ] || kill "$LIFE" 2>/dev/null
  [ -z "$RECEIVER" ] || kill "$RECEIVER" 2>/dev/null
}

# ---- the repository ---------------------------------------------------------------------------------------------

description() {
  cat <<YML
subject: {C: NL, O: Acme, CN: postgres}
key: ecdsa-p256
intermediates:
  - name: server
    servers:
      $DB1: [$ADDRESS, $DB1]
  - name: client
    clients: [${CLIENTS// /, }]
YML
}

inventory() {
  cat <<YML
all:
  vars: {ansible_connection: local, certrotate_become: false, certrotate_settle: 0.05}
  hosts:
    $DB1:
      ansible_host: $ADDRESS
      certrotate_clusters: [{data: $T/db1/data}]
      certrotate_clients: [{user: postgres, owner: $ME, home: $T/homes/postgres}]
YML
}

# shellcheck disable=SC2016
# configuration [TRUST]: with another hook for the shop's trust
configuration() {
  local install='{kind: exec, name: install, command: [hooks/install, one two, $HOME], deadline: 1h}'
  local told="{kind: webhook, url: 'https://localhost:$GOOD/hook', ca_file: $T/httpd/ca.pem, secret_file: $T/secret, deadline: 20s}"
  cat <<YML
version: 1
defaults:
  git: {flow: direct, base: dev, remote: origin, push: true}
  census: {quiet: ${QUIET}s, samples: 1}
  endpoints:
    - {name: $DB1, address: $ADDRESS, port: $PORT}
environments:
  poc: {}
applications:
  shop: {users: [app], contact: shop@example.com, trust: [${1:-$install}], clients: [$install], prune: [$install]}
  report: {users: [report], wave: 2, trust: [$install], clients: [$install]}
  audit:
    users: [audit]
    contact: audit@example.com
    wave: 2
    trust: [$told, {kind: manual, text: load root.crt and restart}]
    clients: [$told]
  lists:
    users: [lists]
    wave: 2
    trust: [{kind: ansible, playbook: lists.yml}]
YML
}

# What the application's administrators wrote: it installs what it is given for each of its users.
install_hook() {
  cat <<SH
#!/bin/sh
set -e
echo "\$CERTROTATE_PHASE \$CERTROTATE_DIRECTION \$CERTROTATE_APPLICATION \$CERTROTATE_KEY" >>$T/hooked
echo "\$CERTROTATE_FILES" >>$T/folders
. $T/does
read -r passphrase || true
[ -z "\$passphrase" ] || printf '%s\n' "\$passphrase" >>$T/own/passphrases
for user in \$CERTROTATE_USERS; do
	home=$T/homes/\$user/.postgresql
	cp "\$CERTROTATE_BUNDLE" "\$home/root.crt"
	[ -e "\$CERTROTATE_FILES/\$user" ] || continue
	printf '%s\n' "\$passphrase" | openssl pkey -in "\$CERTROTATE_FILES/\$user/client.key" -passin stdin -out "\$home/postgresql.key"
	chmod 600 "\$home/postgresql.key"
	cp "\$CERTROTATE_FILES/\$user/client.crt" "\$home/postgresql.crt"
done
echo "installed for \$1, \$2"
SH
}

lists_playbook() {
  cat <<YML
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Take the bundle
      ansible.builtin.copy:
        src: "{{ certrotate_files }}/root.crt"
        dest: "$T/homes/lists/{{ certrotate_application }}-{{ certrotate_phase }}-{{ certrotate_direction }}.crt"
        mode: "0644"
YML
}

make_repository() {
  local user
  new_repository
  for user in $CLIENTS; do mkdir -p "$T/homes/$user/.postgresql"; done
  rmdir "$T/homes/postgres/.postgresql"
  mkdir -p "$R/hooks" "$T/own"
  echo 'a secret for signatures' >"$T/secret"
  chmod 600 "$T/secret"
  touch "$T/does" "$T/hooked" "$T/folders"
  description >"$R/config/chainsmith_poc.yml"
  inventory >"$R/environments/poc/hosts"
  configuration >"$R/certrotate.yml"
  lists_playbook >"$R/lists.yml"
  install_hook >"$R/hooks/install"
  chmod 755 "$R/hooks/install"
  echo '#!/bin/sh' >"$R/hooks/plain"
  team_commits "poc: describe the environment"
}

start_receiver() {
  mkfifo "$T/life"
  mkdir "$T/httpd"
  sleep 7200 >"$T/life" &
  LIFE=$!
  "$PYTHON" tests/support/httpd.py "$T/httpd" <"$T/life" >"$T/httpd.out" 2>&1 &
  RECEIVER=$!
  until_true 30 test -e "$T/httpd/ports" || die "no receiver of webhooks: $(cat "$T/httpd.out")"
  GOOD=$(sed -n 's/^good=//p' "$T/httpd/ports")
}

answers() {
  printf '%s' "{\"routes\": {\"POST /hook\": [$1]}}" >"$T/httpd/script.new"
  mv "$T/httpd/script.new" "$T/httpd/script"
}

# requests EXPRESSION: Python's value of it, with all that came as r
requests() {
  "$PYTHON" -c "
import json, os
r = [json.loads(line) for line in open('$T/httpd/requests')] if os.path.exists('$T/httpd/requests') else []
print($1)"
}

# ---- clients ----------------------------------------------------------------------------------------------------

# The first files: as the DBA hands them over.
present() {
  local app=$1 user=$2 files=$T/homes/$2/.postgresql
  (umask 077 && echo 'a passphrase of the DBA' >"$T/own/passphrase")
  quietly rotate deliver --app "$app" --out "$T/own/$app" --passphrase-file "$T/own/passphrase"
  cp "$T/own/$app/root.crt" "$T/own/$app/$user/client.crt" "$files"
  mv "$files/client.crt" "$files/postgresql.crt"
  openssl pkey -in "$T/own/$app/$user/client.key" -passin "file:$T/own/passphrase" -out "$files/postgresql.key"
  chmod 600 "$files/postgresql.key"
}

bundle_of() {
  grep -c BEGIN "$T/homes/$1/.postgresql/root.crt"
}

times() {
  is "$(grep -c "^$2" "$T/hooked")" "$1"
}

does() {
  printf '%s\n' "$1" >"$T/does"
}

# The folders that hooks were given are gone.
no_folder_left() {
  local folder
  while read -r folder; do [ ! -e "$folder" ] || return 1; done <"$T/folders"
}

# ---- the tests --------------------------------------------------------------------------------------------------

what_cannot_run_is_said_before() {
  local command
  check 'a new chain' exits 0 go next
  while read -r command why; do
    configuration "{kind: exec, command: [$command]}" >"$R/certrotate.yml"
    team_commits "poc: $command"
    check "$command is no hook" exits 2 go next
    check 'which is said, with whose it is' said "hook 'exec 1' of application shop: $command: $why"
  done <<'EOT'
hooks/none No such file or directory
hooks/plain not executable
/etc not a program: no regular file
EOT
  check 'and nothing was begun' whole generated
  configuration >"$R/certrotate.yml"
  team_commits "poc: as before"
}

# shellcheck disable=SC2016
a_phase_waits_for_people() {
  check 'plan shows the hooks of the phase' exits 0 rotate plan
  check 'in their waves' said 'hook wave 1: shop: exec hooks/install one two $HOME' \
    'hook wave 2: audit: webhook https://localhost:' 'hook wave 2: audit: manual: load root.crt and restart' \
    'hook wave 2: lists: ansible lists.yml'
  check 'trust waits for a word' exits 3 go next
  check 'and says whose, and for what' said 'trust waits for the word of audit: load root.crt and restart' \
    'audit@example.com does it' "'certrotate ack --app audit --by WHO' records it"
  check 'status says so too' exits 3 rotate status
  check 'and since when' said 'application audit: trust waits for its word since 20' 'load root.crt and restart'
  check 'the others are done' times 1 'trust forward shop'
  check 'a program got its arguments without a shell' grep -rqF 'installed for one two, $HOME' "$R/.git/certrotate/poc/logs"
  check 'and installed the union' is "$(bundle_of app)" 4
  check 'a playbook took its files' is "$(grep -c BEGIN "$T/homes/lists/lists-trust-forward.crt")" 4
  check 'the webhook was sent once' is "$(requests 'len(r)')" 1
  check 'it still waits' exits 3 go next
  check 'and nothing is done again' is "$(requests 'len(r)') $(grep -c trust "$T/hooked")" '1 2'
  check 'the word' exits 0 rotate ack --app audit --by Ann
  check 'the phase goes on' exits 0 go next
  check 'to its end' whole trusted
  check 'and nothing was done again' is "$(requests 'len(r)') $(grep -c trust "$T/hooked")" '1 2'
  check 'a program that did its work is a word' is \
    "$(state "sorted((a['app'], a['who'] or a['by']) for a in d['acks'])")" \
    "[('audit', 'Ann'), ('lists', 'hook ansible 1'), ('report', 'hook install'), ('shop', 'hook install')]"
  check 'log -v tells what came of them' exits 0 rotate -v log
  check 'each' said 'hook install of shop (wave 1): ended' 'hook webhook 1 of audit (wave 2): ended, answered 200' \
    'hook manual 2 of audit (wave 2): ended, confirmed by Ann' 'hook ansible 1 of lists (wave 2): ended'
}

a_webhook_tells_what_is_public() {
  local certs=$R/environments/poc/group_vars/all/certs.yml
  check 'who and what' is "$(requests "[json.loads(r[0]['body'])[k] for k in ('environment', 'phase', 'direction', 'application', 'users')]")" \
    "['poc', 'trust', 'forward', 'audit', ['audit']]"
  check 'the bundle' is "$(requests "json.loads(r[0]['body'])['bundle'].count('BEGIN CERTIFICATE')")" 4
  check 'the certificate, by its fingerprint' is "$(requests "json.loads(r[0]['body'])['certificates'][0]['sha256']")" \
    "$("$PYTHON" -c "import yaml; print(yaml.safe_load(open('$certs'))['certs']['client']['audit'])" |
      openssl x509 -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f')"
  check 'no key' is "$(requests "sum('PRIVATE' in x['body'] for x in r)")" 0
  check 'with the key of the hook, and signed' is \
    "$(requests "r[0]['headers']['idempotency-key'] == json.loads(r[0]['body'])['key'] and 'certrotate-signature' in r[0]['headers']")" True
}

programs_fail_in_every_way() {
  check 'the servers switch' exits 0 go next
  hold early app
  does 'echo waiting; sleep 600'
  sed -i 's/deadline: 1h/deadline: 3s/g' "$R/certrotate.yml"
  team_commits "poc: less time"
  check 'a hook that hangs' exits 1 go next
  check 'is ended at its deadline' said "hook 'install' of application shop (wave 1) failed: install: not done after" 'waiting' \
    'shop@example.com knows' "'certrotate next' runs it again, 'certrotate revert --wave 1' takes its wave back"
  sed -i 's/deadline: 3s/deadline: 1h/g' "$R/certrotate.yml"
  team_commits "poc: more time"
  does 'echo the shop is closed >&2; exit 7'
  check 'a hook that fails' exits 1 go next
  check 'with its exit code and last lines' said 'exit code 7: the shop is closed' 'its output is in'
  does 'head -c 1000000000 /dev/zero | tr "\0" "x"; echo; echo too much; exit 1'
  check 'a hook that prints a gigabyte' exits 1 go -q next
  check 'and its last line' said 'exit code 1: too much'
  check 'whose log is kept short' is "$(find "$R/.git/certrotate/poc/logs" -size +9M)" ''
  # shellcheck disable=SC2016
  does 'kill -9 "$(cat '"$T"'/pid)"; sleep 5'
  # shellcheck disable=SC2016
  check 'certrotate is killed in the middle of one' exits 137 \
    sh -c 'echo $$ >"$0" && exec "$@"' "$T/pid" "$BUILD/certrotate" -C "$R" next --yes
  check 'its files go with it' until_true 20 no_folder_left
  check 'status knows' exits 3 rotate status
  check 'which it was' said 'hook install of application shop was begun, and its end is not known'
  check 'each of them had the same key' is "$(grep '^clients forward shop' "$T/hooked" | sort -u | wc -l)" 1
}

waves_wait_for_the_census() {
  does ''
  check 'the application is late' exits 3 go next
  check 'which is said, with what was seen instead' said 'clients: wave 1 has not switched, so the next one does not begin' \
    'client app: was not seen with its certificate of g2 since it was given it' \
    "but with that of g1 (application 'early' from 127." "on $DB1, at 20" "'certrotate revert --wave 1' takes the wave back"
  check 'the second wave has not begun' times 0 'clients forward report'
  check 'the wave is taken back alone' exits 0 go revert --wave 1
  check 'by the same hook' times 1 'clients back shop'
  drop early
  hold back app
  check 'with the certificate of before' cmp "$T/homes/app/.postgresql/postgresql.crt" "$T/own/shop/app/client.crt"
  drop back
  check 'the phase stays under way' is "$(state "d['under_way']['phase']")" clients
  answers '{"status": 500}'
  does "touch $T/installing"
  (until_true 60 test -e "$T/installing" && sleep 2 && hold switched app && wait) &
  SESSIONS[helper]=$!
  check 'the wave again, and it logs in this time; the second one fails' exits 1 go next
  check 'at its webhook, whose address is not told whole' said "hook 'webhook 1' of application audit (wave 2) failed: POST https://localhost:$GOOD/…: answered 500"
  check 'tried five times, with one key' is "$(requests "len([x for x in r if 'clients' in x['body']]), len({x['headers']['idempotency-key'] for x in r if 'clients' in x['body']})")" '5 1'
  answers '{"status": 200}'
  check 'and once the receiver is well' exits 0 go next
  check 'the phase is whole' whole clients-switched
  check 'the webhook was sent with the same key' is "$(requests "len([x for x in r if 'clients' in x['body']]), len({x['headers']['idempotency-key'] for x in r if 'clients' in x['body']})")" '6 1'
  check 'the first wave was not run again' times 1 'clients forward report'
  check 'the history has the waves' exits 0 rotate -v log
  check 'seen' said 'wave 1 seen switched at 20'
}

prune_is_told_too() {
  local i
  hold dba postgres
  hold report report
  quietly rotate ack --app audit
  quietly rotate ack --app lists
  for ((i = 0; i <= QUIET; i++)); do
    quietly rotate census
    sleep 1
  done
  check 'prune' exits 0 go next
  check 'the hook brought the new bundle alone' is "$(bundle_of app)" 2
  check 'and takes it back' exits 0 go revert --prune
  check 'with the union' is "$(bundle_of app) $(grep -c '^prune back shop' "$T/hooked")" '4 1'
}

nothing_secret_is_left() {
  local passphrase found=0
  "$PYTHON" tests/secrets/needles.py keys "$T/vault-password.text" "$T/remote.git" "$R" >"$T/own/needles" || die "no keys to look for"
  check 'there were passphrases' test "$(sort -u "$T/own/passphrases" | wc -l)" -ge 4
  while read -r passphrase; do
    ! grep -rlF --exclude-dir=own -e "$passphrase" "$T" || found=1
  done < <(sort -u "$T/own/passphrases")
  check 'none of them is anywhere else' is $found 0
  check 'no key is left but where applications and servers have theirs' bash -c \
    "find '$T' \\( -path '$T/own' -o -path '$T/homes' -o -path '$T/db1' \\) -prune -o -type f -print0 | '$BUILD/tests/search' '$T/own/needles'"
  check 'and the search does find them there' not bash -c "find '$T/homes' -type f -print0 | '$BUILD/tests/search' '$T/own/needles'"
  check 'no folder of a hook is left' no_folder_left
}

main() {
  need ansible-playbook ansible-core
  need git git
  [ -x "$BUILD/tests/search" ] || die "$BUILD/tests/search is missing: make $BUILD/tests/search"
  begin hooks
  ME=$(id -un)
  ADDRESS=127.$((RANDOM % 200 + 20)).9.1
  PORT=$(free_port "$ADDRESS")
  echo a-password >"$T/vault-password.text"
  start_receiver
  make_repository
  start_server
  quietly go next --first
  quietly play
  present shop app
  quietly sql "$PORT" "ALTER SYSTEM SET ssl = on"
  quietly sql "$PORT" "SELECT pg_reload_conf()"
  what_cannot_run_is_said_before
  a_phase_waits_for_people
  a_webhook_tells_what_is_public
  programs_fail_in_every_way
  waves_wait_for_the_census
  prune_is_told_too
  nothing_secret_is_left
  finish
}

main
