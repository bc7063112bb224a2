#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: certrotate_reload
short_description: Has PostgreSQL load its certificates, and finds out whether it did
description:
  - A reload succeeds although the TLS files cannot be used; the server keeps the old ones and says so in its log
    only. So the log is read from where it ended before the reload, and the served certificate is compared with
    the file.
  - A cluster whose files are not younger than its last reload is left alone. One whose files are is reloaded even
    when an earlier run replaced them.
author: [certrotate]
options:
  clusters:
    description: As M(certrotate_discover) returns them.
    type: list
    elements: dict
    required: true
  changed:
    description: Data directories of the clusters whose files were replaced just now.
    type: list
    elements: str
    default: []
  deadline:
    description: Seconds that a server has for its reload.
    type: float
    default: 30
"""

RETURN = r"""
clusters:
  description: Data directories of the clusters that were reloaded.
  type: list
  returned: always
standbys:
  description: Data directories of the clusters that are standbys.
  type: list
  returned: always
"""

EXAMPLES = r"""
- certrotate_reload:
    clusters: "{{ found.clusters }}"
    changed: "{{ written.clusters }}"
"""

import os
import signal
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.certrotate_cluster import Cluster, announced, newest_change, run_as, subjects, wait_until
from ansible.module_utils.certrotate_pem import Refused, first_certificate

IGNORED = "SSL configuration was not reloaded"
RECEIVED = "received SIGHUP"
MAX_LOG = 4 << 20
LOG_DELAY = 1.0


class Log(object):
    """What a server writes from now on, in whichever files it does."""

    def __init__(self, cluster, state):
        self.cluster = cluster
        self.start = {path: os.stat(path).st_size for path in cluster.log_files(state)}

    def lines(self, state):
        text = []
        for path in sorted(set(self.start) | set(self.cluster.log_files(state))):
            try:
                with open(path, "rb") as stream:
                    start = self.start.get(path, 0)
                    stream.seek(start if start <= os.stat(path).st_size else 0)
                    text += stream.read(MAX_LOG).decode("utf-8", "replace").splitlines()
            except (IOError, OSError):
                continue
        return text

    def complaint(self, state):
        """(whether the log can be trusted, the lines that say that the files were ignored)."""
        lines = wait_until(lambda: [line for line in self.lines(state) if RECEIVED in line], LOG_DELAY)
        if not lines:
            return False, ""
        lines = self.lines(state)
        bad = [number for number, line in enumerate(lines) if IGNORED in line]
        if not bad:
            return True, ""
        return True, " / ".join(line.strip() for line in lines[max(bad[-1] - 1, 0):bad[-1] + 1])


def state_or_none(cluster):
    """The server's own words; a cluster with login_optional may be one that psql cannot get into."""
    try:
        return cluster.state()
    except Refused:
        if cluster.given.get("login_optional"):
            return None
        raise


def send(cluster):
    """What pg_ctl reload does, or the command that this cluster's variables name."""
    command = cluster.given.get("reload")
    if not command:
        os.kill(cluster.pid, signal.SIGHUP)
        return
    code, out, err = run_as(cluster.owner, ["/bin/sh", "-c", command])
    if code:
        raise Refused("%s: '%s' failed: %s" % (cluster.data, command, err or out))


def check_served(cluster, given, deadline, log_read):
    """The served certificate is the file's; and where no log was found, the announced CAs are the bundle's."""
    expected = first_certificate(given["cert"])
    if expected is None:
        raise Refused("%s: there is no certificate in %s" % (cluster.data, given["cert"]))
    served = wait_until(lambda: cluster.served() in (None, expected), deadline if not log_read else 2.0)
    if not served:
        raise Refused("%s: after the reload port %d still serves another certificate than %s"
                      % (cluster.data, cluster.port, given["cert"]))
    if log_read:
        return
    if cluster.served() is None:
        raise Refused("%s: neither its log nor its port %d tells whether the reload was accepted; set log_destination "
                      "to stderr, csvlog or jsonlog" % (cluster.data, cluster.port))
    names = announced(cluster) if given["bundle"] else None
    if names is not None and not wait_until(lambda: announced(cluster) == subjects(given["bundle"]), deadline):
        raise Refused("%s: after the reload port %d trusts other CAs than %s holds"
                      % (cluster.data, cluster.port, given["bundle"]))


def reload(given, changed, deadline, check_mode):
    """Whether this cluster was (or would be) reloaded. Refused when it did not take its files."""
    cluster = Cluster(given)
    if not cluster.pid:
        return False
    before = state_or_none(cluster)
    files = [given["cert"], given["key"], given["bundle"]]
    if given["data"] not in changed and (before is None or newest_change(files) < before["loaded"] - 0.02):
        return False
    if check_mode:
        return True
    log = Log(cluster, before)
    send(cluster)
    if before is not None:
        after = wait_until(lambda: (lambda s: s if s["loaded"] != before["loaded"] else None)(cluster.state()), deadline)
        if not after:
            raise Refused("%s: did not reload within %d s" % (cluster.data, deadline))
    else:
        after = None
    log_read, complaint = log.complaint(after)
    if complaint:
        raise Refused("%s: PostgreSQL did not take the new files; it goes on with the old ones, and its next start "
                      "would fail: %s" % (cluster.data, complaint))
    if given["ssl"]:
        check_served(cluster, given, deadline, log_read)
    return True


def is_standby(data):
    return any(os.path.exists(os.path.join(data, name)) for name in ("standby.signal", "recovery.conf"))


def main():
    module = AnsibleModule(supports_check_mode=True, argument_spec=dict(
        clusters=dict(type="list", elements="dict", required=True),
        changed=dict(type="list", elements="str", default=[]),
        deadline=dict(type="float", default=30)))
    given, done = module.params, []
    standbys = [cluster["data"] for cluster in given["clusters"] if is_standby(cluster["data"])]
    started = time.time()
    try:
        for cluster in given["clusters"]:
            if reload(cluster, given["changed"], given["deadline"], module.check_mode):
                done.append(cluster["data"])
    except (Refused, EnvironmentError, KeyError) as problem:
        module.fail_json(msg=str(problem), changed=bool(done), clusters=done)
    module.exit_json(changed=bool(done), clusters=done, standbys=standbys, seconds=round(time.time() - started, 2))


if __name__ == "__main__":
    main()
