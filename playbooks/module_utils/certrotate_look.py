# SPDX-License-Identifier: PostgreSQL
"""What is wrong with the files of a cluster or a client, as the program that opens them would find it. Where the
rollout refuses whatever looks odd, this asks OpenSSL itself: what is there may be somebody else's, and good."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import binascii
import hashlib
import os
import pwd
import re
import ssl
import stat

from ansible.module_utils.certrotate_cluster import run_as
from ansible.module_utils.certrotate_pem import Refused, load_pair

MAX_BYTES = 4 << 20
CERTIFICATE = re.compile(r"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.*?)-----END", re.S)
GLUED = re.compile(r"-----END [A-Z0-9 ]+-----[^\n]*-----BEGIN")
COMMON_NAME = b"\x06\x03\x55\x04\x03"
ENCODINGS = {0x1e: "utf-16-be", 0x1c: "utf-32-be", 0x14: "latin-1"}


def read(path):
    """(bytes, stat) of a regular file; Refused says why there is none."""
    try:
        info = os.stat(path)
        if not stat.S_ISREG(info.st_mode):
            raise Refused("is not a regular file")
        if info.st_size > MAX_BYTES:
            raise Refused("has %d bytes, more than a certificate or key" % info.st_size)
        with open(path, "rb") as stream:
            return stream.read(MAX_BYTES + 1), info
    except (IOError, OSError) as problem:
        raise Refused("cannot be read: %s" % problem.strerror)


def ders(text):
    """DER of each certificate that can be decoded, glued or not."""
    found = []
    for body in CERTIFICATE.findall(text.decode("ascii", "replace")):
        try:
            found.append(base64.b64decode("".join(body.split()), validate=True))
        except (binascii.Error, ValueError):
            continue
    return found


def fingerprint(der):
    return hashlib.sha256(der).hexdigest()


def check_certificates(text, path):
    """Refused where OpenSSL would not load the file, or would pass over one of its certificates."""
    plain = text.decode("ascii", "replace")
    blocks = plain.count("CERTIFICATE-----") // 2
    if GLUED.search(plain):
        raise Refused("is glued: an END and a BEGIN share a line, and PostgreSQL cannot load it")
    if not blocks:
        raise Refused("holds no certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except (ssl.SSLError, IOError, OSError, ValueError):
        raise Refused("holds a damaged certificate")
    if context.cert_store_stats()["x509"] < len(set(ders(text))) or len(ders(text)) < blocks:
        raise Refused("holds a certificate that cannot be read")


def _item(data, at):
    """(tag, first byte of the value, first byte behind it) of one DER item (X.690)."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7f
        length, at = int.from_bytes(data[at:at + size], "big"), at + size
    return tag, at, at + length


def common_name(der):
    """The first CN of the certificate's subject, "" where it has none (RFC 5280, 4.1)."""
    try:
        at = _item(der, _item(der, 0)[1])[1]
        tag, start, end = _item(der, at)
        if tag == 0xa0:
            tag, start, end = _item(der, end)
        for _field in ("signature", "issuer", "validity", "subject"):
            tag, start, end = _item(der, end)
        subject = der[start:end]
        at = subject.find(COMMON_NAME)
        if at < 0:
            return ""
        tag, start, end = _item(subject, at + len(COMMON_NAME))
        return subject[start:end].decode(ENCODINGS.get(tag, "utf-8"), "replace")
    except IndexError:
        return ""


def readable(paths, owner):
    """Those of the paths that this user can open."""
    if os.geteuid() != 0 or owner.pw_uid == 0:
        return set(path for path in paths if os.access(path, os.R_OK))
    script = 'for f in "$@"; do test -r "$f" && echo "$f"; done; true'
    return set(run_as(owner, ["/bin/sh", "-c", script, "sh"] + sorted(paths))[1].split("\n"))


def check_key(text):
    if b"PRIVATE KEY-----" not in text:
        raise Refused("holds no private key")


def check_key_mode(info, owner):
    """The rule of PostgreSQL (be-secure-common.c) and of libpq (fe-secure-openssl.c): a key is its owner's alone,
    or root's and then for a group to read."""
    mode = info.st_mode & 0o777
    if info.st_uid not in (0, owner.pw_uid):
        raise Refused("belongs to %s, and must be %s's or root's" % (name_of(info.st_uid), owner.pw_name))
    if mode & (0o037 if info.st_uid == 0 and owner.pw_uid != 0 else 0o077):
        raise Refused("has mode %04o, and PostgreSQL takes a key with 0600 only (root's with 0640)" % mode)


def name_of(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "uid %d" % uid


class Files(object):
    """A pair and a bundle: `problems` in words that begin with the path, and what the files hold."""

    def __init__(self, owner, cert, key, bundle):
        self.owner, self.problems = owner, []
        self.found, self.infos = {}, {}
        self.paths = {"cert": cert, "key": key, "bundle": bundle}
        self.can_read = readable([path for path in self.paths.values() if path], owner)

    def _try(self, path, check, *args):
        try:
            check(*args)
            return True
        except Refused as problem:
            self.problems.append("%s %s" % (path, problem))
            return False

    def _open(self, kind):
        path = self.paths[kind]
        self.found[kind], self.infos[kind] = read(path)
        if path not in self.can_read:
            raise Refused("cannot be read by %s (mode %04o, owner %s)" % (
                self.owner.pw_name, self.infos[kind].st_mode & 0o7777, name_of(self.infos[kind].st_uid)))

    def look(self, kind):
        path = self.paths[kind]
        if not path or not self._try(path, self._open, kind):
            return
        if kind == "key" and self._try(path, check_key, self.found[kind]):
            self._try(path, check_key_mode, self.infos[kind], self.owner)
        elif kind != "key":
            self._try(path, check_certificates, self.found[kind], path)

    def pair(self):
        """Whether key and certificate belong together, where both are there."""
        if "cert" not in self.found or "key" not in self.found:
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            load_pair(context, self.paths["cert"], self.paths["key"], self.paths["key"])
        except Refused as problem:
            if "does not belong" in str(problem) or not self.problems:
                self.problems.append(str(problem))

    def answer(self):
        certificates = ders(self.found.get("cert") or b"")
        return {"problems": self.problems, "paths": self.paths,
                "leaf": fingerprint(certificates[0]) if certificates else None,
                "cn": common_name(certificates[0]) if certificates else None,
                "bundle": sorted(set(fingerprint(der) for der in ders(self.found["bundle"])))
                if "bundle" in self.found else None}
