# SPDX-License-Identifier: PostgreSQL
"""What is checked about certificates, keys and bundles before they replace anything."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import binascii
import ssl

BEGIN = "-----BEGIN "
END = "-----END "
DASHES = "-----"


class Refused(Exception):
    """The inventory's values or the host's state do not allow the change; the text is for the operator."""


def normal(text):
    """The text as it is written to a file: one line end at the end, whatever YAML made of it."""
    return text.rstrip("\r\n\t ") + "\n" if text.strip() else ""


def blocks(text, what):
    """Each PEM block as (label, base64 text). OpenSSL passes over what it cannot read, so a damaged or
    glued block silently drops a certificate; here it is refused."""
    found, label, body = [], None, []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r\t ")
        if DASHES not in line:
            if label is not None:
                body.append(line)
            continue
        begins = line.startswith(BEGIN) and line.endswith(DASHES) and line.count(DASHES) == 2
        ends = line.startswith(END) and line.endswith(DASHES) and line.count(DASHES) == 2
        if begins and label is None:
            label, body = line[len(BEGIN):-len(DASHES)], []
        elif ends and label == line[len(END):-len(DASHES)]:
            found.append((label, "".join(body)))
            label = None
        else:
            raise Refused("%s: line %d is not a PEM boundary of its own (glued or damaged blocks)" % (what, number))
    if label is not None:
        raise Refused("%s: the last block has no end" % what)
    return found


def certificates(text, what):
    """The DER of each certificate; refuses anything else in the text, and an empty one."""
    result = []
    for number, (label, body) in enumerate(blocks(text, what), 1):
        if label != "CERTIFICATE":
            raise Refused("%s: block %d is a %s where only certificates belong" % (what, number, label))
        try:
            der = base64.b64decode(body, validate=True)
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
        except (binascii.Error, ValueError, ssl.SSLError):
            raise Refused("%s: certificate %d cannot be read" % (what, number))
        result.append(der)
    if not result:
        raise Refused("%s: holds no certificate" % what)
    return result


def first_certificate(path):
    """DER of a file's first certificate (a server's own), or None where there is none that can be read."""
    try:
        with open(path, "rb") as stream:
            text = stream.read(1 << 20).decode("ascii", "replace")
        bodies = [body for label, body in blocks(text, path) if label == "CERTIFICATE"]
        return base64.b64decode(bodies[0], validate=True)
    except (IOError, OSError, Refused, IndexError, binascii.Error, ValueError):
        return None


def _no_passphrase():
    raise Refused("the private key is encrypted; servers and clients could not open it")


def load_pair(context, certificate, key, what):
    """Loads a pair as PostgreSQL and libpq do, from files; refuses a pair that does not belong together."""
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except Refused as problem:
        raise Refused("%s: %s" % (what, problem))
    except (ssl.SSLError, IOError, OSError, ValueError) as problem:
        if "KEY_VALUES_MISMATCH" in str(problem) or "key values mismatch" in str(problem):
            raise Refused("%s: the private key does not belong to the certificate" % what)
        raise Refused("%s: cannot be loaded: %s" % (what, problem))


def _shake_hands(server_context, client_context):
    """A whole TLS handshake in memory. Whoever distrusts the other raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_side=False)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _round in range(20):
        for peer in list(waiting):
            try:
                peer.do_handshake()
                waiting.remove(peer)
            except ssl.SSLWantReadError:
                continue
        if not waiting:
            return
    raise Refused("the handshake did not end")


def check_trust(kind, certificate, key, bundle, what, tolerate_expired=False):
    """The pair in two files must be accepted, as a server or as a client (kind), by a peer that has the bundle.

    A pair that is in use already and has expired must not keep its successor from being trusted.
    """
    bundle_ders = certificates(bundle, "the bundle for " + what)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    load_pair(server, certificate, key, what)
    verifier = client
    if kind == "client":
        load_pair(client, certificate, key, what)
        client.verify_mode = ssl.CERT_NONE
        server.verify_mode = ssl.CERT_REQUIRED
        verifier = server
    verifier.load_verify_locations(cadata=b"".join(bundle_ders))
    try:
        _shake_hands(server, client)
    except ssl.SSLError as problem:
        reason = getattr(problem, "verify_message", None) or str(problem)
        if tolerate_expired and "expired" in reason:
            return
        raise Refused("%s: the certificate is not accepted by its bundle: %s" % (what, reason))
