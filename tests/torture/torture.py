#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Kills certrotate before and after each of its own system calls that change anything, in every
transition, and looks whether the next call ends as if nothing had happened.

  torture.py [--only TRANSITION[:POINT[:before|after]]] [--sample SECONDS] [--seed TEXT]
             [--quick] [--controls N] [--workers N] [--keep FOLDER] BUILD

On the way the order of the undisturbed runs' calls is checked (order.py), and as the control of that
check N programs with one sync or one journal line less have to fail it (mutants.py; all without N).
Prints a line for each transition and in the end "torture: points N, recovered N". Needs the right
to make namespaces (root, or a user namespace)."""

import argparse
import collections
import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from mutants import ALL as MUTANTS
from transitions import BY_NAME

HERE = os.path.dirname(os.path.abspath(__file__))
TRIES = 6
SAY_EVERY = 250  # kills
TURN_EVERY = 4  # of a forward transition's kills, one is turned round


class Pool:
    """Workers in namespaces of their own."""

    def __init__(self, count, base, build):
        user = [] if os.geteuid() == 0 else ["-r"]
        command = ["unshare", "-m", "-p", "-f", "--kill-child", "--mount-proc", *user,
                   sys.executable, os.path.join(HERE, "worker.py"), base, build]
        self.workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True) for _ in range(count)]

    def ask(self, number, request):
        worker = self.workers[number]
        line = ""
        try:
            worker.stdin.write(json.dumps(dict(request, worker=number)) + "\n")
            worker.stdin.flush()
            line = worker.stdout.readline()
        except BrokenPipeError:
            pass
        if line:
            return json.loads(line)
        return {"ok": False, "seconds": 0, "said": "the worker has ended: it needs the right to "
                "make namespaces and to mount in them (as root, or in a user namespace)"}

    def close(self):
        for worker in self.workers:
            try:
                worker.stdin.close()
            except BrokenPipeError:
                pass
            worker.wait()


class Run:
    def __init__(self, options):
        self.options = options
        self.tally = collections.OrderedDict()
        self.failures = []
        self.lock = threading.Lock()
        self.waiting = queue.Queue()
        self.mutants = queue.Queue()
        self.controls = 0
        self.stopping = False
        self.again = 0
        self.turned = 0
        self.done = 0
        self.seconds = 0.0

    def chosen(self, made):
        """A point that is asked for by name is killed there, whatever else would stand for it."""
        only = (self.options.only or "").split(":")
        if only[0] and only[0] not in (made["transition"], self.name(made)) or \
           self.options.quick and made["real"]:
            return []
        if len(only) == 1:
            return made["cases"]
        if int(only[1]) not in (case[0] for case in made["cases"]):
            return []
        return [[int(only[1]), when] for when in only[2:] or ["before", "after"]]

    @staticmethod
    def name(made):
        return made["transition"] + ("-real" if made["real"] else "")

    def collect(self, references):
        cases = []
        for made in references:
            name = self.name(made)
            chosen = self.chosen(made)
            points = len({case[0] for case in chosen}) if self.options.only else made["points"]
            if chosen:
                self.tally[name] = {"points": points, "good": set(), "bad": set()}
            for i, (point, when) in enumerate(chosen):
                case = {"do": "case", "transition": made["transition"], "real": made["real"],
                        "point": point, "when": when, "turn": False}
                cases.append(case)
                if self.turns(made, when, i):
                    cases.append(dict(case, turn=True))
        return cases

    def turns(self, made, when, i):
        """Each point of a revert once, some of the others."""
        if made["real"] or not BY_NAME[made["transition"]].turn:
            return False
        if self.options.only:
            return True
        if made["transition"].startswith("revert"):
            return when == "before"
        return i % TURN_EVERY == 0

    def sample(self, cases):
        """Evenly over all, in an order that the seed gives: workers stop when the time is over."""
        chance = random.Random(self.options.seed)
        by_name = collections.OrderedDict()
        for case in cases:
            by_name.setdefault((case["transition"], case["real"]), []).append(case)
        for group in by_name.values():
            chance.shuffle(group)
        order = []
        while any(by_name.values()):
            order += [group.pop() for group in by_name.values() if group]
        return order

    def work(self, pool, number, end):
        while time.monotonic() < end and not self.stopping:
            try:
                case = self.waiting.get_nowait()
            except queue.Empty:
                return
            for _ in range(TRIES):
                answer = pool.ask(number, case)
                if not answer["ok"] or answer["said"]["reached"]:
                    break
            else:
                answer = {"ok": False, "said": "the point was never reached", "seconds": 0}
            self.note(case, answer)

    def note(self, case, answer):
        name = self.name(case)
        with self.lock:
            tally = self.tally[name]
            self.seconds += answer["seconds"]
            self.done += 1
            if self.done % SAY_EVERY == 0:
                print("torture: %d kills, %d still to come, %d failed" % (
                    self.done, self.waiting.qsize(), len(self.failures)), flush=True)
            if answer["ok"]:
                tally["good"].add(case["point"])
                self.again += answer["said"]["again"]
                self.turned += case["turn"]
                if self.options.verbose:
                    print("%s:%d:%s %.1f s %s" % (name, case["point"], case["when"],
                                                  answer["seconds"], answer["said"]["status"]))
                return
            tally["bad"].add(case["point"])
            self.failures.append(case)
            print("FAILED: %s:%d:%s%s\n    %s\n    repeat it: make torture ONLY=%s:%d:%s" % (
                name, case["point"], case["when"], " and turned round" if case["turn"] else "",
                answer["said"].replace("\n", "\n    "), name, case["point"], case["when"]),
                flush=True)

    def control(self, pool, number):
        """Each worker its share."""
        while not self.stopping:
            try:
                mutant = self.mutants.get_nowait()
            except queue.Empty:
                return
            answer = pool.ask(number, {"do": "control", "mutant": mutant})
            with self.lock:
                self.controls += 1
                if not answer["ok"]:
                    self.failures.append(mutant)
                    print("FAILED: the control %d: %s" % (mutant, answer["said"]), flush=True)
                elif self.options.verbose:
                    print("control %d: %s" % (mutant, "; ".join(answer["said"][:2])))

    def controlled(self, pool):
        chosen = list(range(len(MUTANTS)))
        random.Random(self.options.seed).shuffle(chosen)
        if self.options.controls is not None:
            chosen = chosen[:self.options.controls]
        for mutant in chosen:
            self.mutants.put(mutant)
        self.share(self.control, pool)
        print("order: %d undisturbed runs hold; %d of %d programs with one sync or journal line "
              "less were found out" % (len(self.tally), self.controls - len(self.failures),
                                       self.controls))

    def share(self, work, *args):
        threads = [threading.Thread(target=work, args=(*args[:1], number, *args[1:]))
                   for number in range(self.options.workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def go(self, base):
        pool = Pool(self.options.workers, base, self.options.build)
        start = time.monotonic()
        try:
            only = (self.options.only or "").split(":")[0].removesuffix("-real") or None
            answer = pool.ask(0, {"do": "tour", "only": only, "quick": self.options.quick})
            if not answer["ok"]:
                print("torture: the undisturbed run fails: " + answer["said"])
                return 1
            cases = self.collect(answer["said"])
            if not cases:
                print("torture: no such point")
                return 2
            if not self.options.only:
                self.controlled(pool)
            end = start + 86400
            if self.options.sample:
                least = time.monotonic() + self.options.sample / 3
                cases, end = self.sample(cases), max(least, start + self.options.sample)
            for case in cases:
                self.waiting.put(case)
            self.share(self.work, pool, end)
        finally:
            self.stopping = True
            pool.close()
        return self.report(time.monotonic() - start, len(cases) - self.waiting.qsize())

    def report(self, seconds, cases):
        points = recovered = 0
        for name, tally in self.tally.items():
            tried = tally["good"] | tally["bad"]
            good = tally["good"] - tally["bad"]
            count = len(tried) if self.options.sample else tally["points"]
            if count:
                print("%-22s %4d of %4d points recovered" % (name, len(good), count))
            points += count
            recovered += len(good)
        print("%d kills, %d of them turned round; %d rollouts were made again whose end was not "
              "known; %.0f s, %.2f s a kill" % (cases, self.turned, self.again, seconds,
                                                self.seconds / max(1, cases)))
        print("torture: points %d, recovered %d" % (points, recovered))
        return 0 if points == recovered and points and not self.failures else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", default="")
    parser.add_argument("--quick", action="store_true",
                        help="without the points inside Ansible's own runs")
    parser.add_argument("--controls", type=int)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--verbose", action="store_true", help="a line for each kill as well")
    parser.add_argument("--keep", help="uses the undisturbed runs in FOLDER, or makes them there")
    parser.add_argument("build")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.keep:
        return Run(options).go(os.path.abspath(options.keep))
    base = tempfile.mkdtemp(prefix="certrotate-torture-")
    try:
        return Run(options).go(base)
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
