#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: certrotate_census
short_description: Tells who is connected to the PostgreSQL clusters of a host, and with which certificate
description:
  - Asks each cluster that runs with psql as its owner over the local socket, so that no rule of pg_hba.conf has to let
    anybody in. Changes nothing.
  - A cluster that cannot be asked has an error; the others are told nevertheless.
author: [certrotate]
options:
  clusters:
    description: Clusters named by variables; left out, the layouts of Debian and RHEL are searched.
    type: list
    elements: dict
"""

RETURN = r"""
report:
  description: "version (1) and clusters: of each that runs data, port, error, cut, and sessions with user,
    application, address, database, backend, serial (decimal), tls and age (seconds)."
  type: dict
  returned: always
"""

EXAMPLES = r"""
- certrotate_census:
    clusters: "{{ certrotate_clusters | default(omit) }}"
  register: counted
"""

import base64
import json

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.certrotate_cluster import Cluster, find
from ansible.module_utils.certrotate_pem import Refused

MAX_SESSIONS = 10000
# In base64, so that names in any language come through any locale.
QUERY = """
SET statement_timeout = '8s';
SET default_transaction_read_only = on;
SELECT encode(convert_to(json_build_object(
  'all', pg_has_role('pg_read_all_stats', 'USAGE'),
  'sessions', coalesce((SELECT json_agg(s) FROM (
    SELECT a.usename AS "user", a.application_name AS application, coalesce(host(a.client_addr), '') AS address,
           coalesce(a.datname, '') AS database, a.backend_type AS backend,
           coalesce(t.client_serial::text, '') AS serial, coalesce(t.ssl, false) AS tls,
           floor(extract(epoch FROM clock_timestamp() - a.backend_start))::bigint AS age
    FROM pg_stat_activity AS a LEFT JOIN pg_stat_ssl AS t ON t.pid = a.pid
    WHERE a.pid <> pg_backend_pid() AND a.usename IS NOT NULL
      AND a.backend_type IN ('client backend', 'walsender')
    LIMIT %d) AS s), '[]'))::text, 'UTF8'), 'base64')
""" % (MAX_SESSIONS + 1)


def count(cluster):
    """What one cluster says, without an error."""
    answer = json.loads(base64.b64decode(cluster.sql(QUERY)).decode("utf-8"))
    if not answer["all"]:
        raise Refused("%s: the role that asks is shown its own sessions only: grant it pg_read_all_stats" % cluster.data)
    sessions = answer["sessions"]
    return {"cut": len(sessions) > MAX_SESSIONS, "sessions": sessions[:MAX_SESSIONS]}


def ask(given):
    """The report about one cluster; None where it does not run."""
    cluster = Cluster(given)
    if not cluster.pid:
        return None
    result = {"data": cluster.data, "port": cluster.port, "error": None, "cut": False, "sessions": []}
    try:
        result.update(count(cluster))
    except (Refused, EnvironmentError, ValueError, KeyError) as problem:
        result["error"] = str(problem)
    return result


def main():
    module = AnsibleModule(supports_check_mode=True, argument_spec=dict(
        clusters=dict(type="list", elements="dict")))
    try:
        clusters = module.params["clusters"]
        if clusters is None:
            clusters = find()
        told = [ask(given) for given in clusters]
        module.exit_json(changed=False, report={"version": 1, "clusters": [one for one in told if one]})
    except (Refused, EnvironmentError, KeyError) as problem:
        module.fail_json(msg="cannot tell who is connected: %s" % problem)


if __name__ == "__main__":
    main()
