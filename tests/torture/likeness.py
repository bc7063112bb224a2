# SPDX-License-Identifier: PostgreSQL
"""What a world's remote holds, in words that are the same for two runs of the same transitions:
vaults decrypted, each certificate, key, time, rotation and commit replaced by its role."""

import difflib
import functools
import hashlib
import json
import re

from cryptography import x509
from cryptography.hazmat.primitives import hmac, hashes, padding, serialization
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from world import CERTS, KEYS, SETTLED, STATE, Failed

PASSWORD = b"fixture-vault-password"
PEM = re.compile(r"[ ]*-----BEGIN ([A-Z ]+)-----\s.*?-----END \1-----", re.S)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ROTATION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
SUM = re.compile(r"sha256:[0-9a-f]{64}")
COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
NUMBERS = ("at", "ms")
_plain = {}


def decrypt(text):
    """Ansible Vault 1.1 and 1.2: hex of "salt, HMAC, cipher text", each in hex."""
    key = hashlib.sha256(text).digest()
    if key not in _plain:
        head, body = text.split(b"\n", 1)
        if not head.startswith(b"$ANSIBLE_VAULT;1."):
            raise Failed("not a vault: %r" % head[:40])
        parts = bytes.fromhex(b"".join(body.split()).decode()).split(b"\n")
        salt, mac, data = (bytes.fromhex(part.decode()) for part in parts)
        derived = PBKDF2HMAC(hashes.SHA256(), 80, salt, 10000).derive(PASSWORD)
        check = hmac.HMAC(derived[32:64], hashes.SHA256())
        check.update(data)
        check.verify(mac)
        stream = Cipher(algorithms.AES(derived[:32]), modes.CTR(derived[64:])).decryptor()
        unpad = padding.PKCS7(128).unpadder()
        _plain[key] = unpad.update(stream.update(data) + stream.finalize()) + unpad.finalize()
    return _plain[key]


def _flush(text):
    return "".join(line.strip() + "\n" for line in text.splitlines()).encode()


def _names(cert):
    said = []
    for extension in cert.extensions:
        name = extension.oid._name  # pylint: disable=protected-access
        if "KeyIdentifier" not in name:
            said.append("%s%s %s" % (name, "!" if extension.critical else "", extension.value))
    return "; ".join(sorted(said))


def _public(key):
    return key.public_bytes(serialization.Encoding.DER,
                            serialization.PublicFormat.SubjectPublicKeyInfo)


@functools.lru_cache(maxsize=4096)
def _read(pem):
    """A certificate's public key, what it is named by (SHA-256, serial), and its role."""
    cert = x509.load_pem_x509_certificate(_flush(pem))
    days = (cert.not_valid_after - cert.not_valid_before).total_seconds() / 86400
    key = cert.public_key()
    role = "certificate of %s by %s, %s, %d days, %s %d (%s)" % (
        cert.subject.rfc4514_string(), cert.issuer.rfc4514_string(),
        cert.signature_hash_algorithm.name, round(days), type(key).__name__, key.key_size,
        _names(cert))
    return _public(key), (cert.fingerprint(hashes.SHA256()).hex(), "%x" % cert.serial_number), role


class Tree:
    """The files of a branch, by path; what is in them decides about roles."""

    def __init__(self, world, rev="dev", where=None):
        self.where = where or world.remote
        self.files = {}
        self.roles = {}    # by public key
        self.prints = {}   # by SHA-256 of the DER, and by serial
        self._load(world, rev)
        for text in self.files.values():
            for found in PEM.finditer(text):
                if found[1] == "CERTIFICATE":
                    self._take(found[0])

    def _load(self, world, rev):
        names = world.git("ls-tree", "-r", "--name-only", "-z", rev, where=self.where)
        names = [name for name in names.decode().split("\0") if name]
        asked = "".join("%s:%s\n" % (rev, name) for name in names).encode()
        answer = world.git("cat-file", "--batch", where=self.where, stdin=asked)
        for name in names:
            head, answer = answer.split(b"\n", 1)
            size = int(head.split()[2])
            text, answer = answer[:size], answer[size + 1:]
            if text.startswith(b"$ANSIBLE_VAULT;"):
                text = b"(a vault)\n" + decrypt(text)
            self.files[name] = text.decode()

    def _take(self, pem):
        public, prints, role = _read(pem)
        self.roles[public] = role
        for print_ in prints:
            self.prints[print_] = role
        return role

    def _role(self, found):
        if found[1] == "CERTIFICATE":
            return "<%s>" % self._take(found[0])
        key = serialization.load_pem_private_key(_flush(found[0]), None)
        return "<key of the %s>" % self.roles.get(_public(key.public_key()), "NOBODY")

    def text(self, name):
        text = SUM.sub("<sum>", PEM.sub(self._role, self.files[name]))
        for print_, role in self.prints.items():
            if print_ in text:
                text = text.replace(print_, "<print of the %s>" % role)
        return text


class Commits:
    def __init__(self, world, where, rev="dev"):
        raw = world.git("log", "--reverse", "--format=%H%x00%an%x00%B%x01", rev, where=where)
        self.list = [part.strip("\n").split("\0") for part in raw.decode().split("\x01")[:-1]]
        self.subjects = {fields[0]: fields[2].split("\n")[0] for fields in self.list}

    def name(self, found):
        return "<commit '%s'>" % self.subjects.get(found[0], found[0])


class Words:
    """Times and rotations by their order of appearance."""

    def __init__(self, commits):
        self.commits = commits
        self.rotations = {}

    def rotation(self, found):
        return "<rotation %d>" % self.rotations.setdefault(found[0], len(self.rotations) + 1)

    def plain(self, text):
        text = ROTATION.sub(self.rotation, text)
        return COMMIT.sub(self.commits.name, TIME.sub("<time>", text))

    def value(self, value, key=""):
        if isinstance(value, dict):
            return {name: self.value(value[name], name) for name in value}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, str):
            return SUM.sub("<sum>", self.plain(value))
        return "<number>" if key in NUMBERS and isinstance(value, int) else value


def _without_luck(state):
    """What a rollout changes on hosts depends on whether it had begun before."""
    for entry in state["history"]:
        for run in entry["rollout"]:
            run["changed"] = "<number>"
    return state


def _branch(world, rev):
    tree = Tree(world, rev)
    commits = Commits(world, world.remote, rev)
    words = Words(commits)
    out = {rev + " commits": "\n".join("%s\n%s" % (fields[1], words.plain(fields[2]))
                                       for fields in commits.list)}
    for name in tree.files:
        if name.endswith("/state.json"):
            state = _without_luck(json.loads(tree.files[name]))
            out[rev + ":" + name] = json.dumps(words.value(state), indent=1)
        else:
            out[rev + ":" + name] = tree.text(name)
    return out


def likeness(world):
    """A dictionary of texts: two worlds are alike where these are equal."""
    out = {}
    for rev in world.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads",
                         where=world.remote).decode().split():
        out.update(_branch(world, rev))
    return out


def differences(wanted, got):
    """Lines of a diff; empty where both are alike."""
    lines = []
    for name in sorted(set(wanted) | set(got)):
        if wanted.get(name) != got.get(name):
            lines += difflib.unified_diff(wanted.get(name, "").splitlines(),
                                          got.get(name, "").splitlines(), "reference " + name,
                                          "now " + name, "", "", 1, "")
    return [line[:300] for line in lines]


def inventory(world, rev="dev"):
    """What hosts get, in words; the number of a generation made anew does not count."""
    tree = Tree(world, rev)
    return {name: re.sub(r"\bG\d+\b", "G<n>", tree.text(name))
            for name in (CERTS, KEYS) if name in tree.files}


def key_lines(world):
    """Whole lines of each private key's PEM text that the remote's history has in its vaults."""
    found = set()
    tree = Tree(world)
    for text in tree.files.values():
        for pem in PEM.finditer(text):
            if "PRIVATE KEY" in pem[1]:
                found.update(line.strip() for line in pem[0].splitlines()
                             if len(line.strip()) >= 32 and "-----" not in line)
    return sorted(found)


def state_of(world, where=None, refs=""):
    """The newest, of the remote or of what a clone has fetched: in flow merge_request a settled one waits on its own branch for the next merge."""
    found = []
    for rev in ("dev", SETTLED):
        try:
            found.append(json.loads(world.show(STATE, where, refs + rev)))
        except Failed:
            continue
    return max(found, key=lambda state: state["revision"]) if found else None
