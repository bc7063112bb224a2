# SPDX-License-Identifier: PostgreSQL
"""The program behind bench/bench: options, one row after the other, and what comes of them."""
import argparse
import contextlib
import fcntl
import json
import os
import shutil
import sys
import tempfile

import figures
import report
from measure import Failed, Measurer, Missing, alternate
from rows import ROWS
from worlds import Worlds

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULT_VERSION = 1


def parse(words):
    parser = argparse.ArgumentParser(prog="bench/bench", description="Measures certrotate beside its peers. Judges "
                                     "nothing by time: the exit code is 1 only where a command failed.")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="where the programs were built")
    parser.add_argument("--only", action="append", metavar="ROW", help="this row alone; may be given again")
    parser.add_argument("--runs", type=int, metavar="N", help="so many runs of each command")
    parser.add_argument("--quick", action="store_true", help="small sizes and two runs, to see that everything runs")
    parser.add_argument("--json", metavar="FILE", help="writes what was measured; with --readme reads it")
    parser.add_argument("--readme", metavar="FILE", help="puts the table of --json into FILE, measures nothing")
    parser.add_argument("--list", action="store_true", help="names the rows")
    options = parser.parse_args(words)
    unknown = set(options.only or []) - {row.name for row in ROWS}
    if unknown:
        parser.error("no such row: %s; there are %s" % (", ".join(sorted(unknown)), ", ".join(r.name for r in ROWS)))
    if options.runs is not None and options.runs < 1:
        parser.error("--runs takes a number from 1 on")
    if options.readme and not options.json:
        parser.error("--readme needs --json FILE")
    return options


def clean_environment(folder):
    """Nothing of the user's own: programs, Ansible, git, PostgreSQL and OpenSSL as they are by default."""
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("ANSIBLE_", "GIT_", "PG", "SSL_", "CERTROTATE_", "PYTHON"))}
    home = os.path.join(folder, "home")
    os.makedirs(home, exist_ok=True)
    with open(os.path.join(home, ".gitconfig"), "w", encoding="utf-8") as file:
        file.write("[user]\n\tname = A DBA\n\temail = dba@example.com\n")
    env.update(HOME=home, GIT_CONFIG_NOSYSTEM="1", LC_ALL="C.UTF-8", ANSIBLE_HOME=os.path.join(home, ".ansible"),
               ANSIBLE_NOCOLOR="1", PATH="/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/bin")
    return env


class World(Worlds):
    """What the rows see: where things are, and which sizes are being measured."""

    def __init__(self, folder, build, env, quick):
        super().__init__(os.path.join(folder, "worlds-quick" if quick else "worlds"), build, ROOT, env)
        self.quick, self.middle, self.largest = quick, 0, 0


def gather(row, world, size, scratch, stack):
    """A row's commands, and those that are missing with their packages."""
    commands, missing = [], []
    try:
        for one in row.make(world, size, scratch, stack):
            if isinstance(one, Missing):
                missing.append(str(one))
            else:
                commands.append(one)
    except Missing as absent:
        missing.append(str(absent))
    return commands, missing


def measure_row(row, world, measurer, options):
    """Of each size the series by command; what was missing, and what else was seen."""
    sizes, missing, notes = row.quick if options.quick else row.sizes, [], []
    runs = options.runs or (2 if options.quick else row.runs)
    world.middle, world.largest = sizes[min(1, len(sizes) - 1)], sizes[-1]
    by_size = {}
    for size in sizes:
        scratch = os.path.join(measurer.scratch, "%s-%d" % (row.name, size))
        os.makedirs(scratch)
        with contextlib.ExitStack() as stack:
            commands, absent = gather(row, world, size, scratch, stack)
            missing += [one for one in absent if one not in missing]
            if commands:
                by_size[size] = alternate(measurer, commands, size, runs, row.warm_up,
                                          lambda one: report.told(row, one))
        if row.note and size == sizes[-1] and by_size:
            notes.append(row.note(world, size, scratch))
        shutil.rmtree(scratch, ignore_errors=True)
    return by_size, missing, notes


def has_peers(figure, series):
    """Each of its peers was measured; "a|b" is one of the two."""
    return all(any(name in series for name in peer.split("|")) for peer in figure.peers)


def figure_line(row, figure, by_size, world, targets):
    """One line of the table, or None where what it needs is missing."""
    sizes = sorted(by_size)
    target = targets.get((row.name, figure.name))
    if figure.work is None:
        if len(sizes) < 2:
            return None
        size, (value, ours, theirs) = sizes[-1], (
            figures.growth([(size, row.time(by_size[size])) for size in sizes]), "-", "-")
        beside = "from " + " to ".join("%d" % one for one in (sizes[0], sizes[-1]))
    else:
        size, beside = sizes[min(figure.at if figure.at is not None else len(sizes) - 1, len(sizes) - 1)], figure.beside
        if not has_peers(figure, by_size[size]):
            return None
        value, ours, theirs = figure.work(by_size[size], size, world)
    return {"row": row.name, "work": row.work, "figure": figure.name, "size": size, "value": value, "unit": figure.unit,
            "ours": ours, "beside": beside, "theirs": theirs, "target": target.limit_text() if target else "",
            "verdict": target.judge(value) if target else ""}


def series_json(series):
    medians = {what: series.median(what) for what in ("wall", "cpu", "user", "system", "peak")}
    runs = [dict(wall=one.wall, user=one.user, system=one.system, peak=one.peak, **(
        {"values": one.values} if one.values else {})) for one in series.samples]
    return {"command": series.name, "median": medians, "runs": runs}


def measure_all(rows, world, measurer, options, result, targets):
    """Goes on behind a row that fails; how many did."""
    failed = 0
    for row in rows:
        if row.root and os.geteuid() != 0:
            result["not_measured"].append({"row": row.name, "why": "needs root"})
            continue
        try:
            by_size, missing, notes = measure_row(row, world, measurer, options)
        except (Failed, OSError) as failure:
            failed += 1
            print("bench: %s: %s" % (row.name, failure), file=sys.stderr, flush=True)
            result["not_measured"].append({"row": row.name, "why": "failed: %s" % str(failure).splitlines()[0]})
            continue
        for why in missing:
            result["not_measured"].append({"row": row.name, "why": why + ": make bench-deps"})
        result["notes"] += [{"row": row.name, "note": note} for note in notes]
        result["rows"].append({"row": row.name, "work": row.work, "sizes": [
            {"size": size, "series": [series_json(one) for one in by_size[size].values()]} for size in sorted(by_size)]})
        lines = [figure_line(row, figure, by_size, world, targets) for figure in row.figures] if by_size else []
        result["figures"] += [line for line in lines if line]
    return failed


def of_the_day(path, result, names):
    """Adds what was measured of other rows on the same day and machine: all of them together are one table."""
    try:
        with open(path, encoding="utf-8") as file:
            before = json.load(file)
    except (FileNotFoundError, ValueError):
        return
    same = all(before.get(what) == result[what] for what in ("version", "date", "quick")) and all(
        before["machine"].get(what) == value for what, value in result["machine"].items() if what != "load")
    order = {row.name: number for number, row in enumerate(ROWS)}
    for part in ("figures", "not_measured", "notes", "rows"):
        kept = [one for one in before.get(part, []) if one["row"] not in names and one["row"] in order] if same else []
        result[part] = sorted(kept + result[part], key=lambda one: order[one["row"]])


def measure(options):
    with open(os.path.join(ROOT, "bench", "targets"), encoding="utf-8") as file:
        targets = {(one.row, one.figure): one for one in figures.parse_targets(file.read(), "bench/targets")}
    build = os.path.abspath(options.build)
    folder = os.path.join(build, "bench")
    os.makedirs(folder, exist_ok=True)
    env = clean_environment(folder)
    rows = [row for row in ROWS if not options.only or row.name in options.only]
    result = {"version": RESULT_VERSION, "date": report.today(), "quick": options.quick, "machine": report.machine(),
              "figures": [], "not_measured": [], "notes": [], "rows": []}
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        scratch = tempfile.mkdtemp(prefix="scratch-", dir=folder)
        try:
            world = World(folder, build, env, options.quick)
            failed = measure_all(rows, world, Measurer(world.program("timed"), scratch, env), options, result, targets)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        of_the_day(options.json, result, {row.name for row in rows})
        report.write_json(options.json, result)
    report.print_table(result)
    return 1 if failed else 0


def write_readme(options):
    with open(options.json, encoding="utf-8") as file:
        result = json.load(file)
    with open(options.readme, encoding="utf-8") as file:
        text = file.read()
    if result["quick"]:
        raise ValueError("%s is of small sizes (--quick)" % options.json)
    with open(options.readme, "w", encoding="utf-8") as file:
        file.write(report.into_readme(text, result))


def main(words):
    options = parse(words)
    try:
        if options.list:
            for row in ROWS:
                print("%-12s %s" % (row.name, row.work))
            return 0
        if options.readme:
            write_readme(options)
            return 0
        return measure(options)
    except BlockingIOError:
        print("bench: another one is measuring in %s" % options.build, file=sys.stderr)
    except (Failed, OSError, ValueError) as failure:
        print("bench: %s" % failure, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1
