#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Lets certrotate's own allocations and system calls fail, one at a time:

    faults.py --build DIR --alloc PROGRAM [--sample SECONDS] [--seed N] [--skip N] [--only PART[:SCENE[:N[:HOW]]]]
              [--jobs N]

Each fault has to end in a clear message and an exit code of 1 with nothing changed or a state that `next --to` brings to
the same end, or in success that differs in nothing. Prints a line for each command, and `faults: N injected, N survived`."""

import argparse
import multiprocessing
import os
import queue
import random
import shutil
import signal
import sys
import tempfile
import time

import allocations
import calls
from scenes import NAMES, walk

SHOWN = 40
SAY_EVERY = 500


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--alloc", required=True)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--skip", type=int, default=0)  # goes on where an earlier run was ended
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    args = parser.parse_args()
    args.build, args.alloc = os.path.abspath(args.build), os.path.abspath(args.alloc)
    return args


class Worker:
    """A world that is put back only where it was touched."""

    def __init__(self, root):
        self.root, self.scene, self.world, self.files = root, None, None, None

    def fresh(self, scene):
        if self.world and self.scene is scene and self.world.files() == self.files:
            return self.world
        self.drop()
        self.scene, self.world = scene, scene.world.copy(self.root)
        self.files = self.world.files()
        return self.world

    def drop(self):
        if self.world:
            self.world.remove()
        self.world = None


def work(number, root, parts, todo, done, stop):
    worker = Worker(os.path.join(root, f"worker-{number}"))
    while not stop.is_set():
        try:
            part, index, fault = todo.get(timeout=0.5)
        except queue.Empty:
            break
        part = parts[part]
        scene = part.scenes[index]
        world = worker.fresh(scene)
        try:
            done.put((part.name, index, fault, *part.inject(scene, world, worker.files, fault)))
        except Exception as error:  # pylint: disable=broad-except
            done.put((part.name, index, fault, True, None, [f"the test itself failed: {error!r}"], ""))
    worker.drop()
    done.put(None)


def pick(parts, args):
    """What is to fail: all of it, or as much as there is time for, chosen by the seed."""
    faults = [(part.name, index, fault) for part in parts.values()
              for index, scene in enumerate(part.scenes) for fault in part.choose(scene)]
    if args.only:
        words = args.only.split(":")
        faults = [fault for fault in faults if parts[fault[0]].matches(fault[2], words[2:])] or [
            (part.name, 0, part.given(words[2:])) for part in parts.values()]
    elif args.sample:
        random.Random(args.seed).shuffle(faults)
    return faults[args.skip:]


def report(part, scene, fault, bad, text):
    print(f"\nFAILED {part.name}:{scene.name}:{part.label(fault)}: certrotate {' '.join(scene.command)}", flush=True)
    for sentence in bad:
        print(f"  {sentence}")
    for line in text.rstrip().split("\n"):
        print(f"  | {line}")
    print(f"  again: make faults ONLY={part.name}:{scene.name}:{part.label(fault)}", flush=True)


def run(parts, faults, args, root):
    todo, done, stop = multiprocessing.Queue(), multiprocessing.Queue(), multiprocessing.Event()
    for fault in faults:
        todo.put(fault)
    workers = [multiprocessing.Process(target=work, args=(i, root, parts, todo, done, stop)) for i in range(args.jobs)]
    for worker in workers:
        worker.daemon = True
        worker.start()
    end = time.monotonic() + args.sample if args.sample else None
    injected = survived = running = 0
    running = len(workers)
    figures = {}
    while running:
        said = done.get()
        if said is None:
            running -= 1
            continue
        name, index, fault, reached, key, bad, text = said
        part = parts[name]
        figure = figures.setdefault((name, part.scenes[index].name), [0, 0, 0])
        if not reached and not bad:
            figure[2] += 1
            continue
        injected += 1
        survived += not bad
        figure[0] += 1
        figure[1] += not bad
        part.saw(part.scenes[index], key)
        if injected % SAY_EVERY == 0:
            print(f"faults: {injected} injected, {survived} survived", flush=True)
        if bad and injected - survived <= SHOWN:
            report(part, part.scenes[index], fault, bad, text)
        if end and time.monotonic() > end:
            stop.set()
    while True:  # what nobody took
        try:
            todo.get(timeout=0.1)
        except queue.Empty:
            break
    for worker in workers:
        worker.join()
    return injected, survived, figures


def main():
    args = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    words = args.only.split(":")
    # on a memory file system: thousands of worlds are copied, and no power fails here
    root = tempfile.mkdtemp(prefix="certrotate-faults-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        start = time.monotonic()
        wanted = words[1:2] if args.only else None
        if args.sample and not args.only:  # looking where all of them allocate takes longer than a short sample
            wanted = random.Random(args.seed).sample(NAMES, min(len(NAMES), 3 + args.sample // 30))
        scenes = walk(root, os.path.join(args.build, "certrotate"), wanted)
        parts = {part.name: part for part in (allocations.Allocations(scenes, args, root), calls.Calls(scenes, args, root))
                 if not args.only or part.name == words[0]}
        for part in parts.values():
            part.look()
        faults = pick(parts, args)
        print(f"faults: {len(faults)} to inject, prepared in {time.monotonic() - start:.0f} s", flush=True)
        injected, survived, figures = run(parts, faults, args, root)
    finally:
        for worker in multiprocessing.active_children():
            worker.kill()
            worker.join()
        shutil.rmtree(root, ignore_errors=True)
    for (name, scene), (count, held, missed) in sorted(figures.items()):
        print(f"  {name} {scene}: {count} injected, {held} survived" + (f", {missed} not reached" if missed else ""))
    for part in parts.values():
        print(f"  {part.summary()}")
    print(f"faults: {injected} injected, {survived} survived, {time.monotonic() - start:.0f} s", flush=True)
    sys.exit(0 if injected and injected == survived else 1)


if __name__ == "__main__":
    main()
