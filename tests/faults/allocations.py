# SPDX-License-Identifier: PostgreSQL
"""One allocation of the program fails: each call stack once (tests/faults/alloc.h)."""

import concurrent.futures
import os
import subprocess

from judge import MEMORY, judge

DEPTH = 8  # frames that tell two places apart


class Allocations:
    name = "alloc"

    def __init__(self, scenes, args, root):
        self.scenes, self.root = scenes, root
        self.program, self.resume = args.alloc, os.path.join(args.build, "certrotate")
        self.stacks, self.first, self.reached = {}, set(), set()
        self.total, self.jobs = 0, args.jobs

    def command(self, scene):
        return (*scene.command, *(("--yes",) if scene.finish else ()))

    def look(self):
        """Where each command allocates, and which of these places no command before it had."""
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            lists = list(pool.map(self.list, self.scenes))
        for scene, lines in zip(self.scenes, lists):
            self.stacks[scene.name] = []
            for line in lines:
                words = line.split()
                if words[0] == "total":
                    self.total += int(words[1])
                    continue
                key = tuple(words[1:DEPTH + 1])
                if key not in self.first:
                    self.first.add(key)
                    self.stacks[scene.name].append(int(words[0]))

    def list(self, scene):
        listed = os.path.join(self.root, "list-" + scene.name)
        world = scene.world.copy(os.path.join(self.root, "look-" + scene.name))
        world.run(*self.command(scene), program=self.program, CERTROTATE_ALLOC="list:" + listed)
        world.remove()
        with open(listed, encoding="ascii") as file:
            return file.readlines()

    def choose(self, scene):
        return self.stacks[scene.name]

    def given(self, words):
        return int(words[0])

    def matches(self, fault, words):
        return not words or fault == int(words[0])

    def label(self, fault):
        return str(fault)

    def inject(self, scene, world, before, fault):
        told = os.path.join(world.root, "..", f"told-{os.getpid()}")
        if os.path.exists(told):
            os.unlink(told)
        ended = world.run(*self.command(scene), program=self.program, CERTROTATE_ALLOC=f"fail:{fault}:{told}")
        text = ""
        if os.path.exists(told):
            with open(told, encoding="ascii") as file:
                text = file.read()
        frames = text.split()[1:]
        bad = judge(scene, world, before, ended, MEMORY, self.resume)
        shown = f"exit code {ended.code}\n{ended.out[-600:]}{ended.err[-1500:]}\n" + self.names(frames) if bad else ""
        return bool(text), tuple(frames[:DEPTH]), bad, shown

    def names(self, frames):
        if not frames:
            return ""
        done = subprocess.run(("addr2line", "-s", "-f", "-p", "-e", self.program, *(hex(int(f, 16) - 1) for f in frames[:12])),
                              capture_output=True, text=True, check=False)
        return "failed in:\n" + done.stdout

    def saw(self, scene, key):
        self.reached.add(key)

    def summary(self):
        return f"alloc: {len(self.reached & self.first)} of {len(self.first)} places, in {self.total} allocations"
