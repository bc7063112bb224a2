#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# Whole rotations over a bare remote with real Ansible, from chainsmith's own output and from other
# layouts: what the repository holds after each phase, and what happens to other people's work.
set -u
cd "$(dirname "$0")/../.." || exit 1
CERTROTATE=$(realpath "${1:-build}")/certrotate
TOP=$PWD
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
begin rotation
need ansible-playbook ansible-core
[ -x "$CERTROTATE" ] || die "$CERTROTATE is missing: make all"
export ANSIBLE_NOCOLOR=1 ANSIBLE_LOCALHOST_WARNING=false
unset CERTROTATE_ENV ANSIBLE_VAULT_PASSWORD_FILE ANSIBLE_CONFIG
export HOME=$T/home GIT_CONFIG_NOSYSTEM=1
mkdir -p "$HOME"

CERTS=environments/poc/group_vars/all/certs.yml
KEYS=environments/poc/group_vars/all/certs.vault.yml
STATE=.certrotate/poc/state.json

# A repository in the usual layout with the fixture's chain, a bare remote, and hosts that are
# folders below $R.out.
make_repo() { # DIR
  R=$1
  git init -q --bare -b dev "$R.git"
  git init -q -b dev "$R"
  cp -r "$TOP"/tests/data/chainsmith-python/{bin,config,environments} "$R"
  chmod -R u+w "$R"
  sed -i '1i key: ecdsa-p256' "$R/config/chainsmith_poc.yml"
  mkdir -p "$R.out"
  printf '[defaults]\nvault_password_file = bin/vault-password\n%s\n' "$ANSIBLE_DEFAULTS" >"$R/ansible.cfg"
  printf 'all:\n  vars: {ansible_connection: local, out: %s}\n  hosts:\n    db1.example.com:\n    db2.example.com:\n' "$R.out" >"$R/environments/poc/hosts"
  printf 'version: 1\ndefaults:\n  endpoints: []\n  census: {samples: 0}\n' >"$R/certrotate.yml"
  cat >"$R/rollout_new_certs.yml" <<'YML'
- hosts: all
  gather_facts: false
  tasks:
    - name: Files  # one module for all of them: a loop of copies takes three times as long
      ansible.builtin.command:
        argv:
          - /usr/bin/python3
          - -c
          - |
            import json, os, sys
            for name, text in json.load(sys.stdin).items():
                with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
                    out.write(text)
        chdir: "{{ out }}"
        stdin: "{{ files | to_json }}"
      vars:
        files: >-
          {{ {inventory_hostname ~ '.crt': certs.server[inventory_hostname],
              inventory_hostname ~ '.key': private_keys.server[inventory_hostname],
              inventory_hostname ~ '.ca': certs.client.chain,
              inventory_hostname ~ '.phase': certrotate_phase | default('')} }}
      no_log: true
YML
  (
    cd "$R" || exit 1
    git remote add origin "$R.git"
    identify
    git add -A && git commit -qm 'the environment' && git push -qu origin dev
  )
}

identify() {
  git config user.name 'DBA One'
  git config user.email dba@example.com
}

rotate() { "$CERTROTATE" -C "$R" "$@"; }
# What the remote's branch holds: field of the state file by a Python expression on d.
state() { git -C "$R" show "origin/dev:$STATE" | /usr/bin/python3 -c "import json,sys; d=json.load(sys.stdin); print($1)"; }
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
exits() { # CODE COMMAND...
  local want=$1 got=0
  shift
  "$@" || got=$?
  is "$got" "$want"
}
says() { # TEXT COMMAND...: its output has the text, whatever its exit code
  local text=$1 out
  shift
  out=$("$@" 2>&1)
  case $out in *"$text"*) ;; *) echo "not said: $text"; echo "$out"; return 1 ;; esac
}
view_keys() { (cd "$R" && ansible-vault view "$KEYS"); }

# Every leaf of the inventory passes openssl's own judgement with the bundle that its peers hold.
leaves_verify() {
  (cd "$R" && git show "origin/dev:$CERTS") >"$T/certs.yml"
  view_keys >"$T/keys.yml" || return 1
  rm -rf "$T/leaves"
  /usr/bin/python3 - "$T/certs.yml" "$T/keys.yml" "$T/leaves" <<'PY' || return 1
import os, sys, yaml
certs = yaml.safe_load(open(sys.argv[1]))["certs"]
keys = yaml.safe_load(open(sys.argv[2]))["private_keys"]
for authority, values in certs.items():
    folder = os.path.join(sys.argv[3], authority)
    os.makedirs(folder)
    for name, text in values.items():
        open(os.path.join(folder, name + ".pem"), "w").write(text)
        if name != "chain":
            open(os.path.join(folder, name + ".key"), "w").write(keys[authority][name])
PY
  local leaf name
  for leaf in "$T"/leaves/server/db*.pem; do
    name=$(basename "$leaf" .pem)
    # The Python chainsmith gives a server with one name no SAN: its CN is all that it has.
    openssl verify -purpose sslserver -verify_hostname "$name" -CAfile "$T/leaves/server/chain.pem" "$leaf" || return 1
  done
  for leaf in "$T"/leaves/client/*.pem; do
    case $leaf in */chain.pem) continue ;; esac
    openssl verify -purpose sslclient -CAfile "$T/leaves/client/chain.pem" "$leaf" || return 1
  done
  for leaf in "$T"/leaves/*/*.key; do
    is "$(openssl pkey -in "$leaf" -pubout)" "$(openssl x509 -in "${leaf%.key}.pem" -noout -pubkey)" || return 1
  done
}

count_certs() { git -C "$R" show "origin/dev:$CERTS" | /usr/bin/python3 -c "import sys,yaml; print(yaml.safe_load(sys.stdin)['certs']['$1']['chain'].count('BEGIN'))"; }
snapshot() { # everything that is the user's: index, staged and unstaged changes, untracked files
  (
    cd "$R" || exit 1
    git diff --cached --binary -- . ":!.certrotate" ":!environments/poc/group_vars"
    git diff --binary
    git ls-files --others --exclude-standard
    git ls-files -v notes.txt staged.txt intent.txt
    sha256sum notes.txt staged.txt untracked.txt intent.txt
  )
}

# ---------------------------------------------------------------- a rotation, there and back
make_repo "$T/one"
before=$(sha256sum <"$R/$CERTS")
keys_before=$(view_keys | sha256sum)
(cd "$R" && echo base >notes.txt && git add notes.txt && git commit -qm notes && git push -q &&
  echo changed >>notes.txt && echo staged >staged.txt && git add staged.txt && echo more >>staged.txt &&
  echo untracked >untracked.txt && echo intent >intent.txt && git add -N intent.txt)
mine=$(snapshot)

check 'plan changes nothing' exits 0 rotate plan
check 'the plan names no key' bash -c "! '$CERTROTATE' -C '$R' plan -v 2>&1 | grep -q 'PRIVATE KEY'"
check 'generate' rotate next --yes
check 'the state is generated' is "$(state "d['state']")" generated
check 'nothing live has changed' is "$(git -C "$R" show "origin/dev:$CERTS" | sha256sum)" "$before"
check 'CA keys are kept in a vault' grep -q "ANSIBLE_VAULT;1" "$R/.certrotate/poc/g2.ca.vault.yml"
check 'trust' rotate next --yes
check 'both bundles hold both chains' is "$(count_certs server) $(count_certs client)" '4 4'
check 'every leaf verifies in trusted' leaves_verify
check 'revert of trust' rotate revert --yes
check 'certs.yml has its old bytes back' is "$(sha256sum <"$R/$CERTS")" "$before"
check 'trust again' rotate next --yes
check 'servers' rotate next --yes
check 'every leaf verifies in servers-switched' leaves_verify
check 'the host has the phase that ran' grep -qx servers "$R.out/db1.example.com.phase"
check 'revert of servers' rotate revert --yes
check 'servers and clients in one call' rotate next --to clients-switched --yes
check 'every leaf verifies in clients-switched' leaves_verify
check 'the same target again does nothing' exits 0 rotate next --to clients-switched --yes
check 'back to generated in one call' rotate revert --to generated --yes
check 'certs.yml has its old bytes back' is "$(sha256sum <"$R/$CERTS")" "$before"
check 'the keys have their old text back' is "$(view_keys | sha256sum)" "$keys_before"
check 'forward again' rotate next --to clients-switched --yes
check 'prune' rotate next --yes
check 'both bundles hold the new chain alone' is "$(count_certs server) $(count_certs client)" '2 2'
check 'every leaf verifies after the prune' leaves_verify
check 'the state is idle' is "$(state "d['state'], d['generations']['old'], d['generations']['retired']")" 'idle g2 g1'
check 'a prune is taken back with --prune only' exits 2 rotate revert --yes
check 'the prune is taken back' rotate revert --prune --yes
check 'and done again' rotate next --yes
check "other people's staged, unstaged and untracked work is as it was" is "$(snapshot)" "$mine"
check 'one commit and one settle commit a phase' is "$(git -C "$R" log --format=%s origin/dev | grep -c '^certrotate poc: settle')" "$(git -C "$R" log --format=%s origin/dev | grep '^certrotate poc:' | grep -vc settle)"
check 'each carries its trailers' bash -c "test \$(git -C '$R' log --format='%(trailers:key=Certrotate-Rotation,valueonly)' --grep '^certrotate poc' origin/dev | grep -c '^2') = \$(git -C '$R' log --format=%s origin/dev | grep -c '^certrotate poc')"
check 'a revert names what it undid' bash -c "git -C '$R' log --format='%(trailers:key=Certrotate-Reverts,valueonly)' origin/dev | grep -q '^[0-9a-f]\{40\}\$'"
check 'the journal is private' is "$(stat -c %a "$R/.git/certrotate/poc" "$R/.git/certrotate/poc/journal" | tr '\n' ' ')" '700 600 '
check 'no key anywhere in the clear' bash -c "! grep -rlE -- '-----BEGIN [A-Z ]*PRIVATE KEY' '$R' --include='*' --exclude-dir=.git && ! git -C '$R' log -p --all | grep -q -- 'PRIVATE KEY-----'"
check 'log tells what ran' says 'ran rollout_new_certs.yml: 2 hosts' rotate log
check 'status in JSON' bash -c "'$CERTROTATE' -C '$R' --json status | /usr/bin/python3 -c 'import json,sys; d=json.load(sys.stdin); assert d[\"version\"]==1 and d[\"environments\"][0][\"state\"]==\"idle\"'"
check 'check is OK' says 'CERTROTATE OK - poc idle' rotate check
check 'check warns' exits 1 rotate check --warning 400
check 'check is critical' exits 2 rotate check --critical 400
check 'metrics' says 'certrotate_state{environment="poc",state="idle"} 1' rotate check --prometheus

# ---------------------------------------------------------------- an emergency
check 'an emergency needs its reason' exits 2 rotate next --emergency ' ' --yes
check 'an emergency' rotate next --emergency 'key of application leaked' --yes
check 'it is in the history' says 'reason: key of application leaked' rotate log
check 'no way back from it' exits 2 rotate revert --prune --yes
check 'every leaf verifies after it' leaves_verify

# ---------------------------------------------------------------- somebody else at the same time
git clone -q "$R.git" "$T/other"
(cd "$T/other" && identify)
hook=$R/.git/hooks/pre-push
cat >"$hook" <<HOOK
#!/bin/sh
# A colleague is faster, once.
[ -e '$T/raced' ] && exit 0
touch '$T/raced'
cd '$T/other' && unset GIT_DIR && git pull -q && \$(cat '$T/race') >'$T/race.out' 2>&1
exit 0
HOOK
chmod +x "$hook"
cat >"$T/unrelated" <<SH
#!/bin/sh
cd '$T/other' && echo x >>README && git add README && git commit -qm 'something else' && git push -q
SH
chmod +x "$T/unrelated"
echo "$T/unrelated" >"$T/race"
(cd "$R" && git reset -q --hard && git clean -fdq)
check 'the base moves on unrelated: the commit is made anew' rotate next --yes
check "the colleague's commit is there" git -C "$R" log --format=%s origin/dev --grep 'something else' -1
check 'and the checkout is at the tip' is "$(git -C "$R" rev-parse HEAD)" "$(git -C "$R" rev-parse origin/dev)"
rm -f "$T/raced"
# git runs hooks with LC_ALL=C here, which Ansible does not take.
echo "env LC_ALL=C.UTF-8 $CERTROTATE -C $T/other next --yes" >"$T/race"
check 'the state moves on: the second one stops with exit 4' exits 4 rotate next --yes
check 'only one of them rolled out' is "$(state "[e['phase'] for e in d['history']].count('trust')")" "$(state "len([e for e in d['history'] if e['phase']=='trust'])")"
check 'what the winner did stands' is "$(state "d['state']")" trusted
rm -f "$hook"

# ---------------------------------------------------------------- killed in the middle
(cd "$R" && git reset -q --hard && git clean -fdq && git pull -q && cp rollout_new_certs.yml "$T/rollout.yml" && printf '    - name: Slow\n      ansible.builtin.command: sleep 30\n      changed_when: false\n' >>rollout_new_certs.yml && git commit -qam slow && git push -q)
"$CERTROTATE" -C "$R" next --yes >"$T/killed.out" 2>&1 &
pid=$!
# The journal has earlier rotations as well: its last line says what is being done now.
begun() { tail -n 1 "$R/.git/certrotate/poc/journal" | grep -q '"step":"rollout","mark":"begin"[^}]*servers/forward'; }
until_true 180 begun
sleep 1
kill -9 "$pid"
wait "$pid" 2>/dev/null
check 'status says what is unfinished' says 'servers: it is under way since' rotate status
check 'status exits 3 then' exits 3 rotate status
(cd "$T/other" && git pull -q)
check 'a clone beside it does not go on by itself' exits 4 "$CERTROTATE" -C "$T/other" next --yes
(cd "$R" && cp "$T/rollout.yml" rollout_new_certs.yml && git commit -qam 'quick again' && git push -q)
check 'next goes on with it' rotate next --yes
check 'and it is done' is "$(state "d['state'], d['under_way']")" 'servers-switched None'
check 'every leaf verifies' leaves_verify

# ---------------------------------------------------------------- a rollout that fails, and turning round
(cd "$R" && printf '    - name: Broken\n      ansible.builtin.fail: {msg: no space left}\n      when: inventory_hostname == "db2.example.com"\n' >>rollout_new_certs.yml && git commit -qam broken && git push -q)
check 'a failed host is named' says 'db2.example.com' rotate next --yes
check 'the phase stays unfinished' is "$(state "d['under_way']['phase']")" clients
(cd "$R" && cp "$T/rollout.yml" rollout_new_certs.yml && git commit -qam whole && git push -q)
check 'revert turns round' rotate revert --yes
check 'the state is the one before' is "$(state "d['state'], d['under_way']")" 'servers-switched None'
check 'every leaf verifies' leaves_verify

# ---------------------------------------------------------------- another machine
(cd "$R" && printf '    - name: Broken\n      ansible.builtin.fail: {msg: no space left}\n' >>rollout_new_certs.yml && git commit -qam broken && git push -q)
check_not 'a phase stops' rotate next --yes
(cd "$R" && cp "$T/rollout.yml" rollout_new_certs.yml && git commit -qam whole && git push -q)
elsewhere() { unshare -ru sh -c 'hostname elsewhere && exec "$@"' sh "$CERTROTATE" -C "$T/other" "$@"; }
if unshare -ru true 2>/dev/null; then
  (cd "$T/other" && git pull -q && git config --global --add safe.directory '*')
  check 'another machine does not go on by itself' exits 4 elsewhere next --yes
  check 'with --take-over it does' elsewhere next --take-over --yes
  git -C "$R" fetch -q
  check 'and the phase is done' is "$(state "d['state']")" clients-switched
else
  echo 'left out: unshare is not allowed here, so nothing about --take-over is known'
  check 'the phase goes on' rotate next --yes
fi

# ---------------------------------------------------------------- a host that is down
git -C "$R" pull -q
(cd "$R" && printf '    - name: Down\n      ansible.builtin.fail: {msg: down}\n      when: inventory_hostname == "db2.example.com"\n' >>rollout_new_certs.yml && git commit -qam down && git push -q)
check 'revert with a host left out' rotate revert --yes --waive 'hosts=db2:power supply'
check 'it is recorded as behind' is "$(state "d['behind']")" "['db2.example.com']"
check 'status names it' says 'was left out of a rollout' rotate status
check 'the revert before, without it' rotate revert --yes --waive 'hosts=db2:power supply'
check 'what it still has would be refused from then on' says 'block behind host db2.example.com: left behind, it still has its new certificate' rotate revert --yes --waive 'hosts=db2:power supply'
check 'and nothing has changed' is "$(state "d['behind'], d['state']")" "['db2.example.com'] trusted"
check 'prove says that it would be brought up to date' says 'it is brought up to date first' rotate prove
check 'the next phase wants it first' exits 3 rotate next --yes
(cd "$R" && cp "$T/rollout.yml" rollout_new_certs.yml && git commit -qam up && git push -q)
check 'once it is up it is brought up to date' says 'db2.example.com was left behind' rotate next --yes
check 'it comes along again' rotate next --yes
check 'and nobody is behind' is "$(state "d['behind'], d['state']")" '[] clients-switched'

# ---------------------------------------------------------------- merge requests
make_repo "$T/two"
(cd "$R" && printf '  git: {flow: merge_request}\n' >>certrotate.yml && git commit -qam flow && git push -q)
git clone -q "$R.git" "$T/reviewer"
(cd "$T/reviewer" && identify)
merge() { # BRANCH HOW
  (
    cd "$T/reviewer" && git pull -q && git fetch -q -p || exit 1
    case $2 in
    squash) git merge -q --squash "origin/$1" && git commit -qm "squashed $1" ;;
    rebase) echo "$1" >>CHANGES && git add CHANGES && git commit -qm other && git cherry-pick "origin/$1" >/dev/null ;;
    *) git merge -q --no-ff -m "merge $1" "origin/$1" ;;
    esac && git push -q && { [ "$2" != squash ] || git push -q origin --delete "$1"; }
  )
}
# The one with the highest revision: two may be of the same second.
waiting() {
  git -C "$R" for-each-ref --format='%(refname:strip=3)' 'refs/remotes/origin/certrotate/poc-*' |
    awk -F-r '{ print $NF, $0 }' | sort -n | tail -n 1 | cut -d' ' -f2-
}
phase() { # HOW
  exits 3 rotate next --yes && merge "$(waiting)" "$1" && rotate next --yes
}
check 'generate by merge commit' phase merge
back() { says "once it is merged, type 'certrotate revert' again" rotate revert --yes && merge "$(waiting)" merge && rotate revert --yes; }
check 'and taken back the same way' back
check 'generate again' phase merge
check 'a name is never given twice' is "$(state "d['generations']['new']")" g3
check 'trust by squash, its branch deleted' phase squash
check 'every leaf verifies' leaves_verify
check 'it waits, and says for what' says 'waiting for the merge of certrotate/poc-servers' rotate next --yes
check 'it still waits' exits 3 rotate next --yes
check 'status says so' says 'waiting for the merge' rotate status
check 'revert takes back what nobody merged' rotate revert --yes
check 'and the branch is gone' is "$(git -C "$R.git" for-each-ref 'refs/heads/certrotate/poc-servers*')" ''
check 'servers by rebase behind another commit' phase rebase
check 'clients by merge commit' phase merge
check 'prune by squash' phase squash
check 'every leaf verifies' leaves_verify
check 'the settled state is idle' says 'idle' rotate status
check 'the base has the new chain alone' is "$(count_certs server)" 2

# ---------------------------------------------------------------- a first generation, without a remote
make_repo "$T/three"
(
  cd "$R" && git rm -q -r --cached environments/poc/group_vars && rm -rf environments/poc/group_vars .git "$R.git" &&
    mkdir -p environments/poc/group_vars/all && touch environments/poc/group_vars/all/.keep &&
    git init -q -b dev . && identify && printf '  git: {push: false}\n' >>certrotate.yml && git add -A && git commit -qm start
)
check 'an environment without a chain says so' says 'certrotate next --first' rotate status
check_not 'next alone does not make one' rotate next --yes
check 'the first generation' rotate next --first --yes
local_is() { git -C "$R" update-ref refs/remotes/origin/dev dev; }
local_is
check 'every leaf verifies' leaves_verify
check 'a second first is refused' exits 2 rotate next --first --yes
check 'it is rotated without a remote' rotate next --to clients-switched --yes
check 'and pruned' rotate next --yes
local_is
check 'every leaf verifies after that' leaves_verify

# ---------------------------------------------------------------- other layouts
make_repo "$T/four"
(
  cd "$R" && bin/vault-password >"$T/password" && export ANSIBLE_VAULT_PASSWORD_FILE=$T/password &&
    ansible-vault view "$KEYS" >"$T/clear.yml" 2>/dev/null && { cat "$CERTS"; sed 1d "$T/clear.yml"; } >"$T/both.yml" &&
    ansible-vault encrypt --encrypt-vault-id default --output "$T/both.vault.yml" "$T/both.yml" >/dev/null 2>&1
  cp "$T/both.vault.yml" environments/poc/group_vars/all/certs.vault.yml && git rm -qf "$CERTS" &&
    printf '  certs: %s\n  keys: %s\n' "$KEYS" "$KEYS" >>certrotate.yml && git add -A && git commit -qm 'one file' && git push -q
)
check 'certificates and keys in one vault' rotate next --to trusted --yes
check 'revert gives the same text' rotate revert --yes
check 'to the byte' is "$(view_keys | sha256sum)" "$(sha256sum <"$T/both.yml")"

make_repo "$T/five"
/usr/bin/python3 - "$T/clear.yml" "$T/password" >"$T/inline.yml" <<'PY'
import subprocess, sys, yaml
keys = yaml.safe_load(open(sys.argv[1]))["private_keys"]
print("---\n# inline vaults\nprivate_keys:")
for authority, values in keys.items():
    print("  %s:" % authority)
    for name, text in values.items():
        out = subprocess.run(["ansible-vault", "encrypt_string", "--vault-id", sys.argv[2], "--stdin-name", name],
                             input=text, text=True, capture_output=True, check=True).stdout
        print("\n".join("    " + line for line in out.rstrip("\n").split("\n")))
PY
(cd "$R" && cp "$T/inline.yml" "$KEYS" && git commit -qam inline && git push -q)
before=$(sha256sum <"$R/$KEYS")
check 'keys in inline vaults' rotate next --to servers-switched --yes
check 'the hosts got a key that fits' bash -c "test \"\$(openssl pkey -in '$R.out/db1.example.com.key' -pubout)\" = \"\$(openssl x509 -in '$R.out/db1.example.com.crt' -noout -pubkey)\""
check 'back' rotate revert --to generated --yes
check 'to the byte' is "$(sha256sum <"$R/$KEYS")" "$before"

finish
