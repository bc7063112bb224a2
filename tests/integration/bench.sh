#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# What measures: its arithmetic against known values, and the whole program once with the smallest row.
#
#   tests/integration/bench.sh build

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
BUILD=$(cd "${1:-build}" && pwd) || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

# A row with certrotate itself, without a peer.
runs() {
  bench/bench --build "$BUILD" --quick --runs 1 --only status --json "$T/figures.json" >"$T/said" 2>&1
}

is_written() {
  /usr/bin/python3 - "$T/figures.json" <<'PY'
import json, sys
with open(sys.argv[1]) as file:
    result = json.load(file)
assert [line["figure"] for line in result["figures"]] == ["wall"], result
assert result["figures"][0]["value"] > 0 and result["machine"]["processors"] > 0, result
assert [len(size["series"][0]["runs"]) for size in result["rows"][0]["sizes"]] == [1, 1, 1], result
PY
}

begin bench
check 'medians, growth, verdicts and tables are as known' /usr/bin/python3 tests/bench/figures.py
quietly make -s BUILD="$BUILD" "$BUILD/bench/timed"
check 'a row is measured' runs
check 'and printed beside its target' grep -Eq '^status .* <= 20 ms (met|MISSED by .* %)$' "$T/said"
check 'and written as JSON' is_written
check 'a row that is not there is refused' exits 2 bench/bench --only nothing
check 'figures of small sizes are refused for the README' exits 1 bench/bench --readme README.md --json "$T/figures.json"
finish
