#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# A file system that is full: the repository's, at every amount of space that is left, and the one for temporary files.
# The message names a path on it and says what to do, nothing is lost, and once there is space the same command goes on.

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
# Mounts of our own, which end with us: as root, or as the root of a user namespace.
if [ "${DISK_OWN_MOUNTS:-}" != yes ]; then
  command -v unshare >/dev/null || {
    echo "unshare is missing: install the package util-linux" >&2
    exit 1
  }
  map=()
  [ "$(id -u)" = 0 ] || map=(--user --map-root-user)
  DISK_OWN_MOUNTS=yes exec unshare "${map[@]}" --mount --propagation private -- "$0" "$@"
fi
ROOT=$PWD
BUILD=$(realpath "${1:-build}")
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/lib_repository.sh
. tests/integration/lib_repository.sh

test_ends() {
  cd /
  umount "$T/repository" 2>/dev/null
  umount "$T/remote.git" 2>/dev/null
}

# What Ansible would do, written down.
recorder() {
  mkdir -p "$T/bin"
  cat >"$T/bin/ansible-playbook" <<EOF
#!/bin/sh
case "\$*" in *--list-hosts*)
  printf '\\nplaybook: x\\n\\n  play #1 (all): all\\n    pattern: ["all"]\\n    hosts (1):\\n      db1.example.com\\n'
  exit 0 ;;
esac
echo rollout >>'$T/rollouts'
printf 'PLAY RECAP *****\\ndb1.example.com : ok=1 changed=1 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0\\n'
EOF
  chmod 755 "$T/bin/ansible-playbook"
  PATH=$T/bin:$PATH
}

environment() {
  cat >"$R/config/chainsmith.yml" <<'EOF'
key: ecdsa-p256
subject: {C: NL, O: Acme, CN: acme}
intermediates:
  - name: server
    servers: {db1.example.com: [10.0.4.42]}
    extendedKeyUsages: [serverAuth]
  - name: client
    clients: [postgres]
    extendedKeyUsages: [clientAuth]
EOF
  printf 'all:\n  vars: {ansible_connection: local}\n  hosts:\n    db1.example.com:\n' >"$R/environments/poc/hosts"
  printf 'version: 1\ndefaults:\n  endpoints: []\n  census: {samples: 0}\n' >"$R/certrotate.yml"
}

# fill FOLDER KIB: leaves that much of its file system
fill() {
  local free
  free=$(df --output=avail -k "$1" | tail -n 1)
  [ "$free" -le "$2" ] || fallocate -l "$((free - $2))KiB" "$1/.fill"
}

drain() {
  rm -f "$1/.fill"
}

# Nothing half: what git tracks is as committed, no temporary file stays, and the objects are whole.
nothing_half() {
  git -C "$R" fsck --strict --no-dangling && git --git-dir "$T/remote.git" fsck --strict --no-dangling || return 1
  is "$(find "$R" "$T/remote.git" -name '*.certrotate-??????' -o -name '*.lock' ! -path '*/certrotate/*' | head -n 3)" ""
}

whole_tree() {
  is "$(git -C "$R" status --porcelain -uno)" "" && is "$(git -C "$R" rev-parse HEAD)" "$(tip)"
}

# Once with that much space left: either it is enough, or it is said what is missing, and all goes on afterwards.
short_of() { # FOLDER KIB STATE
  local got=0
  fill "$1" "$2"
  go next --to "$3" >"$T/said" 2>&1 || got=$?
  drain "$1"
  nothing_half || return 1
  if [ "$got" != 0 ]; then
    REFUSED=$((REFUSED + 1))
    is "$got" 1 && not_said 'PRIVATE KEY' || return 1
    # git itself does not say why it cannot write a lock on the remote's side
    said "couldn't write" >"$T/unsaid" || said 'No space left on device' 'HINT: make space' || return 1
    exits 0 go next --to "$3" || return 1
  fi
  whole "$3" && whole_tree
}

# Each amount once, through the phases and back.
shortages() { # FOLDER
  local left number=1
  local states=(generated trusted servers-switched clients-switched idle)
  for left in ${DISK_LEFT:-0 4 8 16 32 48 62 66 70 96}; do
    number=$((number + 1))
    check "$(basename "$1"): $left KiB are left, ${states[0]}" short_of "$1" "$left" "${states[0]}" "$number"
    states=("${states[@]:1}" "${states[0]}")
  done
}

main() {
  begin disk
  mkdir -p "$T/repository" "$T/remote.git"
  mount -t tmpfs -o size=12m,mode=755 tmpfs "$T/repository" || die "tmpfs cannot be mounted: run this as root"
  mount -t tmpfs -o size=12m,mode=755 tmpfs "$T/remote.git" || die "tmpfs cannot be mounted: run this as root"
  new_repository
  recorder
  environment
  team_commits 'the environment'
  check 'first' exits 0 go next --first
  REFUSED=0
  shortages "$R"
  check 'there was too little space often enough to tell' test "$REFUSED" -ge 5
  REFUSED=0
  shortages "$T/remote.git"
  check 'there was too little space often enough to tell' test "$REFUSED" -ge 5
  finish
}

main
