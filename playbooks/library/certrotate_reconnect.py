#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: certrotate_reconnect
short_description: Has a standby's replication log in again
description:
  - Replication keeps its session over every reload, and with it the certificates of the day it began. The WAL
    receiver is ended and must stream again before the deadline.
  - Left alone are primaries, standbys that do not stream, and WAL receivers younger than their files (unless forced).
author: [certrotate]
options:
  clusters:
    description: As M(certrotate_discover) returns them.
    type: list
    elements: dict
    required: true
  force:
    description: Whether it reconnects even when its own files are older, because those of its primary changed.
    type: bool
    default: false
  deadline:
    description: Seconds until it must stream again.
    type: float
    default: 60
"""

RETURN = r"""
clusters:
  description: Data directories of the standbys that reconnected.
  type: list
  returned: always
seconds:
  description: How long that took.
  type: float
  returned: always
"""

EXAMPLES = r"""
- certrotate_reconnect:
    clusters: "{{ found.clusters }}"
  throttle: 1
"""

import os
import re
import signal
import time

try:
    from urllib.parse import parse_qs, urlsplit
except ImportError:
    from urlparse import parse_qs, urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.certrotate_cluster import Cluster, newest_change, wait_until
from ansible.module_utils.certrotate_pem import Refused

FILES = (("sslcert", "postgresql.crt"), ("sslkey", "postgresql.key"), ("sslrootcert", "root.crt"))
PAIR = re.compile(r"""(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)""")
NUDGE_AFTER, NUDGE_EVERY = 0.3, 0.5


def conninfo(text):
    """The connection string's words, in either of libpq's two forms."""
    if text.startswith(("postgresql://", "postgres://")):
        return {name: values[-1] for name, values in parse_qs(urlsplit(text).query).items()}
    return {name: re.sub(r"\\(.)", r"\1", value[1:-1] if value.startswith("'") else value)
            for name, value in PAIR.findall(text)}


def own_files(cluster, given, state):
    """What the WAL receiver logs in with, and the server's own files, which change together with its primary's."""
    words = conninfo(state["conninfo"])
    home = os.path.join(cluster.owner.pw_dir, ".postgresql")
    login = [os.path.join(cluster.data, words.get(word) or os.path.join(home, name)) for word, name in FILES]
    return login + [given["cert"], given["key"], given["bundle"]]


def streams_again(cluster, old, nudged):
    """The state once another WAL receiver streams. The startup process may be asleep for the rest of
    wal_retrieve_retry_interval; SIGHUP wakes it, and it then tries again at once."""
    state = cluster.state()
    receiver = state["receiver"]
    if receiver and receiver["pid"] != old and receiver["status"] == "streaming":
        return state
    if not receiver and state["startup"] and time.time() > nudged["at"]:
        os.kill(state["startup"], signal.SIGHUP)
        nudged["at"] = time.time() + NUDGE_EVERY
    return None


def reconnect(given, force, deadline, check_mode):
    """Whether this cluster reconnected (or would)."""
    cluster = Cluster(given)
    if not cluster.pid or given.get("login_optional"):
        return False
    state = cluster.state()
    receiver = state["receiver"]
    if not state["recovery"] or not receiver or receiver["status"] != "streaming":
        return False
    if not force and newest_change(own_files(cluster, given, state)) < receiver["since"]:
        return False
    if check_mode:
        return True
    # pg_terminate_backend() does not know auxiliary processes.
    os.kill(receiver["pid"], signal.SIGTERM)
    nudged = {"at": time.time() + NUDGE_AFTER}
    if not wait_until(lambda: streams_again(cluster, receiver["pid"], nudged), deadline):
        raise Refused("%s: its replication did not come back within %d s with the present certificates; its log says why"
                      % (cluster.data, deadline))
    return True


def main():
    module = AnsibleModule(supports_check_mode=True, argument_spec=dict(
        clusters=dict(type="list", elements="dict", required=True),
        force=dict(type="bool", default=False),
        deadline=dict(type="float", default=60)))
    given, done = module.params, []
    started = time.time()
    try:
        for cluster in given["clusters"]:
            if reconnect(cluster, given["force"], given["deadline"], module.check_mode):
                done.append(cluster["data"])
    except (Refused, EnvironmentError, KeyError) as problem:
        module.fail_json(msg=str(problem), changed=bool(done), clusters=done)
    module.exit_json(changed=bool(done), clusters=done, seconds=round(time.time() - started, 2))


if __name__ == "__main__":
    main()
