#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# Taking over what another machine has under way, locks and what dead processes leave, clocks that jump.
set -u
cd "$(dirname "$0")/../.." || exit 1
exec /usr/bin/python3 tests/races/operators.py "${1:-build}"
