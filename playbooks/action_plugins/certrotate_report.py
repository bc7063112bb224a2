# SPDX-License-Identifier: PostgreSQL
"""Leaves what a playbook found out about a host where certrotate reads it: HOST.json in the folder that the
variable certrotate_report_dir names, on the machine that Ansible runs on. Without that variable, as when a
colleague runs the playbook, it leaves nothing and succeeds.

    - certrotate_report:
        report: "{{ answer }}"
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

MAX_BYTES = 8 << 20


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset(("report",))

    def run(self, tmp=None, task_vars=None):
        result = super(ActionModule, self).run(tmp, task_vars)
        folder = (task_vars or {}).get("certrotate_report_dir")
        report = self._task.args.get("report")
        result["changed"] = False
        if not isinstance(report, dict):
            raise AnsibleActionFail("report: a mapping is expected")
        if folder:
            self._leave(folder, task_vars["inventory_hostname"], report)
        return result

    @staticmethod
    def _leave(folder, host, report):
        if "/" in host:
            raise AnsibleActionFail("%s: a file cannot have this name" % host)
        text = json.dumps(report).encode("utf-8")
        if len(text) > MAX_BYTES:
            raise AnsibleActionFail("the report about %s has %d bytes, more than %d" % (host, len(text), MAX_BYTES))
        path = os.path.join(folder, host + ".json")
        fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as stream:
            stream.write(text)
        os.rename(path + ".new", path)
