#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# Everything that can be wrong before or during a phase: each case has its one message with the
# place, its hint and its exit code, and leaves the work tree, the index, the references, the remote
# and .git/certrotate (but for the lock and the journal) exactly as they were.
# SHOW=1 prints what the program said in each case; ONLY=WORD runs the cases whose name has it.
set -u
cd "$(dirname "$0")/../.." || exit 1
CERTROTATE=$(realpath "${1:-build}")/certrotate
TOP=$PWD
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
begin refusals
need ansible-playbook ansible-core
[ -x "$CERTROTATE" ] || die "$CERTROTATE is missing: make all"
export ANSIBLE_NOCOLOR=1 ANSIBLE_LOCALHOST_WARNING=false
unset CERTROTATE_ENV ANSIBLE_VAULT_PASSWORD_FILE ANSIBLE_CONFIG
export HOME=$T/home GIT_CONFIG_NOSYSTEM=1
export ASAN_OPTIONS=${ASAN_OPTIONS:-exitcode=99}
mkdir -p "$HOME"

R=$T/work/repo
GROUP=environments/poc/group_vars/all
CERTS=$GROUP/certs.yml
KEYS=$GROUP/certs.vault.yml
CHAIN=config/chainsmith_poc.yml
HOSTS=environments/poc/hosts
STATE=.certrotate/poc/state.json

# ---------------------------------------------------------------- the repository, and what holds

make_repo() {
  mkdir -p "$R.out"
  git init -q --bare -b dev "$R.git"
  git init -q -b dev "$R"
  cp -r "$TOP"/tests/data/chainsmith-python/{bin,config,environments} "$R"
  chmod -R u+w "$R"
  sed -i '1i key: ecdsa-p256' "$R/$CHAIN"
  cat >"$R/ansible.cfg" <<CFG
[defaults]
vault_password_file = bin/vault-password
$ANSIBLE_DEFAULTS
CFG
  cat >"$R/$HOSTS" <<YML
all:
  vars: {ansible_connection: local, out: $R.out}
  hosts:
    db1.example.com:
    db2.example.com:
YML
  printf 'version: 1\ndefaults:\n  endpoints: []\n  census: {samples: 0}\n' >"$R/certrotate.yml"
  cat >"$R/rollout_new_certs.yml" <<'YML'
- hosts: all
  gather_facts: false
  tasks:
    - name: Files
      ansible.builtin.copy:
        content: "{{ certs.client.chain }}"
        dest: "{{ out }}/{{ inventory_hostname }}.ca"
        mode: "0600"
YML
  cd "$R" || exit 1
  echo notes >notes.txt
  git remote add origin "$R.git"
  git config user.name 'DBA One'
  git config user.email dba@example.com
  publish
  git branch -q --set-upstream-to origin/dev 2>/dev/null
}

publish() { git add -A && git commit -qm change && git push -q origin HEAD:dev; }
rotate() { "$CERTROTATE" -C "$R" "$@"; }

# From here on every case begins with this copy.
keep() {
  cd "$T" || exit 1
  rm -rf "$T/kept/$1" && mkdir -p "$T/kept" && cp -a "$T/work" "$T/kept/$1"
  cd "$R" || exit 1
}

restore() {
  cd "$T" || exit 1
  chattr -R -i "$T/work" 2>/dev/null
  rm -rf "$T/work" && cp -a "$T/kept/$1" "$T/work"
  cd "$R" || exit 1
}

# All that a refusal leaves alone. Objects that nothing refers to and FETCH_HEAD do not count.
everything() {
  (
    cd "$R" || exit 0
    tar --sort=name --exclude=./.git -cf - . | sha256sum
    if [ -d .git ]; then
      git ls-files -sv
      cat .git/HEAD
      git for-each-ref
      find .git -name '*.lock' -o -path '*certrotate/*' ! -name lock ! -name journal -type f -exec sha256sum {} +
      cat .git/{MERGE_HEAD,CHERRY_PICK_HEAD,ORIG_HEAD,config} 2>/dev/null
    fi
    [ ! -d "$R.git" ] || git -C "$R.git" for-each-ref
  ) 2>&1
}

# Nothing of a private key: neither a header nor a line of any key's text.
no_key() { ! grep -q -e 'PRIVATE KEY-----' "$1" && ! grep -qFf "$T/key.lines" "$1"; }

count() { grep -c -e "$1" "$2"; }

judge() { # CODE GOT MESSAGE HINT BEFORE
  local bad=0 now
  [ "$1" = "$2" ] || { echo "exit code $2, not $1"; bad=1; }
  [ "$(count '^certrotate: ' "$T/out")" = 1 ] || { echo 'not exactly one message'; bad=1; }
  grep '^certrotate: ' "$T/out" | grep -qF -- "$3" || { echo "not said: $3"; bad=1; }
  if [ "$4" = - ]; then
    [ "$(count '^HINT: ' "$T/out")" = 0 ] || { echo 'a hint nobody expected'; bad=1; }
  else
    [ "$(count '^HINT: ' "$T/out")" = 1 ] || { echo 'not exactly one hint'; bad=1; }
    grep '^HINT: ' "$T/out" | grep -qF -- "$4" || { echo "no hint: $4"; bad=1; }
  fi
  no_key "$T/out" || { echo 'a private key was printed'; bad=1; }
  grep -e Sanitizer -e 'runtime error' "$T/out" && bad=1
  now=$(everything)
  [ "$5" = "$now" ] || { echo 'something was changed:'; diff <(echo "$5") <(echo "$now"); bad=1; }
  [ "$bad" = 0 ] || sed 's/^/| /' "$T/out"
  [ "$bad" = 0 ]
}

wanted() { case $1 in *"${ONLY:-}"*) ;; *) return 1 ;; esac; }

FROM=idle
# refused WHAT CODE MESSAGE HINT [COMMAND...]: next --yes where no command is given; HINT - for none
refused() {
  local what=$1 code=$2 message=$3 hint=$4 before got=0
  shift 4
  [ $# -gt 0 ] || set -- rotate next --yes
  if wanted "$what"; then
    before=$(everything)
    "$@" >"$T/out" 2>&1 </dev/null || got=$?
    check "$what" judge "$code" "$got" "$message" "$hint" "$before"
    [ -z "${SHOW:-}" ] || sed "s/^/  [$got] /" "$T/out"
  fi
  restore "$FROM"
}

allowed() { # WHAT TEXT COMMAND...: it goes on and says TEXT, and no key
  local what=$1 text=$2
  shift 2
  if wanted "$what"; then
    check "$what" bash -c '"$@" </dev/null' bash "$@"
    cp "$T/check.out" "$T/out"
    check "$what: it is said" grep -qF -- "$text" "$T/out"
    check "$what: no key is said" no_key "$T/out"
    [ -z "${SHOW:-}" ] || sed 's/^/  /' "$T/out"
  fi
  restore "$FROM"
}

edit() { # FILE PYTHON: an expression on the text t
  /usr/bin/python3 -c 'import re, sys
t = open(sys.argv[1], newline="").read()
open(sys.argv[1], "w", newline="").write(eval(sys.argv[2]))' "$@"
}

vault() { ANSIBLE_VAULT_PASSWORD_FILE=$R/bin/vault-password ansible-vault "$@" >/dev/null 2>&1; }
edit_keys() { vault decrypt "$KEYS" && edit "$KEYS" "$1" && vault encrypt "$KEYS"; }

make_repo
ANSIBLE_VAULT_PASSWORD_FILE=bin/vault-password ansible-vault view "$KEYS" 2>/dev/null |
  sed -n 's/^ *\([A-Za-z0-9+/=]\{40,\}\)$/\1/p' >"$T/key.lines"
[ -s "$T/key.lines" ] || die 'the fixture has no keys'
keep idle

# ---------------------------------------------------------------- the command line
refused 'an unknown command' 2 "unknown command 'nxt'" "did you mean 'next'?" rotate nxt
refused 'no command' 2 'no command given' "see 'certrotate --help'" rotate
refused 'an unknown option' 2 "unknown option '--waiv'" "did you mean '--waive'?" rotate next --waiv x
refused 'an option of another command' 2 "'status' has no option --yes" 'certrotate status --help' rotate status --yes
refused 'an option without its value' 2 '--to needs a value' - rotate next --to
refused 'a word too many' 2 "unexpected argument 'trusted'" '--to trusted' rotate next trusted --yes
refused 'an unknown state' 2 "'trustd' is not a state" "did you mean 'trusted'?" rotate next --to trustd --yes
refused 'a state that next does not reach' 2 "'next' does not lead from idle to absent" '--to STATE' rotate next --to absent --yes
refused 'a revert with nothing to revert' 2 'there is nothing to undo' 'revert --prune' rotate revert --yes
refused 'nobody to answer and no --yes' 2 'nobody is there to answer' 'add --yes' rotate next
refused 'a waiver without a reason' 2 "is not of the form GATE[=SUBJECT]:REASON" '--waive' rotate next --waive hosts=db1.example.com --yes
allowed 'a waiver of nothing' 'warning: --waive nonsense=db1.example.com had no effect' "$CERTROTATE" -C "$R" next --waive nonsense=db1.example.com:because --yes
refused 'an unknown environment' 2 "there is no environment 'pc'" "did you mean 'poc'?" rotate next --env pc --yes
refused 'an unknown CERTROTATE_ENV' 2 "there is no environment 'pox'" "did you mean 'poc'?" env CERTROTATE_ENV=pox "$CERTROTATE" -C "$R" status
refused 'a folder that is not there' 2 "$T/nowhere" 'name it with -C' "$CERTROTATE" -C "$T/nowhere" status
mkdir "$T/plain"
refused 'no repository' 2 "$T/plain" 'name it with -C' env GIT_CEILING_DIRECTORIES="$T" "$CERTROTATE" -C "$T/plain" next --yes
refused 'a bare repository' 2 "$R.git: a bare git repository" 'work in a clone' "$CERTROTATE" -C "$R.git" next --yes
cp -r environments/poc environments/acc
cp "$CHAIN" config/chainsmith_acc.yml
publish
refused 'two environments and no --env' 2 'there are 2 environments: name one with --env' 'there are acc, poc'

# ---------------------------------------------------------------- files that are not there
gone() { # WHAT FILE MESSAGE HINT
  git rm -q --cached "$2" && mv "$2" "$T/gone" && publish
  refused "$1 is missing" 2 "$3" "$4"
  git rm -q --cached "$2" && rm "$2" && mkdir -p "$2" && touch "$2/.keep" && publish
  refused "$1 is a folder" 2 "$2" "$4"
}
gone 'certs.yml' "$CERTS" "$CERTS is not in the branch dev" "'certs' in certrotate.yml"
gone 'the vault' "$KEYS" "the vault with the keys of environment 'poc': $KEYS" "'keys' in certrotate.yml"
gone 'the chain description' "$CHAIN" "the chain's description of environment 'poc': $CHAIN" "'chain' in certrotate.yml"
gone 'the playbook' rollout_new_certs.yml "a playbook of environment 'poc': rollout_new_certs.yml" "'rollout.trust' in certrotate.yml"
if [ "$(id -u)" != 0 ]; then
  chmod 000 "$CERTS"
  refused 'certs.yml is unreadable' 2 "$CERTS: Permission denied" 'certs'
fi

# ---------------------------------------------------------------- broken YAML
broken() { # WHAT FILE CODE MESSAGE HINT: a line in the middle
  edit "$2" 't + "\n  a: [1\nb: }\n"' && publish
  refused "$1: broken YAML" "$3" "$4" "$5"
}
broken 'certs.yml' "$CERTS" 1 "$CERTS:3" 'line 381'
broken 'the chain description' "$CHAIN" 2 "$CHAIN:24: intermediates" 'line 10'
broken 'certrotate.yml' certrotate.yml 2 'certrotate.yml:7: defaults.a' 'line 6'
edit_keys 't + "\n  a: [1\nb: }\n"' && publish
refused 'the vault: broken YAML' 1 "$KEYS:488: private_keys.a" 'line 487'

# ---------------------------------------------------------------- what cannot be edited safely
unsafe() { # WHAT CODE MESSAGE HINT PYTHON
  edit "$CERTS" "$5" && publish
  refused "certs.yml: $1" "$2" "$3" "$4"
}
unsafe 'an alias' 1 "$CERTS:" 'write the text out' 't.replace("\"pgfga\": |", "\"pgfga\": &leaf |").replace("\"server\":\n", "\"server\":\n    \"db3.example.com\": *leaf\n")'
unsafe 'a template' 1 "$CERTS:139: certs.client.pgfga" 'git log -p' 're.sub("(\"pgfga\": )[|][^\"]*", "\\1\"{{ other }}\"\n    ", t)'
unsafe 'a duplicate key' 1 "$CERTS:173: certs.client.pgquartz: the key stands here twice, first in line 139" 'git log -p' 't.replace("\"pgfga\": |", "\"pgquartz\": |")'
unsafe 'several documents' 1 "$CERTS:380: a second document begins" 'git log -p' 't + "---\nother: 1\n"'
unsafe 'a certificate that is none' 1 "$CERTS:139: certs.client.pgfga: certificate 1 (line 1): not a certificate" 'git log -p' 're.sub("(\"pgfga\": [|]\n *-----BEGIN CERTIFICATE-----\n *)MII", "\\1AAA", t)'
unsafe 'a certificate cut short' 1 "$CERTS:139: certs.client.pgfga: certificate 1 (line 1): not a certificate" 'git log -p' 're.sub("(\"pgfga\": [|]\n *-----BEGIN CERTIFICATE-----\n *.*\n).*\n", "\\1", t)'
unsafe 'glued certificates' 1 "$CERTS:72: certs.client.chain: block 1 (line 1): something is glued to its END line" 'line of its own' 're.sub("-----END CERTIFICATE-----\n *-----BEGIN", "-----END CERTIFICATE----------BEGIN", t)'
unsafe 'a leaf that is a number' 1 "$CERTS:139: certs.client.pgfga" 'git log -p' 're.sub("(\"pgfga\": )[|][^\"]*", "\\g<1>42\n    ", t)'
unsafe 'no certs in it' 1 "$CERTS" "set 'certs'" '"---\nother: 1\n"'
unsafe 'empty' 1 "$CERTS" "set 'certs'" '""'
unsafe 'an authority without its chain' 1 'certs.server' 'chain' 're.sub("(\"server\":\n) *\"chain\": [|][^\"]*\"", "\\1    \"", t)'
iconv -t UTF-16 "$CERTS" -o "$T/utf16" && cp "$T/utf16" "$CERTS" && publish
refused 'certs.yml: UTF-16' 1 "$CERTS:1: is UTF-16; only UTF-8 is read" 'git log -p'

# ---------------------------------------------------------------- vault and password
printf '#!/bin/sh\necho wrong\n' >bin/vault-password && publish
refused 'a wrong vault password' 1 "$KEYS" 'password'
printf '#!/bin/sh\necho "no ticket" >&2\nexit 3\n' >bin/vault-password && publish
refused 'a password script that fails' 1 'bin/vault-password' 'by hand'
printf '#!/bin/sh\n' >bin/vault-password && publish
refused 'a password script that says nothing' 1 'bin/vault-password gives is empty' 'by hand'
sed -i /vault_password/d ansible.cfg && publish
refused 'no vault password configured' 2 'vault password' 'ANSIBLE_VAULT_PASSWORD_FILE'
refused 'a vault password file that is not there' 1 "$T/none is not there" 'ANSIBLE_VAULT_PASSWORD_FILE' env ANSIBLE_VAULT_PASSWORD_FILE="$T/none" "$CERTROTATE" -C "$R" next --yes
edit "$KEYS" '"\n".join(l if i != 800 else ("3" + ("4" if l[1] == "3" else "3") + l[2:]) for i, l in enumerate(t.split("\n")))' && publish
refused 'a tampered vault' 1 "$KEYS: wrong password, or the file was changed" 'bin/vault-password'
edit "$KEYS" 't[:len(t) // 2]' && publish
refused 'a truncated vault' 1 "$KEYS: the vault is cut short" 'from git'
edit "$KEYS" 't.split("\n")[0] + "\n"' && publish
refused 'a vault with nothing but its header' 1 "$KEYS: the vault is cut short" 'from git'
edit "$KEYS" 't.replace("AES256", "AES")' && publish
refused 'a vault with another cipher' 1 "$KEYS: unsupported vault cipher" 'ansible-vault rekey'
vault decrypt "$KEYS" && publish
refused 'keys in the clear' 1 "$KEYS:4: private_keys.client.application stands in the clear" 'ansible-vault encrypt'
edit_keys 't.replace("db1.example", "dbX.example").replace("db2.example", "db1.example").replace("dbX.example", "db2.example")' && publish
allowed 'a key of another certificate' 'warning key server db1.example.com, server db2.example.com: its old key does not fit its certificate' "$CERTROTATE" -C "$R" next --yes
edit_keys 're.sub("(\"pgfga\": [|]\n *-----BEGIN[^\n]*\n *)MI", "\\1AA", t)' && publish
allowed 'a key that is none' 'warning key client pgfga: its old key does not fit its certificate' "$CERTROTATE" -C "$R" next --yes
edit_keys 're.sub("\"pgfga\": [|][^\"]*\"", "\"", t)' && publish
allowed 'a key that is missing' 'warning key-missing client pgfga: ' "$CERTROTATE" -C "$R" next --yes
edit_keys 't.replace("\"private_keys\"", "\"keys\"")' && publish
refused 'no private_keys in the vault' 1 "$KEYS: no 'private_keys:' in it" "set 'keys'"

# ---------------------------------------------------------------- the description and the inventory
edit "$CHAIN" 't + "  - name: replication\n    clients: [streaming]\n    extendedKeyUsages: [clientAuth]\n"' && publish
refused 'an authority that the inventory lacks' 2 "$CHAIN:23: the authority 'replication' has no chain" 'certs.replication'
edit "$CHAIN" 't[:t.index("  - name: client")]' && publish
refused 'an authority that the description lacks' 2 "certs.client has no counterpart in $CHAIN" "add '- name: client'"
edit "$CHAIN" 't.replace("ecdsa-p256", "ed25519")' && publish
refused 'Ed25519 for servers' 2 "$CHAIN:1" 'ecdsa-p256'
edit "$CHAIN" 't.replace("ecdsa-p256", "rsa1024")' && publish
refused 'an unknown kind of key' 2 "$CHAIN:1" 'rsa'
edit "$CHAIN" 't.replace("intermediates:", "intermediate:")' && publish
refused 'no intermediates' 2 "$CHAIN: 'intermediates' is missing" "line 9 says 'intermediate'"
edit "$CHAIN" 't[:t.index("intermediates:")] + "intermediates: []\n"' && publish
refused 'an empty list of intermediates' 2 "$CHAIN:9: intermediates: there is no authority" 'certrotate.yml(5)'

# ---------------------------------------------------------------- certrotate.yml
config() { # WHAT MESSAGE HINT TEXT
  printf '%b' "$4" >certrotate.yml && publish
  refused "certrotate.yml: $1" 2 "$2" "$3"
}
config 'an unknown key' 'certrotate.yml:3' "did you mean 'endpoints'?" 'version: 1\ndefaults:\n  endpoint: []\n'
config 'a wrong type' 'certrotate.yml:3: defaults.endpoints: expected a list' 'certrotate.yml(5)' 'version: 1\ndefaults:\n  endpoints: 5432\n'
config 'a bad duration' 'certrotate.yml:3: defaults.census.quiet: expected a duration like 90s' 'certrotate.yml(5)' 'version: 1\ndefaults:\n  census: {quiet: 1 day}\n'
config 'a bad port' 'certrotate.yml:3: defaults.endpoints[0].port: expected a number from 1 to 65535, not 70000' 'certrotate.yml(5)' 'version: 1\ndefaults:\n  endpoints: [{name: db1.example.com, port: 70000}]\n'
config 'a path with ..' 'certrotate.yml:3' 'repository' 'version: 1\ndefaults:\n  certs: ../certs.yml\n'
config 'an absolute path' 'certrotate.yml:3' 'repository' 'version: 1\ndefaults:\n  keys: /etc/passwd\n'
config 'another version' 'certrotate.yml:1' 'version 1' 'version: 2\n'
config 'no version' 'certrotate.yml' 'version: 1' 'defaults: {}\n'
config 'an unknown flow' 'certrotate.yml:3' 'merge_request' 'version: 1\ndefaults:\n  git: {flow: merge-request}\n'
config 'a playbook that is not there' 'no.yml' 'rollout.servers' 'version: 1\ndefaults:\n  endpoints: []\n  rollout: {servers: [{playbook: no.yml}]}\n'
mkdir "$T/outside" && cp "$CERTS" "$T/outside" && rm "$CERTS" && ln -s "$T/outside/certs.yml" "$CERTS" && publish
refused 'certs.yml is a link out of the repository' 2 "'$CERTS' leaves the repository through a symbolic link" 'certrotate.yml(5)'
refused 'a configuration that is not there' 2 "$R/other.yml: No such file" '-c' rotate -c other.yml next --yes

# ---------------------------------------------------------------- git
git checkout -q --detach
refused 'a detached HEAD' 2 'HEAD is detached' 'git switch'
git checkout -q -b other
refused 'another branch' 2 'the checkout is on branch other' 'git switch dev'
echo more >>notes.txt && git commit -qam local
refused 'a commit that the remote lacks' 1 'branch dev has 1 commit that origin does not have' 'push'
git checkout -q --orphan empty && git rm -rqf --cached . && git branch -q -D dev
refused 'an unborn branch' 2 'branch empty has no commit yet' 'check out the base branch'
git checkout -qb side && echo a >>notes.txt && git commit -qam a && git checkout -q dev && git merge -q --no-ff --no-commit side >/dev/null 2>&1
refused 'a merge in progress' 2 'a git merge is under way' 'git merge --abort'
GIT_SEQUENCE_EDITOR='sed -i 1s/^pick/edit/' git rebase -q -i --root >/dev/null 2>&1
refused 'a rebase in progress' 2 'a git rebase is under way' 'git rebase --abort'
for file in rollout_new_certs.yml "$HOSTS" ansible.cfg "$CERTS" certrotate.yml "$CHAIN"; do
  echo '# mine' >>"$file"
  refused "$file is modified" 1 "changes that are not committed: $file" 'git stash'
done
echo 'x: 1' >environments/poc/group_vars/all/extra.yml
refused 'a new file in the inventory' 1 'group_vars/all/extra.yml' 'git stash'
git rm -q --cached "$CERTS"
refused 'certs.yml is taken out of the index' 1 "$CERTS" 'git'
git remote remove origin
refused 'no remote' 2 'there is no remote named origin' 'git remote add origin URL'
git remote set-url origin "$T/nowhere.git"
refused 'the remote cannot be reached' 1 'nowhere.git' 'git fetch'
printf '  git: {base: main}\n' >>certrotate.yml && publish
refused 'a base that does not exist' 2 'remote origin has no branch named main' 'git.base'
printf '#!/bin/sh\necho "ticket number missing" >&2\nexit 1\n' >"$R.git/hooks/pre-receive" && chmod +x "$R.git/hooks/pre-receive"
refused 'a push that the server refuses' 1 'ticket number missing' 'merge_request'
git config --unset user.name && git config --unset user.email
refused 'nobody to commit as' 2 'git does not know your name' 'git config --global user.name'

# ---------------------------------------------------------------- programs, and a chain that is over

rotate next --yes >/dev/null 2>&1 </dev/null
keep generated
FROM=generated
restore generated
mkdir "$T/bin"
for program in git sh env cat basename dirname uname sed; do ln -s "$(command -v "$program")" "$T/bin"; done
refused 'no ansible-playbook' 1 'ansible-playbook was not found in PATH' 'install' env PATH="$T/bin" "$CERTROTATE" -C "$R" next --yes
rm "$T/bin/git"
refused 'no git' 1 'git was not found in PATH' 'install git' env PATH="$T/bin" "$CERTROTATE" -C "$R" next --yes
refused 'a first generation where there is one' 2 'the environment has a chain already' 'certrotate next' rotate next --first --yes
refused 'no prune to take back' 2 'a rotation is under way' '--prune' rotate revert --prune --yes
refused 'an emergency without a reason' 2 '--emergency needs a reason' 'history' rotate next --emergency ' ' --yes
refused 'a host to leave out that is none' 2 '--waive hosts=db9.example.com: there is no such host in environments/poc' 'db1.example.com, db2.example.com' rotate next --waive hosts=db9.example.com:why --yes

# ---------------------------------------------------------------- the inventory and the playbook, as Ansible sees them
git rm -q "$HOSTS" && publish
refused 'the inventory file is missing' 1 'environments/poc: ansible-playbook refuses rollout_new_certs.yml: No inventory was parsed' 'ansible-playbook -i environments/poc --list-hosts'
edit "$HOSTS" 't + "\n  a: [1\nb: }\n"' && publish
refused 'the inventory: broken YAML' 1 "$HOSTS:8: " 'ansible-playbook -i environments/poc --list-hosts'
edit rollout_new_certs.yml 't + "\n  a: [1\nb: }\n"' && publish
refused 'the playbook: broken YAML' 1 'rollout_new_certs.yml:' 'ansible-playbook -i environments/poc --list-hosts'
edit rollout_new_certs.yml 't.replace("ansible.builtin.copy", "ansible.builtin.kopy")' && publish
refused 'the playbook: an unknown module' 1 "rollout_new_certs.yml:4: ansible-playbook refuses rollout_new_certs.yml: couldn't resolve module/action 'ansible.builtin.kopy'" 'ansible-playbook -i environments/poc --list-hosts'
edit rollout_new_certs.yml 't.replace("hosts: all", "hosts: none_such")' && publish
refused 'a playbook that matches no host' 1 'rollout_new_certs.yml: it has no host of environments/poc' 'ansible-inventory -i environments/poc --graph'

# ---------------------------------------------------------------- the state file
state() { # WHAT CODE MESSAGE HINT PYTHON
  edit "$STATE" "$5" && publish
  refused "state.json: $1" "$2" "$3" "$4"
}
# The same with the sum that belongs to it: what a faulty certrotate could have written.
summed_state() {
  edit "$STATE" "$5" && /usr/bin/python3 - "$STATE" <<'PY' && publish
import hashlib, json, sys
state = json.load(open(sys.argv[1]))
del state["sum"]
text = json.dumps(state, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
state["sum"] = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
json.dump(state, open(sys.argv[1], "w"), indent=2)
PY
  refused "state.json: $1" "$2" "$3" "$4"
}
state 'another version' 1 "dev:$STATE: state of version 2, this certrotate knows version 1" 'use the certrotate that wrote it' 't.replace("\"version\": 1", "\"version\": 2")'
state 'of another environment' 1 "dev:$STATE" 'git' 't.replace("\"environment\": \"poc\"", "\"environment\": \"acc\"")'
state 'no JSON' 1 "dev:$STATE" 'git log -- .certrotate' 't[:len(t) // 2]'
state 'changed by hand' 1 "dev:$STATE: its 'sum' is not that of its content" "git checkout COMMIT -- $STATE" 't.replace("\"generated\"", "\"idle\"")'
state 'a line lost in a merge' 1 "dev:$STATE: its 'sum' is not that of its content" 'a merge as text' 're.sub("  \"revision\": [0-9]*,\n", "", t)'
state 'without a sum' 1 "dev:$STATE: it has no 'sum' of its content" "git log -- $STATE" 're.sub(",\n  \"sum\": [^\n]*", "", t)'
state "a merge's conflict" 1 "dev:$STATE:3: not valid JSON" "git log -- $STATE" 't.replace("  \"environment\"", "<<<<<<< HEAD\n  \"environment\"")'
summed_state 'an unknown state' 1 "dev:$STATE: unknown state" 'git' 't.replace("\"generated\"", "\"trustd\"")'
summed_state 'a wrong type' 1 "dev:$STATE: 'host_set' is not a list of names" 'git log -- .certrotate' 're.sub("\"host_set\": \\[[^]]*\\]", "\"host_set\": 7", t)'
state 'empty' 1 "dev:$STATE" 'git log -- .certrotate' '""'
summed_state 'a generation whose name leaves the folder' 1 "dev:$STATE" 'git' 't.replace("\"g1\"", "\"../../g1\"")'

# ---------------------------------------------------------------- in the middle of a rotation
rotate next --yes >"$T/out" 2>&1 </dev/null || { cat "$T/out"; die 'no trust'; }
keep trusted
FROM=trusted
restore trusted
G=.certrotate/poc
git rm -q $G/g2.yml && publish
refused 'the new generation is missing' 1 "$G/g2.yml is not in the branch dev" "git log -- $G"
git rm -q $G/g2.vault.yml && publish
refused "the new generation's keys are missing" 1 "$G/g2.vault.yml is not in the branch dev" "git log -- $G"
edit $G/g2.yml 't[:len(t) // 2]' && publish
refused 'the new generation is cut short' 1 "$G/g2.yml:" "git log -- $G"
edit $G/g2.vault.yml 't[:len(t) // 2]' && publish
refused "the new generation's keys are cut short" 1 "$G/g2.vault.yml: the vault is cut short" 'from git'
edit $G/g2.yml 't.replace("MI", "AA", 1)' && publish
refused 'the new generation is damaged' 1 "$G/g2.yml:" "git log -- $G"
edit $G/g2.yml 't.replace("pgfga", "pgother")' && publish
refused 'the new generation is changed by hand' 1 "$G/g2.yml: its last line is not the 'sum' of the lines before it" "git log -- $G"
cp $G/g1.vault.yml $G/g2.vault.yml && publish
refused "the new generation has another's keys" 1 "$G/g2.vault.yml: not generation g2" "git log -- $G"
echo '# mine' >>$G/g1.yml
refused 'a generation is modified' 1 "changes that are not committed: $G/g1.yml" 'git stash'

drifted() { # WHAT SUBJECT PYTHON
  edit "$CERTS" "$3" && publish
  refused "drift: $1" 5 "$2" "${4:-git log -p}"
}
leaf='(\"%s\": [|])([^\"]*)'
# shellcheck disable=SC2059
drifted 'a leaf changed by hand' "certs.client.pgfga: $CERTS:169: not what the state says it is: another certificate" "re.sub('$(printf "$leaf" pgfga)', lambda m: m[1] + re.search('$(printf "$leaf" pgquartz)', t)[2], t)"
drifted 'a bundle changed' "certs.client.chain: $CERTS:72: not what the state says it is: a bundle that lacks" 're.sub("(\"client\":.*?\"chain\": [|]\n)(.*?END CERTIFICATE-----\n)", "\\1", t, 1, re.S)'
drifted 'a host added' "certs.server.db3.example.com: $CERTS:440: came without its private key" 't + t[t.index("    \"db2.example.com\""):].replace("db2", "db3")' 'take it out'
drifted 'a user removed' "certs.client.pgfga: $CERTS: the rotation under way has it, the inventory does not" 're.sub("    \"pgfga\": [|][^\"]*\"", "    \"", t)' 'put it back'
edit_keys 't.replace("\"pgfga\"", "\"pgother\"")' && publish
refused 'drift: a key renamed' 5 'private_keys.client.pgfga' 'put it back'
FROM=trusted

# ---------------------------------------------------------------- a repository that cannot be written
if unshare -rm true 2>/dev/null; then
  # shellcheck disable=SC2016
  refused 'a repository that cannot be written' 1 'Read-only file system' 'mounted read-only' unshare -rm sh -c \
    'mount --bind "$2" "$2" && mount -o remount,ro,bind "$2" && exec "$1" -C "$2/repo" next --yes' sh "$CERTROTATE" "$T/work"
  git config --global --add safe.directory '*'
else
  echo 'left out: unshare is not allowed here, so nothing about a read-only repository is known'
fi

# ---------------------------------------------------------------- a rollout that fails
stops() { # WHAT MESSAGE HINT: the phase is unfinished, its log is named, and it can be gone on with
  local what=$1 got=0 log
  if ! wanted "$what"; then
    restore "$FROM"
    return
  fi
  rotate next --yes >"$T/out" 2>&1 </dev/null || got=$?
  [ -z "${SHOW:-}" ] || sed "s/^/  [$got] /" "$T/out"
  check "$what" judge 1 "$got" "$2" "$3" "$(everything)"
  log=$(grep -o "$R/.git/certrotate/poc/logs/[^ ,;:]*log" "$T/out" | head -n 1)
  check "$what: its log is there and private" [ "$(stat -c %a "$log")" = 600 ]
  check "$what: no key in the log" no_key "$log"
  check "$what: the phase is unfinished" grep -q '"phase": "servers"' <(git show "origin/dev:$STATE" | grep -A 12 under_way)
  check "$what: and the work tree is what was pushed" git diff --quiet origin/dev
  cp "$T/rollout.yml" rollout_new_certs.yml
  cp "$T/hosts.yml" "$HOSTS"
  publish
  check "$what: next goes on" rotate next --yes
  check "$what: and it is done" grep -q '"state": "servers-switched"' <(git show "origin/dev:$STATE")
  restore "$FROM"
}
cp rollout_new_certs.yml "$T/rollout.yml"
cp "$HOSTS" "$T/hosts.yml"
cat >>rollout_new_certs.yml <<'YML'
    - name: Say a key
      ansible.builtin.debug: {msg: "{{ private_keys.server[inventory_hostname] }}"}
    - name: Broken
      ansible.builtin.fail: {msg: no space left}
      when: inventory_hostname == "db2.example.com"
YML
publish
stops 'a rollout that fails on one host' 'db2.example.com' 'log'
edit "$HOSTS" 't.replace("db2.example.com:", "db2.example.com: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}")' && publish
stops 'a rollout that does not reach a host' 'db2.example.com' 'log'

# ---------------------------------------------------------------- a chain that has expired
# As make_certificate, but over since long: FILE KEY SUBJECT ISSUER EXTENSIONS
make_expired() {
  local by=(-cert "$4.crt" -keyfile "$4.key")
  [ "$4" != self ] || by=(-selfsign -keyfile "$2")
  printf 'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n%b' "$5" >"$1.ext"
  openssl req -new -key "$2" -subj "$3" -out "$1.csr"
  openssl ca -batch -notext -config "$T/ca.cnf" "${by[@]}" -extfile "$1.ext" -in "$1.csr" -out "$1" \
    -startdate 20240101000000Z -enddate 20250101000000Z 2>/dev/null || die "openssl ca: no $1"
}
expired_chain() {
  local d=$T/old kind name file
  mkdir -p "$d/server" "$d/client"
  touch "$T/ca.index"
  cat >"$T/ca.cnf" <<CNF
[ca]
default_ca = own
[own]
database = $T/ca.index
new_certs_dir = $d
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
organizationName = optional
commonName = supplied
CNF
  make_key "$d/root.key"
  make_expired "$d/root.crt" "$d/root.key" '/O=Acme/CN=root old' self 'basicConstraints=critical,CA:TRUE\n'
  for kind in server client; do
    make_key "$d/$kind.key"
    make_expired "$d/$kind.crt" "$d/$kind.key" "/O=Acme/CN=$kind old" "$d/root" 'basicConstraints=critical,CA:TRUE\n'
    cat "$d/$kind.crt" "$d/root.crt" >"$d/$kind/chain.crt"
  done
  for name in server/db1.example.com server/db2.example.com client/{postgres,avchecker,pgquartz,pgfga,application}; do
    kind=${name%/*}
    make_key "$d/$name.key"
    make_expired "$d/$name.crt" "$d/$name.key" "/O=Acme/CN=${name#*/}" "$d/$kind" "extendedKeyUsage=${kind}Auth\nsubjectAltName=DNS:${name#*/}\n"
  done
  for name in crt:certs key:private_keys; do
    echo "${name#*:}:"
    for kind in server client; do
      echo "  $kind:"
      for file in "$d/$kind"/*."${name%:*}"; do
        echo "    $(basename "$file" ."${name%:*}"): |"
        sed 's/^/      /' "$file"
      done
    done
  done >"$d/all.yml"
  sed '/^private_keys/,$d' "$d/all.yml" >"$CERTS"
  sed -n '/^private_keys/,$p' "$d/all.yml" >"$KEYS"
  cat "$d"/*/*.key | grep -v -- ----- | grep -E '.{40}' >>"$T/key.lines"
  vault encrypt "$KEYS"
}
FROM=idle
restore idle
expired_chain && publish
keep expired
FROM=expired
refused 'an expired chain' 3 'expired at' "certrotate next --emergency REASON"
# The state is the one that it ends in: that does not make it done. The same one again is.
# shellcheck disable=SC2016 # $@ is the inner shell's
allowed 'the emergency path then works, once' 'completed emergency' bash -c '"$@" && ! "$@" 2>&1 | grep completed' bash \
  "$CERTROTATE" -C "$R" next --emergency 'the chain expired' --to idle --yes

# ---------------------------------------------------------------- what the user has changed elsewhere
FROM=idle
restore idle
echo mine >>notes.txt && echo new >untracked.txt && git add untracked.txt
allowed 'a modified file that no rollout reads' 'completed generate' "$CERTROTATE" -C "$R" next --yes

# ---------------------------------------------------------------- the same in JSON
json() {
  /usr/bin/python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert d["version"] == 1 and d["exit"] == 2 and "nonsense" in d["message"] and d["hint"], d' "$1"
}
rotate --json next --env nonsense --yes >"$T/json" 2>"$T/err" </dev/null
check 'a refusal in JSON' json "$T/json"

finish
