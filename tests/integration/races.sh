#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# A sample of "make races": two operators who type the same command at about the same time.
set -u
cd "$(dirname "$0")/../.." || exit 1
exec /usr/bin/python3 tests/races/races.py "${1:-build}" 5
