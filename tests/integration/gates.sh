#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# What has to be waited for: an application's word before the servers switch, and the census before a generation is
# taken away. A real server, the shipped playbook, and clients that keep sessions open with the certificates they have.
#
#   tests/integration/gates.sh BUILD

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

DB1=db1.example.com
CLIENTS="postgres app report"
QUIET=3
declare -A SESSIONS=()
BALANCER=

test_ends() {
  local name
  for name in "${!SESSIONS[@]}"; do kill "${SESSIONS[$name]}" 2>/dev/null; done
  [ -z "$BALANCER" ] || kill "$BALANCER" 2>/dev/null
}

# ---- the repository and the server ------------------------------------------------------------------------------

description() {
  cat <<EOF
subject: {C: NL, O: Acme, CN: postgres}
key: ecdsa-p256
intermediates:
  - name: server
    servers:
      $DB1: [$ADDRESS, $DB1, lb.example.com]
  - name: client
    clients: [${CLIENTS// /, }]
EOF
}

inventory() {
  cat <<EOF
all:
  vars: {ansible_connection: local, certrotate_become: false, certrotate_settle: 0.05}
  hosts:
    $DB1:
      ansible_host: $ADDRESS
      certrotate_clusters: [{data: $T/db1/data}]
      certrotate_clients:
        - {user: postgres, owner: $ME, home: $T/homes/postgres}
        - {user: report, owner: $ME, home: $T/homes/report}
EOF
}

configuration() {
  cat <<EOF
version: 1
defaults:
  git: {flow: direct, base: dev, remote: origin, push: true}
  census: {quiet: ${QUIET}s, samples: 1}
  endpoints:
    - {name: $DB1, address: $ADDRESS, port: $PORT}
environments:
  poc: {}
applications:
  billing: {users: [app], contact: billing@example.com}
EOF
}

make_repository() {
  new_repository
  mkdir -p "$T"/homes/{postgres,report,app/.postgresql}
  description >"$R/config/chainsmith_poc.yml"
  inventory >"$R/environments/poc/hosts"
  configuration >"$R/certrotate.yml"
  team_commits "poc: describe the environment"
}

# values CERTS VAULT: what the application needs of these two files, into its home
application_files() {
  ansible-vault view --vault-password-file "$T/vault-password" "$2" | /usr/bin/python3 -c '
import os, sys, yaml
folder, keys, certs = sys.argv[1], yaml.safe_load(sys.stdin)["private_keys"], yaml.safe_load(open(sys.argv[2]))["certs"]
os.umask(0o077)
for name, text in (("postgresql.crt", certs["client"]["app"]), ("postgresql.key", keys["client"]["app"]),
                   ("root.crt", certs["server"]["chain"]), ("lb.crt", certs["server"]["db1.example.com"]),
                   ("lb.key", keys["server"]["db1.example.com"])):
    with open(os.path.join(folder, name), "w") as stream:
        stream.write(text)
' "$T/homes/app/.postgresql" "$1"
}

# The administrators of the application take what the inventory holds for them.
application_takes_its_files() {
  local values=$R/environments/poc/group_vars/all
  (cd "$T" && application_files "$values/certs.yml" "$values/certs.vault.yml") || die "the application has no files"
}

# ---- clients ----------------------------------------------------------------------------------------------------

# The quiet period, with a look now and then.
wait_quietly() {
  local i
  for ((i = 0; i <= QUIET; i++)); do
    quietly rotate census
    sleep 1
  done
}

# ---- the tests --------------------------------------------------------------------------------------------------

an_application_has_to_give_its_word() {
  check 'nothing waits for a word before a rotation' exits 2 rotate ack --app billing
  check 'and it says when applications confirm' said "in state idle nothing waits for an application's word" "applications confirm in 'trusted'"
  check 'generate and trust' exits 0 go next --to trusted
  check 'the servers do not switch before the application has confirmed' exits 3 go next
  check 'the application is named, and what to type' said 'application billing: has not confirmed that it trusts the new chain' \
    'have billing@example.com load the new bundle' 'certrotate ack --app billing'
  check 'plan says the same' exits 3 rotate plan
  check 'by name' said 'application billing'
  check 'status says what is waited for, and that is no alarm' exits 0 rotate status
  check 'by name as well' said 'application billing: has not confirmed'
  check 'a slip in its name is refused' exits 2 rotate ack --app biling
  check 'with the nearest name' said "did you mean 'billing'?"
  check 'an ack without a name is refused' exits 2 rotate ack
  check 'the word is recorded' exits 0 rotate ack --app billing --by 'Ann of billing'
  check 'and said' said 'recorded: application billing trusts both chains'
  check 'in the state that the team shares' is "$(state "[(a['app'], a['phase'], a['who']) for a in d['acks']]")" "[('billing', 'trust', 'Ann of billing')]"
  check 'twice is once' exits 0 rotate ack --app billing
  check 'and says so' said 'known already: application billing trusts both chains'
  check 'taking the phase back takes the word back' exits 0 go revert
  check 'the word is gone' is "$(state "d['acks']")" '[]'
  check 'trust again' exits 0 go next
  check 'the word is needed again' exits 3 go next
  application_takes_its_files
  check 'confirmed again' exits 0 rotate ack --app billing --json
  check 'the servers switch' exits 0 go next
  check 'the word is in the history' exits 0 rotate log
  check 'with who gave it' said 'confirmed by billing for trust'
}

the_census_waits_for_everybody() {
  hold early app
  check 'the clients switch' exits 0 go next
  hold late app
  check 'who was not seen with the new certificate stops prune' exits 3 go next
  check 'each by name' said 'client postgres, client app, client report: was never seen with its certificate of g2'
  check 'and who still logs in with the old one' said "client app: still logs in with its certificate of g1 (application 'late' from 127." "on $DB1"
  check 'nothing was changed' is "$(state "d['state'], d['under_way']")" 'clients-switched None'
  hold report report
  hold dba postgres
  drop late
  application_takes_its_files
  hold switched app
  check 'a session from before the phase is told apart' exits 3 go next
  check 'as one that says nothing about the next login' said "client app: holds a session from before it was given its other certificate, with that of g1 (application 'early'"
  check 'who has switched is no longer said to be unseen' not_said 'was never seen'
  drop early
  wait_quietly
  check 'once all have switched, and it was quiet for long enough, prune goes on' exits 0 go next
  check 'to the end' is "$(state "d['state']")" idle
}

a_word_or_a_waiver_stands_in() {
  drop report dba switched
  check 'a second rotation' exits 0 go next --to trusted
  application_takes_its_files
  quietly rotate ack --app billing
  check 'to its last phase' exits 0 go next --to clients-switched
  quietly rotate ack --app billing
  wait_quietly
  check 'nobody was seen' exits 3 go next
  check 'who has confirmed is not asked for' not_said 'client app'
  check 'the others are' said 'client report: was never seen' 'client postgres: was never seen'
  check 'a waiver by name passes who is named only' exits 3 go next --waive 'census-unseen=report:retired, ticket 7'
  check 'the other one still blocks' said 'client postgres: was never seen'
  check 'both waived, and killed before anything is rolled out' killed next --waive 'census-unseen=report:retired, ticket 7' --waive 'census-unseen=postgres:only by hand'
  hold back app
  check 'before the rollout the gates are asked again' exits 3 go next
  check 'who came back meanwhile is named' said 'prune does not go on' 'client app: still logs in with its certificate of g2' 'nothing was rolled out'
  drop back
  wait_quietly
  check 'the waivers that it began with still hold' exits 0 go next
  check 'words and waivers are in the history' exits 0 rotate log
  check 'with their reasons' said 'confirmed by billing for clients' 'retired, ticket 7'
  check 'and no longer in the state' is "$(state "d['acks']")" '[]'
}

taking_trust_back_asks_the_same() {
  check 'a third rotation' exits 0 go next --to trusted
  check 'as long as no client was given a new certificate, trust goes back at once' exits 0 go revert
  check 'trust again' exits 0 go next
  application_takes_its_files
  quietly rotate ack --app billing
  check 'the clients switch once more' exits 0 go next --to clients-switched
  application_takes_its_files
  hold ahead app
  check 'clients and servers go back' exits 0 go revert --to trusted
  check 'trust does not, while somebody is connected with the new certificate' exits 3 go revert
  check 'who, is said' said "client app: holds a session from before it was given its other certificate, with that of g4 (application 'ahead'"
  hold further app
  check 'nor while somebody logs in with it' exits 3 go revert
  check 'who, is said again' said "client app: still logs in with its certificate of g4 (application 'further'"
  drop ahead further
}

what_is_served_is_rehearsed() {
  local waived=(--waive 'census-unseen:a test' --waive 'census-quiet:a test' --waive 'census-samples:a test')
  git -C "$R" show HEAD:environments/poc/group_vars/all/certs.yml >"$T/before.yml"
  git -C "$R" show HEAD:environments/poc/group_vars/all/certs.vault.yml >"$T/before.vault.yml"
  quietly rotate ack --app billing
  check 'forward again' exits 0 go next --to clients-switched
  start_balancer
  sed -i "s/^environments:/    - {name: lb.example.com, address: $ADDRESS, port: $BALANCER_PORT, protocol: tls}\n&/" "$R/certrotate.yml"
  team_commits "poc: probe the balancer"
  check 'somebody serves an old certificate, which is fine today' exits 3 go next "${waived[@]}"
  check 'but not with the new chain alone' said 'rehearsal lb.example.com' 'clients would refuse what it serves now'
  kill "$BALANCER"
  BALANCER=
  sed -i '/lb.example.com, address/d' "$R/certrotate.yml"
  team_commits "poc: leave the balancer out"
}

# It serves what the inventory held for the server before that switched.
start_balancer() {
  local files=$T/homes/app/.postgresql
  (cd "$T" && application_files "$T/before.yml" "$T/before.vault.yml") || die "no files from before"
  BALANCER_PORT=$(free_port "$ADDRESS")
  openssl s_server -accept "$ADDRESS:$BALANCER_PORT" -cert "$files/lb.crt" -cert_chain "$files/lb.crt" -key "$files/lb.key" -quiet >/dev/null 2>&1 &
  BALANCER=$!
}

an_emergency_lists_who_survives() {
  hold survivor app
  check 'an emergency' exits 0 go next --emergency 'a key leaked, ticket 9'
  check 'and whose session outlives it' said 'client app: 1 session from 127.' "on $DB1, since" 'with a certificate of g'
  drop survivor
}

main() {
  need ansible-playbook ansible-core
  need git git
  begin gates
  ME=$(id -un)
  ADDRESS=127.$((RANDOM % 200 + 20)).8.1
  PORT=$(free_port "$ADDRESS")
  make_repository
  start_server
  quietly go next --first
  quietly play rollout_new_certs.yml
  application_takes_its_files
  quietly sql "$PORT" "ALTER SYSTEM SET ssl = on"
  quietly sql "$PORT" "SELECT pg_reload_conf()"
  an_application_has_to_give_its_word
  the_census_waits_for_everybody
  a_word_or_a_waiver_stands_in
  taking_trust_back_asks_the_same
  what_is_served_is_rehearsed
  an_emergency_lists_who_survives
  finish
}

main
