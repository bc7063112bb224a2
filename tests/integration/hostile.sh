#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# Input that somebody made on purpose: files that are too large, have no end or are no files; names that would leave
# the repository or be a command; texts that would act on a terminal; programs that never stop talking. Each ends with
# one message, the right exit code, and nothing changed. A program of Ansible's name says what it would roll out.
#
#   tests/integration/hostile.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
BUILD=$(cd "${1:-build}" && pwd) || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/lib_repository.sh
. tests/integration/lib_repository.sh

GROUP=environments/poc/group_vars/all
CHAIN=config/chainsmith_poc.yml
LOCAL=.git/certrotate
PYTHON=/usr/bin/python3

recorder() {
  cat <<'SH'
#!/bin/sh
case " $* " in
*' --list-hosts '*) printf 'playbook: x\n\n  play #1 (all): all\n    hosts (1):\n      db1.example.com\n'; exit ;;
esac
[ ! -e "$HOSTILE_OUTPUT" ] || sh "$HOSTILE_OUTPUT"
echo 'PLAY RECAP *********'
for host in db1.example.com db2.example.com; do
  echo "$host : ok=1 changed=1 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0"
done
SH
}

make_repository() {
  new_repository
  mkdir -p "$T/bin"
  recorder >"$T/bin/ansible-playbook"
  chmod 755 "$T/bin/ansible-playbook"
  export PATH=$T/bin:$PATH HOSTILE_OUTPUT=$T/output
  cp -r tests/data/chainsmith-python/{bin,config,environments} "$R"
  chmod -R u+w "$R"
  sed -i '1i key: ecdsa-p256' "$R/$CHAIN"
  printf 'all:\n  hosts:\n    db1.example.com:\n    db2.example.com:\n' >"$R/environments/poc/hosts"
  printf '[defaults]\nvault_password_file = bin/vault-password\n' >"$R/ansible.cfg"
  printf 'version: 1\ndefaults:\n  endpoints: []\n  census: {samples: 0}\nenvironments: {poc: {}}\n' >"$R/certrotate.yml"
  team_commits 'the environment'
  cp -a "$R" "$T/kept"
  cp -a "$T/remote.git" "$T/kept.git"
}

again() {
  rm -rf "$R" "$T/remote.git" "$T/output"
  cp -a "$T/kept" "$R"
  cp -a "$T/kept.git" "$T/remote.git"
}

# Whatever is asked for ends in a minute (LIMIT: seconds), and in little memory.
bounded() {
  (ulimit -v 4000000 && timeout "${LIMIT:-60}" "$BUILD/certrotate" -C "$R" "$@")
}

# refused CODE TEXT COMMAND...: one message with the text, no commit, nothing that a name made.
refused() {
  local code=$1 text=$2 before
  before=$(tip)
  shift 2
  exits "$code" bounded "$@" && said "$text" && is "$(tip)" "$before" &&
    is "$(grep -c '^certrotate: ' "$T/said")" 1 && not ls "$T/pwned" "$R/pwned" 2>/dev/null
}

# ---- files that are none, have no end, or are too large ---------------------------------------------------------

special_files() {
  local huge=$T/huge.yml
  truncate -s 5G "$huge"
  mkfifo "$T/pipe.yml"
  check 'a configuration of 5 GB' refused 2 'larger than' -c "$huge" status
  check 'a configuration that is a device' refused 2 'not a regular file' -c /dev/zero status
  check 'a configuration that is a pipe' refused 2 'not a regular file' -c "$T/pipe.yml" status
  check 'a configuration of the kernel' refused 2 '' -c /proc/kallsyms status
  ln -sf /dev/zero "$R/$CHAIN"
  check 'a description that leads to a device' refused 2 'leaves the repository' plan
  again
  rm "$R/$CHAIN" && mkfifo "$R/$CHAIN"
  check 'a description that is a pipe' refused 1 'not a regular file' plan
  again
  rm "$R/environments/poc/hosts" && mkfifo "$R/environments/poc/hosts"
  check 'an inventory that is a pipe' refused 1 '' next --yes
  again
  truncate -s 5G "$R/$CHAIN"
  check 'a description of 5 GB' refused 1 'larger than' plan
  again
}

# What git has is read from there, so it is put there.
put() {
  local path=$1 blob
  blob=$(git -C "$R" hash-object -w --stdin) || return 1
  git -C "$R" update-index --add --cacheinfo "100644,$blob,$path"
  quietly git -C "$R" commit -q -m "$path"
  quietly git -C "$R" push -q origin HEAD:dev
  rm -f "${R:?}/$path"
  quietly git -C "$R" checkout -q -- "$path"
}

repeat() { # COUNT TEXT
  head -c "$(($1 * ${#2}))" < <(yes "$2" | tr -d '\n')
}

too_much() {
  head -c 270M /dev/zero | put "$GROUP/certs.yml"
  check 'certificates of 270 MB' refused 1 'larger than' plan
  again
  { echo 'certs:' && repeat 2000 '['; } | put "$GROUP/certs.yml"
  check 'certificates 2,000 levels deep' refused 1 "$GROUP/certs.yml:2: " plan
  again
  repeat 20000000 x | put "$GROUP/certs.yml"
  check 'one line of 20 MB' refused 1 "$GROUP/certs.yml" plan
  again
  {
    echo 'a: &a [x, x, x, x, x, x, x, x, x]'
    for i in b c d e f g h i j; do printf '%s: &%s [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n' $i $i; done
    cat "$R/$CHAIN"
  } >"$T/chain" && cp "$T/chain" "$R/$CHAIN"
  check 'a laughing description is not laughed at' exits 0 bounded plan
  again
  { repeat 3000 '{"a":' && repeat 3000 '}'; } | put .certrotate/poc/state.json
  check 'a state 3,000 levels deep' refused 1 'state.json' status
  again
  sed -i '/endpoints/d' "$R/certrotate.yml"
  printf '[all]\ndb[1:999999999].example.com\n' | put environments/poc/hosts
  check 'an inventory of 999,999,999 hosts is passed over' exits 3 bounded verify
  again
  { echo 'key: ecdsa-p256' && echo 'subject: {CN: x}' && echo 'intermediates:' && echo ' - name: client' && printf '   clients: [u' &&
    repeat 150000 ', user' && echo ']'; } | put "$CHAIN"
  check 'a description of 150,000 users' refused 2 "$CHAIN" plan
  again
}

# ---- names that lead out, or are a command ----------------------------------------------------------------------

# Values of certrotate.yml: TEXT KEY VALUE
value() {
  printf 'version: 1\ndefaults:\n  endpoints: []\n  census: {samples: 0}\n  %s\nenvironments: {poc: {}}\n' "$2" >"$R/certrotate.yml"
  check "$2" refused 2 "certrotate.yml:5: $1" plan
  again
}

names() {
  local key name
  for key in inventory chain certs keys; do
    value '' "$key: ../outside"
    value '' "$key: /etc/passwd"
  done
  value '' 'rollout: {trust: [{playbook: ../x.yml}]}'
  value '' 'rollout: {trust: [{playbook: /etc/x.yml}]}'
  value '' 'rollout: {trust: [{playbook: x.yml, extra_args: [--diff]}]}'
  value '' 'git: {base: "--upload-pack=touch pwned"}'
  value '' 'git: {base: "a..b"}'
  value '' "git: {remote: \"--upload-pack=touch $T/pwned\"}"
  value '' "git: {remote: \"ext::sh -c touch% $T/pwned\"}"
  value '' "git: {remote: \"\$(touch $T/pwned)\"}"
  value '' 'git: {base: "a\nb"}'
  value '' 'rollout: {trust: [{playbook: "x\ny.yml"}]}'
  for name in '../x' '-x' "\$(touch $T/pwned)" $'a\nb' $'\e[2J' .. .git; do
    check "an environment's name: ${name@Q}" refused 2 'environment' plan --env "$name"
  done
  check 'names of a command and with a space are only names' files_with_odd_names
  again
}

# A playbook whose name would be a command, an option, or two words.
files_with_odd_names() {
  local name="\$(touch $$pwned) ;\`touch pwned\` -e x.yml"
  cp "$R/rollout_new_certs.yml" "$R/$name"
  cp "$R/rollout_new_certs.yml" "$R/-e pwned=1.yml"
  printf 'version: 1\ndefaults:\n  endpoints: []\n  census: {samples: 0}\n  rollout:\n    trust: [{playbook: %s}, {playbook: %s, limit: %s}]\nenvironments: {poc: {}}\n' \
    "'$name'" "'-e pwned=1.yml'" "'\$(touch pwned);all'" >"$R/certrotate.yml"
  team_commits 'odd names'
  cat >"$T/bin/ansible-playbook.args" <<SH
#!/bin/sh
printf '%s\n' "\$#" "\$@" >>'$T/args'
exec '$T/bin/ansible-playbook.recorder' "\$@"
SH
  chmod 755 "$T/bin/ansible-playbook.args"
  mv "$T/bin/ansible-playbook" "$T/bin/ansible-playbook.recorder"
  mv "$T/bin/ansible-playbook.args" "$T/bin/ansible-playbook"
  exits 0 bounded next --to trusted --yes || return 1
  mv "$T/bin/ansible-playbook.recorder" "$T/bin/ansible-playbook"
  grep -qxF -- "$name" "$T/args" && grep -qxF -- '-e pwned=1.yml' "$T/args" && grep -qxF -- "\$(touch pwned);all" "$T/args" &&
    not ls "$T/pwned" "$R/pwned"
}

# ---- the folder of our own --------------------------------------------------------------------------------------

own_folder() {
  mkdir -p "$T/elsewhere"
  ln -s "$T/elsewhere" "$R/$LOCAL"
  check 'the own folder is a link' refused 1 "$LOCAL is a symbolic link" next --yes
  check 'nothing was written through it' is "$(ls -A "$T/elsewhere")" ''
  again
  mkdir -p "$R/$LOCAL" && ln -s "$T/elsewhere" "$R/$LOCAL/poc"
  check "the environment's is a link" refused 1 "$LOCAL/poc is a symbolic link" next --yes
  again
  mkdir -p "$R/$LOCAL/poc" && mkfifo "$R/$LOCAL/poc/journal"
  check 'the journal is a pipe' refused 1 "$LOCAL/poc/journal" next --yes
  again
  mkdir -p "$R/$LOCAL/poc" && mkfifo "$R/$LOCAL/poc/lock"
  check 'the lock is a pipe' refused 1 "$LOCAL/poc/lock" next --yes
  again
  mkdir -p "$R/$LOCAL/poc" && chmod 777 "$R/$LOCAL" "$R/$LOCAL/poc"
  check 'the phase runs' exits 0 bounded next --to trusted --yes
  check 'and all is private' is "$(find "$R/$LOCAL" -perm /077)" ''
  again
  if [ "$(id -u)" = 0 ]; then check 'another user' own_folder_of_another; fi
  again
}

own_folder_of_another() {
  mkdir -p "$R/$LOCAL"
  chown -R nobody "$R" "$T/remote.git"
  chown root "$R/$LOCAL"
  chmod 755 "$T" "$R/$LOCAL"
  install -m 755 "$BUILD/certrotate" "$T/certrotate"
  exits 1 setpriv --reuid nobody --regid nogroup --clear-groups env HOME="$T" GIT_CONFIG_GLOBAL="$HOME/.gitconfig" \
    "$T/certrotate" -C "$R" next --yes
  said 'belongs to another user'
}

# ---- what would act on a terminal -------------------------------------------------------------------------------

# terminal OUT COMMAND...: on a terminal of its own, with colours.
terminal() {
  local out=$1
  shift
  env -u NO_COLOR TERM=xterm $PYTHON - "$out" "$@" <<'PY'
import os, pty, sys
data = []
def read(fd):
    data.append(os.read(fd, 65536))
    return data[-1]
status = pty.spawn(sys.argv[2:], read, lambda fd: os.read(fd, 1024))
open(sys.argv[1], "wb").write(b"".join(data))
sys.exit(os.waitstatus_to_exitcode(status))
PY
}

# Only colours, line ends and what clears a line; valid UTF-8; nothing that turns the direction round.
harmless() {
  $PYTHON - "$1" <<'PY'
import re, sys, unicodedata
data = open(sys.argv[1], "rb").read()
text = data.decode("utf-8")
assert text, "nothing was said"
text = re.sub(r"\x1b\[(0|1|2|31|32|33|0;3[1-6])?m|\r\x1b\[K|\r\n", "", text)
bad = [(i, repr(text[max(0, i - 40):i + 40])) for i, c in enumerate(text)
       if (unicodedata.category(c) in ("Cc", "Cf") and c not in "\t\n") or c in "\u2028\u2029"]
for place in bad[:10]:
    print(place)
sys.exit(bool(bad))
PY
}

EVIL=$'ev\e[31m\e]0;t\a\e[2Jil\xc2\x9b31m\xe2\x80\xae\x7f\xff\b'

evil_everywhere() {
  git -C "$R" config user.name "ev$EVIL"
  printf '%s' "$EVIL" >"$T/evil"
  printf '#!/bin/sh\ncat %s >&2\nexec sh bin/vault-password.real\n' "$T/evil" >"$T/password"
  mv "$R/bin/vault-password" "$R/bin/vault-password.real"
  cp "$T/password" "$R/bin/vault-password"
  chmod 755 "$R/bin/vault-password"
  # shellcheck disable=SC2016
  printf 'cat %s; echo "TASK [x$(cat %s)] ***"; echo; echo "ok: [db1.example.com]"; cat %s; echo\n' "$T/evil" "$T/evil" "$T/evil" >"$T/output"
  printf '#!/bin/sh\ncat %s\n' "$T/evil" >"$T/remote.git/hooks/pre-receive"
  chmod 755 "$T/remote.git/hooks/pre-receive"
  team_commits 'evil'
}

on_a_terminal() {
  terminal "$T/shown" "$BUILD/certrotate" -C "$R" "$@"
  harmless "$T/shown"
}

texts() {
  local command
  evil_everywhere
  check 'a rotation with texts that would act on the terminal' on_a_terminal -v next --to trusted --yes
  check 'they are shown' grep -q 'TASK .xev.*il.*trusted' <(tr -d '\n' <"$T/shown")
  for command in status log plan verify; do check "$command" on_a_terminal $command; done
  check 'JSON is valid and harmless' json_is_harmless
  printf '#!/bin/sh\ncat %s; exit 1\n' "$T/evil" >"$T/remote.git/hooks/pre-receive"
  check 'a remote that refuses with them' on_a_terminal next --yes
  # shellcheck disable=SC2016
  printf 'cat %s; echo; echo "fatal: [db1.example.com]: FAILED! => {\\"msg\\": \\"$(cat %s)\\"}"; exit 2\n' "$T/evil" "$T/evil" >"$T/output"
  rm "$T/remote.git/hooks/pre-receive"
  check 'a rollout that fails with them' on_a_terminal next --yes
  check 'the log of it is harmless' harmless "$(find "$R/$LOCAL/poc/logs" -name '*servers*' | head -n 1)"
  check 'an option with them' on_a_terminal next --waive "$EVIL"
  check 'an environment with them' on_a_terminal status --env "$EVIL"
  printf 'version: 1\n"x%s": 1\n' "$EVIL" | tr -d '\377\177\033\a\b' >"$R/certrotate.yml"
  check 'a key of the configuration with them' on_a_terminal status
  again
  check "a certificate's subject with them" subject_with_them
  again
}

json_is_harmless() {
  local command
  for command in status log plan verify census; do
    bounded $command --json >"$T/json" 2>"$T/shown"
    $PYTHON -c 'import json,sys; json.load(open(sys.argv[1]))' "$T/json" || return 1
    harmless "$T/json" || return 1
  done
}

# A bundle gets one more authority, whose name is such a text: it is named as one that is unknown.
subject_with_them() {
  local name
  name=$(printf '%s' "$EVIL" | tr -d '\377/')
  make_key "$T/evil.key"
  openssl req -x509 -utf8 -key "$T/evil.key" -subj "/O=x/CN=$name" -days -1 -out "$T/evil.crt" 2>/dev/null ||
    openssl req -x509 -key "$T/evil.key" -subj "/O=x/CN=$name" -days 1 -out "$T/evil.crt" || return 1
  $PYTHON - "$R/$GROUP/certs.yml" "$T/evil.crt" <<'PY' || return 1
import sys
lines = open(sys.argv[1]).read().split("\n")
at = next(i for i, line in enumerate(lines) if line.strip().startswith("\"chain\":")) + 1
indent = lines[at][:len(lines[at]) - len(lines[at].lstrip())]
lines[at:at] = [indent + line for line in open(sys.argv[2]).read().strip().split("\n")]
open(sys.argv[1], "w").write("\n".join(lines))
PY
  team_commits 'a strange authority'
  on_a_terminal plan && on_a_terminal -v prove
}

# ---- programs that never stop talking ---------------------------------------------------------------------------

talkers() {
  exits 0 bounded next --yes >/dev/null
  printf 'yes "TASK [a line of sixty characters that says nothing at all xxxx]" | head -c 250M; head -c 10M /dev/zero | tr "\\0" x; echo\n' >"$T/output"
  LIMIT=300 check 'an Ansible that prints 260 MB' exits 0 bounded next --yes
  check 'its log ends somewhere' is "$(find "$R/$LOCAL/poc/logs" -size +257M)" ''
  rm -f "$T/output"
  printf '#!/bin/sh\nyes "remote: counting" | head -c 50M\nexit 1\n' >"$T/remote.git/hooks/pre-receive"
  chmod 755 "$T/remote.git/hooks/pre-receive"
  check 'a remote that prints 50 MB' refused 1 'git push' next --yes
  rm "$T/remote.git/hooks/pre-receive"
  printf '#!/bin/sh\nhead -c 10M /dev/zero | tr "\\0" x\n' >"$R/bin/vault-password"
  team_commits 'a password of 10 MB'
  check 'a password of 10 MB' refused 1 'larger than' next --yes
  again
}

begin hostile
make_repository
own_folder
special_files
too_much
names
texts
talkers
[ -z "${KEEP:-}" ] || cp -a "$T" "$KEEP"
finish
