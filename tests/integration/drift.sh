#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# What changes in the inventory while a rotation is under way: hosts and users that come and go, and everything that
# somebody did by hand. A program of Ansible's name records what it would roll out.
#
#   tests/integration/drift.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
BUILD=$(cd "${1:-build}" && pwd) || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/lib_repository.sh
. tests/integration/lib_repository.sh

GROUP=environments/poc/group_vars/all
CERTS=$GROUP/certs.yml
KEYS=$GROUP/certs.vault.yml
CHAIN=config/chainsmith_poc.yml
STATE=.certrotate/poc/state.json

# ---- the repository ---------------------------------------------------------------------------------------------

# It says what Ansible says, and notes each rollout.
recorder() {
  cat <<EOF
#!/bin/sh
case " \$* " in
*' --list-hosts '*) printf 'playbook: rollout_new_certs.yml\n\n  play #1 (all): all\n    hosts (1):\n      db1.example.com\n' ;;
*)
  echo rollout >>'$T/rollouts'
  echo 'PLAY RECAP *********'
  for host in 1 2 3 4; do
    echo "db\$host.example.com : ok=1 changed=1 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0"
  done
  ;;
esac
EOF
}

description() { # [SERVER [CLIENT]]: who is there beside the usual ones
  cat <<EOF
subject: {C: NL, O: Acme, CN: postgres}
key: ecdsa-p256
intermediates:
  - name: server
    servers:
      db1.example.com: [10.0.4.42]
      db2.example.com: [10.0.4.43]${1:+
      $1: [10.0.4.44]}
  - name: client
    clients: [postgres, app, report${2:+, $2}]
EOF
}

make_repository() {
  new_repository
  mkdir -p "$T/bin"
  recorder >"$T/bin/ansible-playbook"
  chmod 755 "$T/bin/ansible-playbook"
  export PATH=$T/bin:$PATH
  description >"$R/$CHAIN"
  printf 'all:\n  hosts:\n    db1.example.com:\n    db2.example.com:\n' >"$R/environments/poc/hosts"
  printf 'version: 1\ndefaults:\n  endpoints: []\n  census: {samples: 0}\nenvironments:\n  poc: {}\n' >"$R/certrotate.yml"
  team_commits "poc: describe the environment"
}

keep() {
  mkdir -p "$T/kept/$1"
  cp -a "$R" "$T/remote.git" "$T/kept/$1"
}

restore() {
  rm -rf "$R" "$T/remote.git"
  cp -a "$T/kept/$1/repository" "$T/kept/$1/remote.git" "$T"
}

# A colleague works in this checkout under another name.
colleague() {
  git -C "$R" -c user.name="Bo Colleague" -c user.email=bo@example.com "$@"
}

publish() {
  colleague add -A
  quietly colleague commit -q -m "${1:-by hand}"
  quietly git -C "$R" push -q origin HEAD:dev
}

edit() { # FILE PYTHON [ARGUMENT...]: an expression on the text t, the arguments a
  /usr/bin/python3 -c 'import re, sys
t, a = open(sys.argv[1], newline="").read(), sys.argv[3:]
new = eval(sys.argv[2])
assert new != t, "nothing was edited: " + sys.argv[2]
open(sys.argv[1], "w", newline="").write(new)' "$R/$1" "${@:2}" || die "cannot edit $1"
}

vault() {
  quietly env -C "$R" ANSIBLE_VAULT_PASSWORD_FILE="$T/vault-password" ansible-vault "$@"
}

edit_keys() {
  vault decrypt "$KEYS"
  edit "$KEYS" "$@"
  vault encrypt "$KEYS"
}

# block TEXT: as the value of a key in the certs file
block() {
  sed 's/^/      /' "$1"
}

value() { # FILE AUTHORITY NAME: of the certs file or a generation's on the base
  git --git-dir "$T/remote.git" show "dev:$1" | /usr/bin/python3 -c '
import sys, yaml
print(yaml.safe_load(sys.stdin)["certs"][sys.argv[1]].get(sys.argv[2], "none").strip())' "$2" "$3"
}

# issuer AUTHORITY NAME: the CN of who signed what the inventory has
issuer() {
  value "$CERTS" "$1" "$2" | openssl x509 -noout -issuer -nameopt multiline 2>/dev/null |
    sed -n 's/^ *commonName *= //p'
}

key_fits() { # AUTHORITY NAME
  value "$CERTS" "$1" "$2" >"$T/leaf.crt"
  openssl x509 -in "$T/leaf.crt" -noout -pubkey >"$T/public"
  git --git-dir "$T/remote.git" show "dev:$KEYS" >"$T/keys.vault"
  ANSIBLE_VAULT_PASSWORD_FILE=$T/vault-password ansible-vault view "$T/keys.vault" 2>/dev/null | /usr/bin/python3 -c '
import sys, yaml
print(yaml.safe_load(sys.stdin)["private_keys"][sys.argv[1]][sys.argv[2]])' "$1" "$2" >"$T/leaf.key"
  openssl pkey -in "$T/leaf.key" -pubout | cmp - "$T/public"
}

# drifts WHAT TEXT...: next ends with 5 and says these texts; nothing was published or rolled out
drifts() {
  local what=$1 before rollouts
  shift
  before=$(tip)
  rollouts=$(wc -l <"$T/rollouts")
  check "$what: exit code 5" exits 5 go next
  check "$what: it is said" said "$@"
  check "$what: nothing was published" is "$(tip)" "$before"
  check "$what: nothing was rolled out" is "$(wc -l <"$T/rollouts")" "$rollouts"
}

passes() { # WHAT STATE
  check "$1: it goes on" exits 0 go next
  check "$1: the phase is whole" whole "$2"
}

who() { # FILE
  echo "the file was changed by Bo Colleague in $(git -C "$R" log -1 --abbrev=10 --format='%h (%cd)' --date=short)"
}

# ---- who comes --------------------------------------------------------------------------------------------------

arrives_by_description() {
  restore trusted
  description db3.example.com newcomer >"$R/$CHAIN"
  publish "poc: db3 and newcomer"
  check "status names who comes" exits 0 rotate status
  check "status says what becomes of it" said \
    "server db3.example.com: new in $CHAIN: the next phase gives it a certificate of generation g2" \
    "client newcomer: new in $CHAIN"
  check "plan names who comes" exits 0 rotate plan
  check "plan says which certificates it gets" said "new in $CHAIN: it gets certificates of the generations g1 and g2 with this phase"
  passes "a host and a user that are described in the middle" servers-switched
  check "the new host has a certificate of the new generation" is "$(issuer server db3.example.com)" "server G2"
  check "the new user has one of the old generation, like every other user" is "$(issuer client newcomer)" "client G1"
  check "the new host's key fits" key_fits server db3.example.com
  check "the new user's key fits" key_fits client newcomer
  check_not "both are in both generations" is "$(value .certrotate/poc/g1.yml server db3.example.com)" none
  check "the old generation's CA keys stay as they were" git -C "$R" diff --quiet HEAD~3 HEAD -- .certrotate/poc/g1.ca.vault.yml
  passes "the rotation goes on with them" clients-switched
  check "the new user has a certificate of the new generation" is "$(issuer client newcomer)" "client G2"
  passes "the rotation ends with them" idle
  check "the new host is known" is "$(state "'db3.example.com' in d['host_set']")" True
}

# The description names no servers: the inventory's hosts are those.
arrives_by_inventory() {
  restore trusted
  edit "$CHAIN" 're.sub(r"servers:\n( {6}.*\n)+", "servers: {}\n", t)'
  printf '[databases]\ndb[1:3].example.com\n' >"$R/environments/poc/hosts"
  publish "poc: db3 in the inventory"
  check "status names a host that came into Ansible's inventory" exits 0 rotate status
  check "status says so" said "server db3.example.com: new in"
  passes "a host that came into Ansible's inventory" servers-switched
  check "it has a certificate of the new generation" is "$(issuer server db3.example.com)" "server G2"
}

arrives_without_old_ca() {
  restore trusted
  git -C "$R" rm -q .certrotate/poc/g1.ca.vault.yml
  description db3.example.com newcomer >"$R/$CHAIN"
  publish "poc: db3 and newcomer"
  check "next without the old CA's key" exits 0 go next
  check "it says why there is no old certificate" said "and none of generation g1, whose CA key was not kept: peers accept it once they trust the new chain"
  check "the user gets a certificate of the new generation at once" is "$(issuer client newcomer)" "client G2"
  quietly go revert
  check "taken back, they keep it" is "$(issuer client newcomer)" "client G2"
  check "the revert of trust would leave them without one" exits 3 go revert
  check "it says so" said "client newcomer" "it came in the middle of the rotation and has no certificate of generation g1: it is left without one" "see that nobody needs it until the next rotation"
  check "with a waiver it goes back" exits 0 go revert --waive "leaf-lost:nobody uses them yet"
  check "their certificates are gone" is "$(value "$CERTS" client newcomer)" none
}

arrives_without_new_ca() {
  restore trusted
  git -C "$R" rm -q .certrotate/poc/g2.ca.vault.yml
  description db3.example.com >"$R/$CHAIN"
  publish "poc: db3"
  drifts "a host that no CA can sign" "certs.server.db3.example.com" \
    "new, and it can get no certificate of generation g2: its CA key was not kept (ca_keys: discard)" \
    "take it out of $CHAIN until the rotation has ended"
}

arrives_while_generated() {
  restore generated
  description "" newcomer >"$R/$CHAIN"
  publish "poc: newcomer"
  passes "a user that comes before trust" trusted
  check "it has an old certificate" is "$(issuer client newcomer)" "client G1"
  check "taken back" exits 0 go revert
  check "it keeps the old certificate" is "$(issuer client newcomer)" "client G1"
}

# A colleague made a certificate with the CA's key, as the team did it before.
sign() { # GENERATION AUTHORITY NAME: $T/new.{crt,key}
  git --git-dir "$T/remote.git" show "dev:.certrotate/poc/$1.ca.vault.yml" >"$T/ca.vault"
  ANSIBLE_VAULT_PASSWORD_FILE=$T/vault-password ansible-vault view "$T/ca.vault" 2>/dev/null | /usr/bin/python3 -c '
import sys, yaml
print(yaml.safe_load(sys.stdin)["ca_keys"][sys.argv[1]]["key"])' "$2" >"$T/ca.key"
  value ".certrotate/poc/$1.yml" "$2" chain >"$T/ca.crt"
  make_key "$T/new.key"
  make_certificate "$T/new.crt" "$T/new.key" "/O=Acme/CN=$3" "$T/ca" \
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=$2Auth\nsubjectAltName=DNS:$3\n"
  rm -f "$T/ca.key"
}

put_in() { # AUTHORITY NAME: $T/new.{crt,key} into both files, at the authority's end
  local code='(lambda at: t[:at] + "    " + a[1] + ": |\n" + open(a[2]).read() + t[at:])(re.search(r"^  \"?" + a[0] + r"\"?:\n(    .*\n)+", t, re.M).end())'
  block "$T/new.crt" >"$T/new.block"
  edit "$CERTS" "$code" "$1" "$2" "$T/new.block"
  [ "${3:-}" = alone ] || {
    block "$T/new.key" >"$T/new.block"
    edit_keys "$code" "$1" "$2" "$T/new.block"
  }
}

arrives_by_hand() {
  restore trusted
  sign g1 client byhand
  put_in client byhand
  publish "poc: byhand"
  check "status names who came by hand" exits 0 rotate status
  check "status says so" said "client byhand: came into $CERTS with a certificate of generation g1: the next phase takes it in"
  check "a user whom a colleague brought with a certificate of the old CA" exits 0 go next --to clients-switched
  check "it is said" said "it is taken in, and gets its successor"
  check "it has a certificate of the new generation" is "$(issuer client byhand)" "client G2"
  check "its key fits" key_fits client byhand
  check "going back gives it its own certificate" exits 0 go revert
  check "byte for byte" is "$(value "$CERTS" client byhand)" "$(cat "$T/new.crt")"

  restore trusted
  sign g2 server db4.example.com
  put_in server db4.example.com
  publish "poc: db4"
  passes "a host that came with a certificate of the new CA" servers-switched
  check "it keeps it" is "$(value "$CERTS" server db4.example.com)" "$(cat "$T/new.crt")"

  restore trusted
  make_chain "$T/foreign" F
  make_leaf "$T/foreign" client stranger
  cp "$T/foreign/client/stranger.crt" "$T/new.crt"
  cp "$T/foreign/client/stranger.key" "$T/new.key"
  put_in client stranger
  publish "poc: stranger"
  drifts "a user of another chain" "certs.client.stranger: $CERTS:" "came with a certificate that neither generation has signed: nobody here trusts it" \
    "take it out of $CERTS again" "$(who)"

  restore trusted
  sign g1 client byhand
  put_in client byhand alone
  publish "poc: byhand"
  drifts "a user without its key" "certs.client.byhand: $CERTS:" "came without its private key" "$(who)"
}

arrives_while_a_phase_is_under_way() {
  restore trusted
  check "a phase is stopped half-way" killed next
  git -C "$R" pull -q --ff-only origin dev 2>/dev/null
  description db3.example.com >"$R/$CHAIN"
  publish "poc: db3"
  passes "a host that comes while a phase is under way" servers-switched
  check "it has no certificate yet" is "$(value "$CERTS" server db3.example.com)" none
  passes "the next phase takes it in" clients-switched
  check "now it has one" is "$(issuer server db3.example.com)" "server G2"
}

# ---- who goes ---------------------------------------------------------------------------------------------------

REMOVE='re.sub(r"    \"?" + a[0] + r"\"?: [|].*\n(      .*\n)+", "", t)'

goes() {
  restore trusted
  edit "$CHAIN" 't.replace(", report", "")'
  edit "$CERTS" "$REMOVE" report
  edit_keys "$REMOVE" report
  publish "poc: report is gone"
  check "status names who went" exits 0 rotate status
  check "status says so" said "client report: no longer in the inventory and in the description"
  quietly git -C "$R" reset -q --hard HEAD~1
  check "a checkout that is behind makes no drift of it" exits 0 rotate status
  quietly git -C "$R" reset -q --hard origin/dev
  passes "a user that went" servers-switched
  passes "and the next phase" clients-switched
  check "it does not come back" is "$(value "$CERTS" client report)" none
  check "it is in no generation" is "$(value .certrotate/poc/g2.yml client report)" none
  quietly go revert --to trusted
  check "nor by going back" is "$(value "$CERTS" client report)" none

  restore trusted
  check "a host is left behind" exits 0 go next --waive "hosts=db2.example.com:broken disk"
  check "it is recorded" is "$(state "d['behind']")" "['db2.example.com']"
  edit "$CHAIN" 're.sub(r" *db2.example.com.*\n", "", t)'
  edit "$CERTS" "$REMOVE" db2.example.com
  edit_keys "$REMOVE" db2.example.com
  publish "poc: db2 is gone"
  passes "a host that went while it was behind" clients-switched
  check "nobody is behind any more" is "$(state "d['behind']")" "[]"
  check "it is no host any more" is "$(state "d['host_set']")" "['db1.example.com']"

  restore trusted
  edit "$CERTS" "$REMOVE" report
  publish "poc: report is half gone"
  drifts "a user that is described still" "certs.client.report: $CERTS: the rotation under way has it, the inventory does not" \
    "put it back; where the host or user is to go, take it out of $CHAIN" "$(who)"

  restore trusted
  edit "$CHAIN" 't.replace(", report", "")'
  edit "$CERTS" "$REMOVE" report
  publish "poc: report is gone, its key is not"
  drifts "a user whose key stayed" "private_keys.client.report: $KEYS:" "its certificate was taken out of $CERTS, its private key is still here" \
    "take it out of $KEYS as well"
}

# ---- what was done by hand --------------------------------------------------------------------------------------

SET='re.sub(r"(    \"?" + a[0] + r"\"?: [|].*\n)(      .*\n)+", lambda m: m[1] + open(a[1]).read(), t)'

replaced() {
  restore trusted
  sign g1 client app
  block "$T/new.crt" >"$T/new.block"
  edit "$CERTS" "$SET" app "$T/new.block"
  publish "poc: renew app"
  drifts "a certificate that was renewed by hand" "certs.client.app: $CERTS:" "not what the state says it is: another certificate ('O=Acme, CN=app', serial" \
    "signed by generation g1's 'C=NL, O=Acme, CN=client G1' (state trusted)" "$(who)" "take the value back ('git log -p -- $CERTS'"
  check "status: exit code 5" exits 5 rotate status
  check "status names it" said "certs.client.app: $CERTS:" "put there by hand"
  check "plan: exit code 5" exits 5 rotate plan
  check "plan names it" said "certs.client.app: $CERTS:"
  check "check warns" exits 1 rotate check
  check "check says drift" said "drift: the inventory is not what the state says"
  check "check's metric" exits 0 rotate check --prometheus
  check "check's metric is 1" said 'certrotate_drift{environment="poc"} 1'
  check "revert: exit code 5" exits 5 go revert
  git -C "$R" revert --no-edit HEAD >/dev/null
  quietly git -C "$R" push -q origin HEAD:dev
  passes "taken back by git revert" servers-switched

  restore trusted
  [ -d "$T/foreign" ] || make_chain "$T/foreign" F
  make_leaf "$T/foreign" server db1.example.com
  block "$T/foreign/server/db1.example.com.crt" >"$T/new.block"
  edit "$CERTS" "$SET" db1.example.com "$T/new.block"
  publish "poc: db1"
  drifts "a certificate of another CA" "certs.server.db1.example.com: $CERTS:" "signed by 'O=Acme, CN=server F', which nobody here trusts"

  restore trusted
  make_key "$T/other.key"
  block "$T/other.key" >"$T/new.block"
  edit_keys "$SET" app "$T/new.block"
  publish "poc: app's key"
  drifts "a key that does not fit" "private_keys.client.app: $KEYS:" "another key, put there by hand: it does not fit the certificate" "$(who)"
}

# The old vault of a merge: its keys are another generation's.
swapped_key() {
  restore trusted
  git --git-dir "$T/remote.git" show dev:.certrotate/poc/g2.vault.yml >"$T/keys.vault"
  ANSIBLE_VAULT_PASSWORD_FILE=$T/vault-password ansible-vault view "$T/keys.vault" 2>/dev/null | /usr/bin/python3 -c '
import sys, yaml
print(yaml.safe_load(sys.stdin)["private_keys"]["client"]["app"].strip())' >"$T/other.key"
  block "$T/other.key" >"$T/new.block"
  edit_keys "$SET" app "$T/new.block"
  publish "Merge branch 'newer'"
  drifts "another generation's key" "private_keys.client.app: $KEYS:" "generation g2's key, where the state says the other one's"
}

# Outside a rotation everything may change: what stands there is the old chain of the next one.
outside_a_rotation() {
  restore idle
  sign g1 client app
  block "$T/new.crt" >"$T/new.block"
  block "$T/new.key" >"$T/new.key.block"
  edit "$CERTS" "$SET" app "$T/new.block"
  edit_keys "$SET" app "$T/new.key.block"
  publish "poc: renew app"
  check "status finds nothing wrong" exits 0 rotate status
  check "a certificate that was renewed outside a rotation: it goes on" exits 0 go next
  check "it is said" said "certs.client.app" "2 value(s) differ from generation g1; the inventory as it is now counts as the old chain"
  passes "and everyone trusts the new chain" trusted
  check "the renewed certificate stays" is "$(value "$CERTS" client app)" "$(cat "$T/new.crt")"
}

bundles() {
  restore trusted
  [ -d "$T/foreign" ] || make_chain "$T/foreign" F
  { value "$CERTS" client chain && cat "$T/foreign/client.crt"; } >"$T/bundle"
  block "$T/bundle" >"$T/new.block"
  edit "$CERTS" '(lambda at: t[:at] + re.sub(r"(    \"?chain\"?: [|].*\n)(      .*\n)+", lambda m: m[1] + open(a[0]).read(), t[at:], count=1))(re.search(r"^  \"?client", t, re.M).start())' "$T/new.block"
  publish "poc: one CA more"
  drifts "a bundle that a colleague appended to" "certs.client.chain: $CERTS:" "a bundle that has in addition 'O=Acme, CN=client F'" "$(who)"

  restore trusted
  edit "$CERTS" 're.sub(r"-----END CERTIFICATE-----\n *-----BEGIN", "-----END CERTIFICATE----------BEGIN", t, count=1)'
  publish "poc: glued"
  drifts "a bundle that is glued" "certs.server.chain: $CERTS:" "something is glued to its END line" "$(who)"
}

harmless() {
  restore trusted
  edit "$CERTS" '"# certificates, see the wiki\n" + re.sub(r"^    \"?app\"?:", "    \"app\":", re.sub(r"^    \"?postgres\"?: [|]", "    '"'postgres'"': |  # the superuser", t, flags=re.M), flags=re.M) + "\nother: {a: 1}\n"'
  publish "poc: comments and quotes"
  passes "comments, quotes and other keys" servers-switched
  check "the comment stays" grep -q "# the superuser" "$R/$CERTS"

  restore trusted
  edit "$CERTS" 't.replace("\n", "\r\n")'
  publish "poc: line ends"
  passes "other line ends" servers-switched

  restore trusted
  git -C "$R" mv "$CERTS" "$GROUP/certificates.yml"
  edit certrotate.yml 't.replace("  census", "  certs: environments/{env}/group_vars/all/certificates.yml\n  census")'
  publish "poc: another name"
  passes "the certs file under another name" servers-switched

  restore trusted
  printf '#!/bin/sh\necho another-password\n' >"$T/new-password"
  chmod 755 "$T/new-password"
  vault rekey --new-vault-password-file "$T/new-password" "$KEYS"
  publish "poc: rekey"
  drift_password
}

# Everything else is still encrypted with the old password: that is said, with what to do.
drift_password() {
  check "a vault with another password: exit code 1" exits 1 go next
  check "it is said" said "$KEYS: wrong password, or the file was changed"
  for file in "$R"/.certrotate/poc/*.vault.yml; do
    vault rekey --new-vault-password-file "$T/new-password" "${file#"$R"/}"
  done
  edit ansible.cfg 't.replace(a[0], a[1])' "$T/vault-password" "$T/new-password"
  publish "poc: rekey the rest"
  passes "all vaults with the new password" servers-switched
}

template() {
  restore trusted
  edit "$CERTS" 're.sub(r"    \"?app\"?: [|].*\n(      .*\n)+", "    app: \"{{ lookup('"'file', 'app.crt'"') }}\"\n", t)'
  publish "poc: a template"
  drifts "a value that became a template" "certs.client.app: $CERTS:" "a template, which only Ansible can read"
}

# ---- states that were mixed -------------------------------------------------------------------------------------

our_commit() { # SUBJECT
  git -C "$R" log -1 --format=%H --grep="^certrotate poc: $1\$"
}

mixed() {
  restore trusted
  quietly go next
  # It conflicts in the state file: whoever reverts by hand keeps one side of it.
  colleague revert --no-commit "$(our_commit servers)" >/dev/null 2>&1 || true
  colleague checkout -q HEAD -- .certrotate
  publish "Revert servers"
  drifts "our commit taken back by hand" "$CERTS: the inventory is as 'trusted' says, and $STATE says 'servers-switched'" \
    "a commit of certrotate was taken back by hand" "$(who)" "a phase is taken back with 'certrotate revert' alone"

  restore trusted
  quietly go next
  quietly git -C "$R" checkout -q HEAD~2 -- "$STATE"
  publish "poc: state by hand"
  drifts "a state that was brought back" "the inventory is as 'servers-switched' says, and $STATE says 'trusted'" \
    "$STATE was changed by Bo Colleague in"

  restore trusted
  git -C "$R" show HEAD:"$CERTS" >"$T/older"
  quietly go next
  edit "$CERTS" '(lambda old: re.sub(r"    \"?db1.example.com\"?: [|].*\n(      .*\n)+", lambda m: re.search(r"    \"?db1.example.com\"?: [|].*\n(      .*\n)+", old)[0], t))(open(a[0]).read())' "$T/older"
  publish "Merge branch 'older'"
  drifts "a merge that mixed two states" "certs.server.db1.example.com: $CERTS:" \
    "generation g1's certificate, where the state says the other one's (state servers-switched)" "$(who)"

  restore trusted
  edit "$STATE" 't.replace("\"state\": \"trusted\"", "\"state\": \"generated\"", 1)'
  publish "poc: state by hand"
  check "a state that was edited: exit code 1" exits 1 go next
  check "it is said, and by whom" said "dev:$STATE" "$(who)"
}

begin drift
touch "$T/rollouts"
make_repository
quietly go next --first
keep idle
quietly go next
keep generated
quietly go next
keep trusted
for part in ${ONLY:-arrives_by_description arrives_by_inventory arrives_without_old_ca arrives_without_new_ca \
  arrives_while_generated arrives_by_hand arrives_while_a_phase_is_under_way goes replaced swapped_key \
  outside_a_rotation bundles harmless template mixed}; do
  "$part"
done
finish
