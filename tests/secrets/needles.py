# SPDX-License-Identifier: PostgreSQL
"""What a private key looks like wherever it leaks, for tests/secrets/search.

    needles.py keys PASSWORD_FILE REPOSITORY...   each key in each vault that git has there, in whichever object
    needles.py key FILE...                        these PEM keys
    needles.py password FILE                      the vault's password

Prints "LABEL HEX" a line: the lines of the PEM body, DER in both forms, and of each secret number the bytes, hex
(also with colons) and base64, in all three alignments; the PEM lines as base64 too.
"""
import base64
import hashlib
import re
import subprocess
import sys

import yaml
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\n?", re.S)
PART = 24


def blobs(repository):
    """Every blob in the object store, reachable or not."""
    git = ["git", "-C", repository, "cat-file"]
    listed = subprocess.run(git + ["--batch-all-objects", "--batch-check=%(objecttype) %(objectname)"],
                            capture_output=True, check=True).stdout.decode()
    for line in listed.splitlines():
        kind, name = line.split()
        if kind == "blob":
            yield subprocess.run(git + ["blob", name], capture_output=True, check=True).stdout


def strings(value):
    """Every key in a YAML document; how a value was written beside it is the same key once more."""
    if isinstance(value, dict):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, str):
        yield value if value.startswith("-----") else ""


def opened(repository, password):
    from ansible.parsing.vault import VaultLib, VaultSecret
    vault = VaultLib([("default", VaultSecret(password))])
    for blob in blobs(repository):
        if blob.startswith(b"$ANSIBLE_VAULT"):
            yield from strings(yaml.safe_load(vault.decrypt(blob)))


def in_base64(data):
    """The part of each of the three alignments that does not depend on what is beside it."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data)
        yield "base64+%d" % shift, text[4 if shift else 0:len(text) // 4 * 4 - 4]


def writings(data):
    yield "raw", data
    yield "hex", data.hex().encode()
    yield "HEX", data.hex().upper().encode()
    yield "he:x", ":".join("%02x" % byte for byte in data).encode()
    yield from in_base64(data)


def numbers(key):
    """The secret ones, as big-endian bytes."""
    if isinstance(key, rsa.RSAPrivateKey):
        values = key.private_numbers()
        for name in ("d", "p", "q", "dmp1", "dmq1", "iqmp"):
            value = getattr(values, name)
            yield name, value.to_bytes((value.bit_length() + 7) // 8, "big")
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        yield "scalar", key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8, "big")
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        yield "seed", key.private_bytes(s.Encoding.Raw, s.PrivateFormat.Raw, s.NoEncryption())
    else:
        sys.exit("an unknown kind of key: %r" % key)


def public(key):
    """What the certificate has too, and so is no secret."""
    return key.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo) if key else b""


def of_key(pem):
    texts = {pem}
    key = None if "ENCRYPTED" in pem else s.load_pem_private_key(pem.encode(), None)
    for form in (s.PrivateFormat.PKCS8, s.PrivateFormat.TraditionalOpenSSL):
        if not key or (isinstance(key, ed25519.Ed25519PrivateKey) and form != s.PrivateFormat.PKCS8):
            continue
        texts.add(key.private_bytes(s.Encoding.PEM, form, s.NoEncryption()).decode())
        yield "der", key.private_bytes(s.Encoding.DER, form, s.NoEncryption())
    for text in texts:
        for line in text.splitlines()[1:-1]:
            if len(line) >= 40 and base64.b64decode(line) not in public(key):
                yield "pem", line.encode()
                for how, data in in_base64(line.encode()):
                    yield "pem/" + how, data
    for name, number in numbers(key) if key else ():
        for part in {number[:PART], number[-PART:]}:
            for how, data in writings(part):
                yield name + "/" + how, data


def main():
    what, files = sys.argv[1], sys.argv[2:]
    if what == "password":
        with open(files[0], "rb") as file:
            for how, data in writings(file.read().strip()):
                print("password/" + how, data.hex())
        return
    if what == "key":
        texts = [open(name, encoding="ascii").read() for name in files]
    else:
        with open(files[0], "rb") as file:
            password = file.read().strip()
        texts = [text for repository in files[1:] for text in opened(repository, password)]
    keys = {pem for text in texts for pem in PEM.findall(text)}
    found = {}
    for pem in keys:
        label = hashlib.sha256(pem.encode()).hexdigest()[:8]
        for how, data in of_key(pem):
            found[data] = label + "/" + how
    for data, label in sorted(found.items()):
        print(label, data.hex())
    print("%d keys, %d strings" % (len(keys), len(found)), file=sys.stderr)


main()
