#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: certrotate_check
short_description: Looks at a host's certificates, keys and bundles, and at what its servers log about them
description:
  - Changes nothing. What it finds is told, not judged; a file that PostgreSQL could not load is no failure of this task.
  - A server keeps serving what it has in memory. Whether it would start again is up to its files, so they are
    looked at as the server would, with its rules for owners and modes.
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
  since:
    description: Epoch from which TLS failures in the servers' logs are counted; 0 for none.
    type: float
    default: 0
  now:
    description: Epoch on the clock that C(since) is of; a host whose clock differs by more than a run takes is set right by it.
    type: float
    default: 0
"""

RETURN = r"""
report:
  description: version, time, clusters (problems, unloaded, leaf, cn, bundle, served, ignored, log, failures) and clients.
  type: dict
  returned: always
"""

EXAMPLES = r"""
- certrotate_check:
    clusters: "{{ found.clusters }}"
    clients: "{{ found.clients }}"
"""

import os
import pwd
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.certrotate_cluster import Cluster, announced, subjects
from ansible.module_utils.certrotate_log import Failures, Log, Reload
from ansible.module_utils.certrotate_look import Files, fingerprint
from ansible.module_utils.certrotate_pem import Refused

MOST_FAILURES = 1000
LATENCY = 300
LOG_SETTINGS = ("log_destination", "log_line_prefix", "log_timezone", "lc_messages")


def state_or_none(cluster):
    """The server's own words; psql may not get in, and then less is known."""
    try:
        return cluster.state() if cluster.pid else None
    except Refused:
        return None


def not_loaded(cluster, files, answer, state):
    """Files that the server does not go by, although they are good. What cannot be asked is no problem here: the
    probes ask from outside."""
    changed = [kind for kind in ("cert", "bundle")
               if kind in files.infos and state and files.infos[kind].st_ctime > state["loaded"] + 0.02]
    served = cluster.served() if cluster.pid else None
    answer["served"] = fingerprint(served) if served else None
    if served and answer["leaf"] and answer["leaf"] != answer["served"]:
        yield "%s is not what port %d serves: it was not loaded" % (files.paths["cert"], cluster.port)
    if "bundle" in changed and not files.problems:
        names = announced(cluster)
        if names is not None and names != subjects(files.paths["bundle"]):
            yield "%s is not what port %d trusts: it was not loaded" % (files.paths["bundle"], cluster.port)


def read_log(cluster, since, shift):
    """(what the log says about the last reload, its TLS failures, what is to be known about the log)."""
    log = Log(cluster, cluster.current(LOG_SETTINGS), since or time.time())
    reload, failures = Reload(), Failures(since)
    try:
        for event in (log.events() if log.files else ()):
            reload.feed(event)
            if since:
                failures.feed(event)
    except (IOError, OSError) as problem:
        log.why = "its log cannot be read: %s" % problem
    about = {"read": not log.why, "why": log.why, "files": log.files, "cut": log.cut}
    return reload.ignored, failures.answer(shift, MOST_FAILURES) if since else [], about


def check_cluster(given, since, shift):
    cluster = Cluster(given)
    files = Files(cluster.owner, given["cert"], given["key"], given["bundle"])
    result = {"unloaded": [], "data": cluster.data, "version": cluster.version, "port": cluster.port, "running": bool(cluster.pid),
              "ssl": bool(given["ssl"]), "ignored": "", "failures": []}
    if not given["ssl"]:
        return dict(result, problems=[], log={"read": False, "why": "ssl is off"})
    for kind in ("cert", "key", "bundle"):
        files.look(kind)
    files.pair()
    result.update(files.answer())
    if cluster.pid:
        result["unloaded"] = list(not_loaded(cluster, files, result, state_or_none(cluster)))
    result["ignored"], result["failures"], result["log"] = read_log(cluster, since, shift)
    return result


def check_client(given):
    files = Files(pwd.getpwnam(given["owner"]), given["cert"], given["key"], given["bundle"])
    result = {"user": given["user"], "owner": given["owner"], "named": bool(given.get("named")),
              "present": os.path.exists(given["cert"])}
    if result["present"]:
        for kind in ("cert", "key", "bundle"):
            files.look(kind)
        files.pair()
    return dict(result, **files.answer())


def main():
    module = AnsibleModule(supports_check_mode=True, argument_spec=dict(
        clusters=dict(type="list", elements="dict", required=True, no_log=False),
        clients=dict(type="list", elements="dict", required=True, no_log=False),
        since=dict(type="float", default=0),
        now=dict(type="float", default=0)))
    given = module.params
    shift = time.time() - given["now"] if given["now"] else 0
    if 0 <= shift < LATENCY:
        shift = 0
    since = given["since"] + shift if given["since"] else 0
    try:
        report = {"version": 1, "time": time.time(), "shift": shift,
                  "clusters": [check_cluster(cluster, since, shift) for cluster in given["clusters"]],
                  "clients": [check_client(client) for client in given["clients"]]}
    except (Refused, EnvironmentError, KeyError) as problem:
        module.fail_json(msg="its files cannot be looked at: %s" % problem)
    module.exit_json(changed=False, report=report)


if __name__ == "__main__":
    main()
