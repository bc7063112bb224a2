#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# No private key leaks: a whole rotation forward and back with real Ansible, whose tasks fail on keys and whose
# configuration asks for every way to write them down. Then all that was written is searched for every key of every
# generation, for the vault's password and for that of delivered keys: each write of certrotate and of all that it
# started (also to files that are gone), command lines and environments, the object stores of both repositories, what
# is left on disk.
#
#   tests/integration/secrets.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
BUILD=$(cd "${1:-build}" && pwd) || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/lib_repository.sh
. tests/integration/lib_repository.sh

PYTHON=/usr/bin/python3
WRITES=write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendmmsg,execve
WATCHER=

test_ends() {
  [ -z "$WATCHER" ] || kill "$WATCHER" 2>/dev/null
}

# ---- the repository ---------------------------------------------------------------------------------------------

rollout_playbook() {
  cat <<'YML'
- hosts: all
  gather_facts: false
  tasks:
    - name: Files
      ansible.builtin.copy:
        content: "{{ item.content }}"
        dest: "{{ out }}/{{ inventory_hostname }}.{{ item.name }}"
        mode: "0600"
      no_log: true
      loop:
        - {name: crt, content: "{{ certs.server[inventory_hostname] }}"}
        - {name: key, content: "{{ private_keys.server[inventory_hostname] }}"}
YML
}

# What teams write on a bad day: no no_log, diff mode, errors that quote.
leaking_playbook() {
  cat <<'YML'
- hosts: all
  gather_facts: false
  vars:
    key: "{{ private_keys.server[inventory_hostname] }}"
  tasks:
    - {name: All of them, ansible.builtin.debug: {var: private_keys}}
    - {name: One, ansible.builtin.debug: {msg: "the key is {{ key }}, yes"}}
    - {name: As YAML, ansible.builtin.debug: {msg: "{{ private_keys | to_nice_yaml }}"}}
    - {name: In base64, ansible.builtin.debug: {msg: "{{ key | b64encode }}"}}
    - {name: Shifted by one, ansible.builtin.debug: {msg: "{{ ('x' + key) | b64encode }}"}}
    - {name: All of them as JSON in base64, ansible.builtin.debug: {msg: "{{ private_keys | to_json | b64encode }}"}}
    - {name: As lines, ansible.builtin.debug: {msg: "{{ key.splitlines() }}"}}
    - name: A module that prints its arguments
      leaky: {text: "{{ key }}"}
      ignore_errors: true
    - name: A module that dies of them
      leaky: {text: "{{ key }}", die: true}
      ignore_errors: true
    - name: A loop that fails
      ansible.builtin.copy: {content: "{{ item.value }}", dest: "/nonexistent/{{ item.key }}"}
      loop: "{{ private_keys.server | dict2items }}"
      ignore_errors: true
    - name: A template error
      ansible.builtin.debug: {msg: "{{ key | from_json }}"}
      ignore_errors: true
    - name: A condition
      ansible.builtin.assert: {that: "{{ key }} == 1"}
      ignore_errors: true
    - name: A difference
      ansible.builtin.copy: {content: "{{ key }}", dest: "{{ out }}/{{ inventory_hostname }}.copy", mode: "0600"}
      diff: true
    - name: What is there
      ansible.builtin.slurp: {src: "{{ out }}/{{ inventory_hostname }}.copy"}
      register: there
    - {name: Show it, ansible.builtin.debug: {var: there}}
YML
}

leaky_module() {
  cat <<'PY'
#!/usr/bin/python3
import sys
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={"text": {"type": "str"}, "die": {"type": "bool"}})
sys.stderr.write(module.params["text"])
if module.params["die"]:
    raise ValueError("cannot take " + module.params["text"])
module.fail_json(msg="cannot take %r" % module.params["text"], given=module.params, logs_here=not module.no_log)
PY
}

# A callback that writes down every result, as log_plays and others do.
keeping_callback() {
  cat <<PY
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "$1"
    CALLBACK_NEEDS_ENABLED = $2
    def v2_runner_on_ok(self, result):
        open("$T/callback.$1", "a").write(repr(result._result))
    def v2_runner_on_failed(self, result, ignore_errors=False):
        open("$T/callback.$1", "a").write(repr(result._result))
PY
}

make_repository() {
  new_repository
  mkdir -p "$T/hosts" "$T/remote" "$T/out" "$R/plugins" "$R/library"
  cp -r tests/data/chainsmith-python/{config,environments} "$R"
  chmod -R u+w "$R"
  sed -i '1i key: ecdsa-p256' "$R/config/chainsmith_poc.yml"
  tests/data/chainsmith-python/bin/vault-password >"$T/password"
  mkdir -p "$T/given"
  (umask 077 && openssl rand -hex 20 >"$T/given/password")
  printf '#!/bin/sh\ncat %s\n' "$T/password" >"$T/vault-password"
  printf 'all:\n  vars: {ansible_connection: local, out: %s}\n  hosts:\n    db1.example.com:\n    db2.example.com:\n' \
    "$T/hosts" >"$R/environments/poc/hosts"
  rollout_playbook >"$R/rollout_new_certs.yml"
  leaking_playbook >"$R/leak.yml"
  sed 's/^    - {name: All of them.*/    - {name: At last, ansible.builtin.fail: {msg: "{{ key }}"}}/' "$R/leak.yml" >"$R/fail.yml"
  leaky_module >"$R/library/leaky.py"
  keeping_callback keeper True >"$R/plugins/keeper.py"
  keeping_callback always False >"$R/plugins/always.py"
  cat >"$R/ansible.cfg" <<CFG
[defaults]
$ANSIBLE_DEFAULTS
vault_password_file = $T/vault-password
remote_tmp = $T/remote
local_tmp = $T/local
log_path = $T/ansible.log
callbacks_enabled = keeper
callback_plugins = ./plugins
keep_remote_files = true
display_args_to_stdout = true
[diff]
always = true
CFG
  cat >"$R/certrotate.yml" <<'YML'
version: 1
defaults:
  endpoints: []
  census: {samples: 0}
  rollout:
    trust: [{playbook: rollout_new_certs.yml}, {playbook: leak.yml, extra_args: [-vvv]}]
    servers: [{playbook: rollout_new_certs.yml}, {playbook: fail.yml}]
environments: {poc: {}}
applications: {shop: {users: [application]}}
YML
  team_commits 'the environment'
}

# ---- running and searching --------------------------------------------------------------------------------------

# traced NAME COMMAND...: with every write noted; what it says is kept.
traced() {
  local name=$1 code=0
  shift
  mkdir -p "$T/trace.$name"
  # shellcheck disable=SC2016
  strace -ff --seccomp-bpf -y -xx -v -s 4000000 -e "trace=$WRITES" -e signal=none -o "$T/trace.$name/trace" \
    sh -c 'echo $$ >"$0" && exec "$@"' "$T/trace.$name/first" "$@" >"$T/out/$name" 2>&1 || code=$?
  # the shell's own beginning counts as the program's
  return $code
}

step() {
  local want=$1 name=$2
  shift 2
  exits "$want" traced "$name" "$BUILD/certrotate" -C "$R" "$@" || {
    tail -n 20 "$T/out/$name"
    return 1
  }
}

needles() {
  $PYTHON tests/secrets/needles.py keys "$T/password" "$T/remote.git" "$R" >"$T/needles" || return 1
  $PYTHON tests/secrets/needles.py password "$T/password" >>"$T/needles" || return 1
  $PYTHON tests/secrets/needles.py password "$T/given/password" >>"$T/needles"
}

# All objects of a repository, also those that nothing leads to, as they are before they are packed.
objects() {
  git -C "$1" cat-file --batch-all-objects --batch
}

search() {
  find "$@" -type f -print0 | "$BUILD/tests/search" "$T/needles"
}

written() {
  local dir
  for dir in "$T"/trace.*; do
    $PYTHON tests/secrets/written.py "$dir" "$T/written/${dir##*.}" "$T/hosts/" "$T/remote/" "$T/planted/" \
      /dev/shm/certrotate-scratch- /memfd: /dev/null || return 1
  done
}

# The folders in memory that were written to are gone. (Others on this machine have theirs.)
nothing_in_memory() {
  $PYTHON - "$T" <<'PY'
import glob, os, re, sys
name = re.compile("".join(r"\\x%02x" % byte for byte in b"/dev/shm/certrotate-scratch-") + r"((?:\\x[0-9a-f]{2}){6})")
seen = set()
for path in glob.glob(sys.argv[1] + "/trace.*/trace.*"):
    seen.update(name.findall(open(path, encoding="ascii").read()))
folders = ["/dev/shm/certrotate-scratch-" + bytes.fromhex(found.replace("\\x", "")).decode() for found in seen]
left = [folder for folder in folders if os.path.exists(folder)]
print(len(folders), "folders, left:", left)
sys.exit(bool(left) or not folders)
PY
}

# What is on disk, but the hosts and what belongs to the test itself.
on_disk() {
  find "$T" \( -path "$T/hosts" -o -path "$T/remote" -o -path "$T/written" -o -path "$T/trace.*" -o -path "$T/planted" \) \
    -prune -o -type f ! -name needles ! -name password -print0 | "$BUILD/tests/search" "$T/needles"
}

# ---- the tests --------------------------------------------------------------------------------------------------

begin secrets
need ansible-playbook ansible-core
need strace strace
[ -x "$BUILD/tests/search" ] || die "$BUILD/tests/search is missing: make $BUILD/tests/search"
[ "$(stat -f -c %T /dev/shm)" = tmpfs ] || die "/dev/shm is no memory file system: Ansible's temporary files need one"
export SECRETS_WATCHED=$T
make_repository
$PYTHON tests/secrets/watch.py "SECRETS_WATCHED=$T" "$T/proc" >"$T/out/watch" &
WATCHER=$!

check 'the chain is made' step 0 generate next --yes
check 'plan shows no more' step 0 plan plan
check 'trust is rolled out by playbooks that show keys, with -v' step 0 trust -v next --yes
check 'an application gives its word' step 0 ack ack --app shop
check 'servers fails on a key' step 1 servers -v next --yes
check 'and the state says so as JSON' step 3 json status --json
sed -i '/servers: \[/d' "$R/certrotate.yml"
team_commits 'without the playbook that fails'
check 'it goes on' step 0 servers2 next --yes
check 'clients' step 0 clients next --yes
check 'an application gets its keys, encrypted' step 0 deliver deliver --app shop --out "$T/delivered" \
  --passphrase-file "$T/given/password"
check 'back' step 0 back revert --yes
check 'and the old ones again, in the place of those' step 0 deliver2 deliver --app shop --out "$T/delivered" --json \
  --passphrase-file "$T/given/password"
check 'clients again, and prune' step 0 rest next --to idle --yes
check 'log and verify' step 0 log log
check 'verify' step 0 verify verify --json
kill "$WATCHER"
wait "$WATCHER"
WATCHER=

quietly needles
quietly written
mkdir -p "$T/objects"
for repository in "$T/remote.git" "$R"; do objects "$repository" >"$T/objects/${repository##*/}" || die "no objects"; done
check 'the playbooks did show keys, and the filter took them out' bash -c \
  "[ \$(grep -c 'private key removed' '$T/out/trust') -gt 10 ] && grep -q 'private key removed' '$T/out/servers'"
check 'modules do not log their arguments on a host' bash -c \
  "grep -q 'logs_here.*false' '$T/out/trust' && ! grep -q 'logs_here.*true' '$T/out/trust'"
check 'the hosts have keys' not search "$T/hosts"
check 'no write of certrotate or its children has one' search "$T/written"
check 'no command line or environment had one' search "$T/proc"
check 'certrotate and Ansible were seen there' bash -c "grep -qaF '$BUILD/certrotate' '$T/proc' && grep -qaF 'rollout_new_certs.yml' '$T/proc'"
check 'no git object has one' search "$T/objects"
check 'no file that is left has one' on_disk
check 'no callback was called' bash -c "! ls '$T'/callback.* '$T/ansible.log' '$T/local' 2>/dev/null"
check 'nothing is left in memory' nothing_in_memory

# ---- the search finds what is there -----------------------------------------------------------------------------

planter() {
  cat <<'PY'
import os, subprocess, sys
from cryptography.hazmat.primitives import serialization
pem = open(sys.argv[1], "rb").read()
key = serialization.load_pem_private_key(pem, None)
scalar = key.private_numbers().private_value.to_bytes(32, "big")
path = sys.argv[2] + "/gone"
with open(path, "wb") as file:
    file.write(pem[:100]), file.flush(), file.write(pem[100:])
os.unlink(path)
subprocess.run(["/bin/true", scalar.hex()], check=True)
subprocess.run(["/bin/true"], env={"KEY": __import__("base64").b64encode(b"x" + scalar).decode()}, check=True)
PY
}

control() {
  rm -rf "$T/trace.plant"
  make_key "$T/planted/key"
  planter >"$T/planted/planter.py"
  quietly traced plant $PYTHON "$T/planted/planter.py" "$T/planted/key" "$T"
  $PYTHON tests/secrets/needles.py key "$T/planted/key" >"$T/needles" || return 1
  $PYTHON tests/secrets/written.py "$T/trace.plant" "$T/written/plant" "$T/hosts/" || return 1
  git -C "$R" hash-object -w --stdin <"$T/planted/key" >/dev/null
  objects "$R" >"$T/objects/repository"
  search "$T/written/plant" "$T/objects"
}

mkdir -p "$T/planted"
check_not 'a key that was planted is found' control
[ -s "$T/check.out" ] || die "nothing was planted: $(cat "$T/out/plant")"
cp "$T/check.out" "$T/found"
for where in 'pem in .*gone' 'scalar/hex in .*-exec' 'scalar/base64.* in .*-exec' 'pem in .*/objects/repository'; do
  check "it is found: $where" grep -q "$where" "$T/found"
done
# ---- what a process that holds keys shows of itself --------------------------------------------------------------

# Ansible's place is taken by something that waits: certrotate has read all keys by then.
waiting() {
  cat <<SH
#!/bin/sh
case " \$* " in
*' --list-hosts '*) printf 'playbook: x\n\n  play #1 (all): all\n    hosts (1):\n      db1.example.com\n' ;;
*) touch '$T/nobody/ready'; exec sleep 60 ;;
esac
SH
}

held_keys() {
  mkdir -p "$T/nobody" "$T/waiting"
  waiting >"$T/waiting/ansible-playbook"
  install -m 755 "$BUILD/certrotate" "$T/waiting/certrotate"
  chmod 755 "$T/waiting/ansible-playbook"
  quietly go next
  chown -R nobody:nogroup "$T/nobody" "$T/home" "$R" "$T/remote.git" "$T/password"
  find "$T/nobody" "$R" -name core\* -type f -delete
  PATH=$T/waiting:$PATH $PYTHON tests/secrets/abort.py "$T/nobody/ready" \
    "$T/waiting/certrotate" -C "$R" next --yes </dev/null || return 1
  is "$(find "$T/nobody" "$R" -name 'core*' -type f)" ''
}

if [ "$(id -u)" = 0 ]; then check 'a process that holds keys shows nothing of them' held_keys; fi
[ -z "${KEEP:-}" ] || cp -r "$T" "$KEEP"
finish
