#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: certrotate_files
short_description: Replaces a host's certificates, keys and bundles together
description:
  - Checks everything that would be replaced on this host before anything is replaced; key against certificate,
    certificate against the bundle of its peers with a handshake, bundles for damaged or glued certificates.
  - A pair is renamed into place back to back, behind a file lease where the file system has them, so that a
    client that logs in at that moment finds the old pair or the new one.
  - Bundles that grow are replaced before the pairs, bundles that shrink after them.
author: [certrotate]
options:
  clusters:
    description: As M(certrotate_discover) returns them.
    type: list
    elements: dict
    required: true
  clients:
    description: As M(certrotate_discover) returns them.
    type: list
    elements: dict
    required: true
  server_cert:
    description: This host's server certificate. Without one no cluster's pair is touched.
    type: str
    default: ""
  server_key:
    description: Its private key.
    type: str
    default: ""
  server_chain:
    description: The chain of the servers, that clients trust.
    type: str
    default: ""
  client_certs:
    description: Client certificates by user.
    type: dict
    default: {}
  client_keys:
    description: Their private keys by user.
    type: dict
    default: {}
  client_chain:
    description: The chain of the clients, that servers trust.
    type: str
    default: ""
  settle:
    description: Seconds in which a client that has read the old certificate opens the old key.
    type: float
    default: 0.15
  lease:
    description: Whether file leases are used.
    type: bool
    default: true
"""

RETURN = r"""
clusters:
  description: Data directories of the clusters whose files changed.
  type: list
  returned: always
clients:
  description: Users whose files changed.
  type: list
  returned: always
files:
  description: Each replaced file, with how (lease or rename).
  type: list
  returned: always
"""

EXAMPLES = r"""
- certrotate_files:
    clusters: "{{ found.clusters }}"
    clients: "{{ found.clients }}"
    server_chain: "{{ certs.server.chain }}"
    client_chain: "{{ certs.client.chain }}"
  no_log: true
  diff: false
"""

import os
import pwd
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.certrotate_pem import Refused, blocks, certificates, check_trust, normal
from ansible.module_utils.certrotate_swap import Place, acting_as, swap_pair

SNAKEOIL = "/etc/ssl/certs/ssl-cert-snakeoil.pem"
FILE_MODE, KEY_MODE, ROOT_KEY_MODE, FOLDER_MODE = 0o640, 0o600, 0o640, 0o700


class File(object):
    """One file as it is and as it shall be. Only check mode has no place: a folder that it does not make."""

    def __init__(self, place, path, text, secret, account):
        self.place, self.path, self.name = place, path, os.path.basename(path)
        self.content = normal(text).encode("utf-8")
        self.secret = secret
        self.old, info = place.read(self.name) if place else (None, None)
        if self.old and b"-----BEGIN " not in self.old:
            raise Refused("%s: holds no certificate or key, so it is not replaced by one" % path)
        self.uid = info.st_uid if info else account.pw_uid
        self.gid = info.st_gid if info else account.pw_gid
        self.mode = self._mode(info)
        self.differs = self.old != self.content
        self.changed = self.differs or info.st_mode & 0o7777 != self.mode
        self.temporary = None

    def _mode(self, info):
        """As found, as long as the programs that read it accept that: a key is for its owner alone, or root's
        and for a group."""
        if not self.secret:
            return info.st_mode & 0o777 if info else FILE_MODE
        if not info:
            return KEY_MODE
        allowed = ROOT_KEY_MODE if info.st_uid == 0 else KEY_MODE
        mode = info.st_mode & 0o777
        return KEY_MODE if mode & ~allowed or not mode & 0o400 else mode

    def stage(self):
        self.temporary = self.place.temporary(self.name, self.content, self.mode, self.uid, self.gid)

    def swap(self):
        self.place.rename(self.temporary, self.name)
        self.place.sync()
        return "rename"


class Group(object):
    """The files of one cluster or one client: a pair, and the bundle of those whom it trusts."""

    def __init__(self, kind, label, pair, bundle, peers):
        self.kind, self.label = kind, label
        self.pair, self.bundle, self.peers = pair, bundle, peers
        self.pair_changed = bool(pair) and any(part.changed for part in pair)
        self.bundle_changed = bool(bundle) and bundle.changed
        self.changed = self.pair_changed or self.bundle_changed
        self.done = []

    def files(self):
        return (list(self.pair) if self.pair_changed else []) + ([self.bundle] if self.bundle_changed else [])

    def check(self, scratch):
        """Everything that could refuse this group, before any file of the host is replaced."""
        if self.bundle_changed:
            certificates(self.bundle.content.decode("utf-8"), self.bundle.path)
        if not self.pair:
            return
        paths = []
        for number, part in enumerate(self.pair):
            if part.temporary:
                paths.append("/proc/self/fd/%d/%s" % (part.place.fd, part.temporary))
                continue
            paths.append(os.path.join(scratch, "%d-%d" % (id(self), number)))
            with os.fdopen(os.open(paths[-1], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(part.content)
        certificates(self.pair[0].content.decode("utf-8"), self.pair[0].path)
        keys = [label for label, body in blocks(self.pair[1].content.decode("utf-8"), self.pair[1].path)
                if label.endswith("PRIVATE KEY")]
        if len(keys) != 1:
            raise Refused("%s: one private key belongs here, not %d" % (self.pair[1].path, len(keys)))
        check_trust(self.kind, paths[0], paths[1], self.peers, self.pair[0].path,
                    tolerate_expired=not self.pair_changed)

    def grows(self):
        """Whether the new bundle trusts all that the old one did."""
        try:
            old = set(certificates(self.bundle.old.decode("utf-8"), self.bundle.path)) if self.bundle.old else set()
        except (Refused, UnicodeDecodeError):
            return True
        return old <= set(certificates(self.bundle.content.decode("utf-8"), self.bundle.path))

    def replace_bundle(self, growing):
        if self.bundle_changed and self.grows() == growing:
            self.done.append({"path": self.bundle.path, "how": self.bundle.swap()})

    def replace_pair(self, settle, lease):
        if not self.pair_changed:
            return
        certificate, key = self.pair
        how = swap_pair((certificate.place, certificate.temporary, certificate.name),
                        (key.place, key.temporary, key.name), certificate.content, settle,
                        lease and certificate.differs and certificate.old is not None)
        self.done += [{"path": certificate.path, "how": how}, {"path": key.path, "how": how}]


class Rollout(object):
    def __init__(self, params, check_mode):
        self.params, self.check_mode = params, check_mode
        self.places, self.missing, self.groups = {}, [], []

    def place(self, path, account, named):
        """The opened folder of a file. A folder that its user could have turned into a link to somebody else's
        is refused: root writes here."""
        folder = os.path.dirname(path)
        if folder not in self.places:
            if not os.path.isdir(folder):
                self.make(folder, account)
            if not os.path.isdir(folder):
                return None
            place = Place(folder)
            if not named and place.uid != account.pw_uid:
                place.close()
                raise Refused("%s: does not belong to %s" % (folder, account.pw_name))
            self.places[folder] = place
        return self.places[folder]

    def make(self, folder, account):
        """~/.postgresql where it is not there yet; only the last folder of a path is ever made."""
        if folder in self.missing:
            return
        parent = os.path.dirname(folder)
        if not os.path.isdir(parent):
            raise Refused("%s: there is no such folder" % parent)
        self.missing.append(folder)
        if self.check_mode:
            return
        info = os.stat(parent)
        with acting_as(info.st_uid, info.st_gid):
            os.mkdir(folder, FOLDER_MODE)
            if os.geteuid() == 0 and account.pw_uid != 0:
                os.chown(folder, account.pw_uid, account.pw_gid)

    def file(self, path, text, secret, account, named):
        return File(self.place(path, account, named), path, text, secret, account)

    def cluster_group(self, cluster):
        """server.crt, server.key and ssl_ca_file of one cluster."""
        given, account, pair, bundle = self.params, pwd.getpwnam(cluster["owner"]), None, None
        if given["server_cert"]:
            if os.path.realpath(cluster["cert"]) == SNAKEOIL and cluster["cert"] == SNAKEOIL:
                raise Refused("%s uses %s, which belongs to the whole host; set ssl_cert_file and ssl_key_file to "
                              "files of its own" % (cluster["data"], SNAKEOIL))
            pair = (self.file(cluster["cert"], given["server_cert"], False, account, True),
                    self.file(cluster["key"], given["server_key"], True, account, True))
        if given["client_chain"] and cluster["bundle"]:
            bundle = self.file(cluster["bundle"], given["client_chain"], False, account, True)
        return Group("server", cluster["data"], pair, bundle, given["server_chain"])

    def client_group(self, client):
        """postgresql.crt, postgresql.key and root.crt of one user. Who makes a key elsewhere has none here: only
        the bundle is replaced then."""
        given, account, named = self.params, pwd.getpwnam(client["owner"]), client["named"]
        certificate, key = given["client_certs"].get(client["user"]), given["client_keys"].get(client["user"])
        pair, bundle = None, None
        if certificate and key:
            pair = (self.file(client["cert"], certificate, False, account, named),
                    self.file(client["key"], key, True, account, named))
        elif named and not certificate:
            raise Refused("certrotate_clients: %s: has no certificate in the inventory" % client["user"])
        if given["server_chain"] and (pair or os.path.isdir(os.path.dirname(client["bundle"]))):
            bundle = self.file(client["bundle"], given["server_chain"], False, account, named)
        return Group("client", client["user"], pair, bundle, given["client_chain"])

    def collect(self):
        if self.params["server_cert"] and not self.params["server_key"]:
            raise Refused("there is a server certificate for this host but no private key for it")
        for make, owners in ((self.cluster_group, self.params["clusters"]),
                             (self.client_group, self.params["clients"])):
            self.groups += [make(owner) for owner in owners]

    def check(self):
        scratch = tempfile.mkdtemp(prefix=".certrotate-")
        try:
            for group in self.groups:
                if group.changed:
                    group.check(scratch)
        finally:
            shutil.rmtree(scratch)

    def replace(self):
        for group in self.groups:
            group.replace_bundle(growing=True)
        for group in self.groups:
            group.replace_pair(self.params["settle"], self.params["lease"])
        for group in self.groups:
            group.replace_bundle(growing=False)

    def run(self):
        self.collect()
        changed = [group for group in self.groups if group.changed]
        if not self.check_mode:
            for place in sorted(set(part.place for group in changed for part in group.files()), key=lambda p: p.path):
                place.lock()
            for part in (part for group in changed for part in group.files()):
                part.stage()
        self.check()
        if not self.check_mode:
            self.replace()
        return dict(changed=bool(changed or self.missing),
                    clusters=[group.label for group in changed if group.kind == "server"],
                    clients=[group.label for group in changed if group.kind == "client"],
                    files=[done for group in changed for done in group.done])

    def close(self):
        """Whatever did not get its final name is a private key too much."""
        for group in self.groups:
            for part in group.files():
                if part.temporary:
                    part.place.remove(part.temporary)
        for place in self.places.values():
            place.close()


def main():
    module = AnsibleModule(supports_check_mode=True, argument_spec=dict(
        clusters=dict(type="list", elements="dict", required=True, no_log=False),
        clients=dict(type="list", elements="dict", required=True, no_log=False),
        server_cert=dict(type="str", default=""),
        server_key=dict(type="str", default="", no_log=True),
        server_chain=dict(type="str", default=""),
        client_certs=dict(type="dict", default={}),
        client_keys=dict(type="dict", default={}, no_log=True),
        client_chain=dict(type="str", default=""),
        settle=dict(type="float", default=0.15),
        lease=dict(type="bool", default=True)))
    rollout = Rollout(module.params, module.check_mode)
    try:
        result = rollout.run()
    except (Refused, EnvironmentError, KeyError) as problem:
        module.fail_json(msg="files were not replaced: %s" % problem)
    finally:
        rollout.close()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
