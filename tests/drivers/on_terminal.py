#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""on_terminal.py COMMAND...: runs it on a terminal of its own, prints what that shows, ends as it does."""
import os
import pty
import sys

sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
