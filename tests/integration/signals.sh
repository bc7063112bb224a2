#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# Signals in each part of a phase, at a terminal and without one, and pushes whose answer is lost.
set -u
cd "$(dirname "$0")/../.." || exit 1
exec /usr/bin/python3 tests/races/signals.py "${1:-build}"
