#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# A sample of "make valgrind": a few commands under memcheck.
set -u
cd "$(dirname "$0")/../.." || exit 1
exec tests/valgrind/rotation "${1:-build}" --sample
