#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: certrotate_discover
short_description: Finds the PostgreSQL clusters and the client files of a host
description:
  - Changes nothing. Its answer tells M(certrotate_files) what belongs to this host, so that no host is
    ever sent a key that it has no use for.
author: [certrotate]
options:
  clusters:
    description: Clusters named by variables; left out, the layouts of Debian and RHEL are searched.
    type: list
    elements: dict
  users:
    description: Names that have a client certificate.
    type: list
    elements: str
    default: []
  clients:
    description: Clients named by variables (user, and optionally home, owner, cert, key, bundle).
    type: list
    elements: dict
  create:
    description: Whether users without a certificate file get one.
    type: bool
    default: true
"""

RETURN = r"""
clusters:
  description: Each with data, config, version, owner, cert, key, bundle, running, ssl.
  type: list
  returned: always
clients:
  description: Each with user, owner, cert, key, bundle.
  type: list
  returned: always
"""

EXAMPLES = r"""
- certrotate_discover:
    users: "{{ certs.client.keys() | list }}"
"""

import os
import pwd

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.certrotate_cluster import Cluster, find
from ansible.module_utils.certrotate_pem import Refused

NAMES = (("cert", "postgresql.crt"), ("key", "postgresql.key"), ("bundle", "root.crt"))
NO_HOMES = ("/", "/nonexistent", "/dev/null")


def client_of(given, account):
    """Paths of one client's files: as named, else where libpq looks for them."""
    home = given.get("home") or account.pw_dir
    result = {"user": given["user"], "owner": account.pw_name, "named": given.get("named", True)}
    for name, default in NAMES:
        path = given.get(name) or os.path.join(home, ".postgresql", default)
        result[name] = os.path.join(home, path)
    return result


def named_clients(clients):
    for given in clients:
        if not given.get("user"):
            raise Refused("certrotate_clients: an entry has no user")
        owner = given.get("owner") or given["user"]
        try:
            account = pwd.getpwnam(owner)
        except KeyError:
            raise Refused("certrotate_clients: %s: there is no user %s on this host" % (given["user"], owner))
        yield client_of(given, account)


def present_clients(users, create):
    """Users with a certificate who exist on this host and live in a home of their own."""
    for user in sorted(users):
        try:
            account = pwd.getpwnam(user)
        except KeyError:
            continue
        if account.pw_dir in NO_HOMES or not os.path.isdir(account.pw_dir):
            continue
        client = client_of({"user": user, "named": False}, account)
        if os.stat(account.pw_dir).st_uid == account.pw_uid and (create or os.path.exists(client["cert"])):
            yield client


def main():
    module = AnsibleModule(supports_check_mode=True, argument_spec=dict(
        clusters=dict(type="list", elements="dict"),
        users=dict(type="list", elements="str", default=[]),
        clients=dict(type="list", elements="dict"),
        create=dict(type="bool", default=True)))
    given = module.params
    try:
        clusters = given["clusters"]
        if clusters is None:
            clusters = find()
        described = [Cluster(cluster).describe() for cluster in clusters]
        if given["clients"] is None:
            clients = list(present_clients(given["users"], given["create"]))
        else:
            clients = list(named_clients(given["clients"]))
        module.exit_json(changed=False, clusters=described, clients=clients)
    except (Refused, EnvironmentError, KeyError) as problem:
        module.fail_json(msg="cannot tell what belongs to this host: %s" % problem)


if __name__ == "__main__":
    main()
