#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# What `certrotate prove` says of an environment that someone left in a trap: half-way through a rotation by hand, with
# a glued bundle, with a server that has no SAN, with what does not fit together. That each of these really fails is
# shown by tests/differential.
#
#   tests/integration/traps.sh BUILD

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
CERTROTATE=$(realpath "${1:-build}")/certrotate
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
begin traps
need ansible-vault ansible-core
[ -x "$CERTROTATE" ] || die "$CERTROTATE is missing: make all"
unset CERTROTATE_ENV ANSIBLE_VAULT_PASSWORD_FILE ANSIBLE_CONFIG
export HOME=$T/home GIT_CONFIG_NOSYSTEM=1 ANSIBLE_LOCALHOST_WARNING=false
export ASAN_OPTIONS=${ASAN_OPTIONS:-exitcode=99}
mkdir -p "$HOME"

R=$T/repo
GROUP=environments/poc/group_vars/all

# ---- chains as they were made by hand: one subject for every generation, and no authority key identifier --------

# hand_made FILE SUBJECT ISSUER DAYS EXTENSIONS: FILE.key and FILE.crt
hand_made() {
  local file=$1 subject=$2 issuer=$3 days=$4 extensions=$5
  make_key "$file.key"
  openssl req -new -key "$file.key" -subj "$subject" -out "$file.csr"
  # else openssl adds one by itself
  printf 'authorityKeyIdentifier=none\n%b' "$extensions" >"$file.ext"
  if [ "$issuer" = self ]; then
    openssl x509 -req -in "$file.csr" -signkey "$file.key" -days "$days" -extfile "$file.ext" -out "$file.crt"
  else
    openssl x509 -req -in "$file.csr" -CA "$issuer.crt" -CAkey "$issuer.key" -set_serial "0x$(openssl rand -hex 15)" \
      -days "$days" -extfile "$file.ext" -out "$file.crt"
  fi 2>/dev/null
}

hand_made_chain() { # DIR
  local dir=$1 kind name
  local ca='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n'
  mkdir -p "$dir/server" "$dir/client"
  hand_made "$dir/root" '/O=Acme/CN=root' self 900 "$ca"
  for kind in server client; do
    hand_made "$dir/$kind" "/O=Acme/CN=$kind" "$dir/root" 800 "$ca"
    cat "$dir/$kind.crt" "$dir/root.crt" >"$dir/$kind.chain"
  done
  for name in db1.example.com db2.example.com; do
    hand_made "$dir/server/$name" "/O=Acme/CN=$name" "$dir/server" 700 \
      "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:$name\n"
  done
  for name in app report; do
    hand_made "$dir/client/$name" "/O=Acme/CN=$name" "$dir/client" 700 \
      'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n'
  done
}

# ---- the repository ----------------------------------------------------------------------------------------------

# What lies in certs.yml and in the vault: $T/live/{server,client}.chain and /{server,client}/NAME.{crt,key}
write_certs() {
  /usr/bin/python3 - "$T/live" "$R/$GROUP" <<'PY'
import os, sys
live, group = sys.argv[1:]

def read(*path):
    return open(os.path.join(live, *path)).read()

def block(text, indent):
    return "|\n" + "".join(" " * indent + line + "\n" for line in text.splitlines())

certs, keys = "---\ncerts:\n", "---\nprivate_keys:\n"
for kind in "server", "client":
    certs += f"  {kind}:\n    chain: " + block(read(kind + ".chain"), 6)
    keys += f"  {kind}:\n"
    for name in sorted(f[:-4] for f in os.listdir(os.path.join(live, kind)) if f.endswith(".crt")):
        certs += f"    {name}: " + block(read(kind, name + ".crt"), 6)
        keys += f"    {name}: " + block(read(kind, name + ".key"), 6)
open(os.path.join(group, "certs.yml"), "w").write(certs)
open(os.path.join(group, "certs.vault.yml"), "w").write(keys)
PY
  (cd "$R" && ansible-vault encrypt "$GROUP/certs.vault.yml" >/dev/null 2>&1 &&
    git add -A && git commit -qm change && git push -q origin HEAD:dev) || die 'no certificates'
}

make_repo() {
  mkdir -p "$R/$GROUP" "$R/config" "$R/bin"
  git init -q --bare -b dev "$R.git"
  git init -q -b dev "$R"
  printf '#!/bin/sh\necho traps\n' >"$R/bin/password"
  chmod +x "$R/bin/password"
  printf '[defaults]\nvault_password_file = bin/password\n%s\n' "$ANSIBLE_DEFAULTS" >"$R/ansible.cfg"
  printf 'version: 1\ndefaults:\n  endpoints: []\n  census: {samples: 0}\n  rollout: {trust: [], servers: [], clients: [], prune: []}\n' \
    >"$R/certrotate.yml"
  cat >"$R/config/chainsmith_poc.yml" <<'YML'
subject: {O: Acme, CN: postgres}
key: ecdsa-p256
intermediates:
  - name: server
    servers: {db1.example.com: [db1.example.com], db2.example.com: [db2.example.com]}
    extendedKeyUsages: [serverAuth]
  - name: client
    clients: [app, report]
    extendedKeyUsages: [clientAuth]
YML
  cat >"$R/environments/poc/hosts" <<'YML'
all:
  vars: {ansible_connection: local}
  hosts: {db1.example.com: {}, db2.example.com: {}}
YML
  git -C "$R" config user.name 'DBA One'
  git -C "$R" config user.email dba@example.com
  git -C "$R" remote add origin "$R.git"
}

rotate() { "$CERTROTATE" -C "$R" "$@"; }

# ---- what is said ------------------------------------------------------------------------------------------------

# proves CODE TEXT...: the exit code, and each text in what is said
proves() {
  local want=$1
  shift
  exits "$want" rotate prove --env poc && said "$@"
}

# live G: what is live is that generation, whole
live() {
  rm -rf "$T/live"
  cp -r "$T/$1" "$T/live"
}

# live_leaf KIND NAME G: but this one
live_leaf() { cp "$T/$3/$1/$2.crt" "$T/$3/$1/$2.key" "$T/live/$1"; }

# Both generations in the bundles, and half of the leaves are new: FIRST SECOND is the order of the bundles.
half_way() {
  local kind
  live g1
  for kind in server client; do cat "$T/$1/$kind.chain" "$T/$2/$kind.chain" >"$T/live/$kind.chain"; done
  live_leaf server db1.example.com g2
  live_leaf client app g2
  write_certs
}

hand_made_chain "$T/g1"
hand_made_chain "$T/g2"
make_repo

echo '# a chain without a fault'
live g1
write_certs
check 'nothing is in the way' proves 0 'nothing is in the way of generate'
check 'no refusal is told' not_said 'warning chain ' 'ca-same-subject' 'no-san' 'block '

echo '# half-way through a rotation by hand'
TWINS='and certificates that name it as issuer have no authority key identifier'
half_way g2 g1
check 'the new one first: the old leaves are named' proves 0 \
  "warning chain server db2.example.com: clients that hold the bundle 'old' already today refuse its old certificate" \
  "warning chain client report: servers that hold the bundle 'old' already today refuse its old certificate" \
  'is not signed by the first CA in the bundle with its issuer'"'"'s subject, O=Acme, CN=server' \
  'tell the CAs apart by subject' 'warning ca-same-subject' "$TWINS"
check 'and the new ones are not' not_said 'chain server db1.example.com' 'chain client app'
half_way g1 g2
check 'the old one first: the new leaves are named' proves 0 \
  "warning chain server db1.example.com: clients that hold the bundle 'old' already today refuse its old certificate" \
  "warning chain client app: servers that hold the bundle 'old' already today refuse its old certificate" \
  'warning ca-same-subject' "$TWINS"
check 'and the old ones are not' not_said 'chain server db2.example.com' 'chain client report'

echo '# texts and keys'
live g1
write_certs
/usr/bin/python3 - "$R/$GROUP/certs.yml" <<'PY'
import sys
text = open(sys.argv[1]).read()
glued = text.replace("-----END CERTIFICATE-----\n      -----BEGIN", "-----END CERTIFICATE----------BEGIN", 1)
assert glued != text
open(sys.argv[1], "w").write(glued)
PY
git -C "$R" commit -qam glued && git -C "$R" push -q origin HEAD:dev
check 'a glued bundle stops everything, with its place' proves 1 \
  'certs.yml:4: certs.server.chain: block 1 (line 1): something is glued to its END line (line ' \
  'PostgreSQL does not load a file like that, says so in its log only, and does not start again with it'

cp "$T/g2/server/db1.example.com.key" "$T/live/server"
write_certs
check 'the key of another certificate' proves 0 \
  'warning key server db1.example.com: its old key does not fit its certificate, as it is today: the key belongs to another certificate'

echo '# leaves'
live g1
hand_made "$T/live/server/db1.example.com" '/O=Acme/CN=db1.example.com' "$T/g1/server" 700 \
  'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n'
write_certs
check 'a server without a SAN' proves 0 \
  'warning no-san server db1.example.com: its old certificate names the host in the CN only, it has no SAN: libpq takes that, clients in Go and newer Java do not'

live g1
hand_made "$T/live/client/app" '/O=Acme/CN=app' "$T/g1/client" 700 \
  'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n'
write_certs
check 'a client whose usage forbids it' proves 0 \
  'warning chain client app: servers that hold the bundle' 'O=Acme, CN=app may not be used as a client: its usages forbid it'

live g1
cp "$T/g1/root.crt" "$T/live/server.chain"
write_certs
check 'an intermediate that is missing' proves 0 \
  'already today refuse' 'the bundle lacks the issuer of O=Acme, CN=db1.example.com: O=Acme, CN=server' \
  'put the missing CA certificates, up to the root, into the bundle'

live g1
hand_made "$T/live/server/db1.example.com" '/O=Acme/CN=db1.example.com' "$T/g1/server" 1 \
  'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:db1.example.com\n'
write_certs
check 'what ends before the rotation can is in the way' proves 3 \
  "block expires-soon server db1.example.com: clients that hold the bundle 'old' will refuse its old certificate before the rotation can end" \
  'generate does not begin: 1 finding in the way'
check 'and stops the phase' exits 3 rotate next --yes --env poc

finish
