# SPDX-License-Identifier: PostgreSQL
"""One of the program's own system calls fails or does less than it was asked for (tests/torture/trace.c): each call on
each role of a file once with each fault, and a sample of the rest."""

import collections
import concurrent.futures
import os
import random
import re

from judge import judge

# getrandom(2) of 256 bytes or less is never interrupted, and mbedTLS below libgit2 counts on it.
# EINTR is for calls that a handled signal interrupts although it was set up with SA_RESTART, and for those of which our
# own loops take care.
FAULTS = {
    "openat": ("EIO", "EMFILE"), "open": ("EIO", "EMFILE"), "creat": ("EIO", "ENOSPC"),
    "read": ("EIO", "EINTR", "short"), "pread64": ("EIO", "EINTR", "short"),
    "write": ("EIO", "ENOSPC", "EINTR", "short"), "pwrite64": ("EIO", "ENOSPC", "EINTR", "short"),
    "writev": ("EIO", "ENOSPC"), "fsync": ("EIO", "ENOSPC"), "fdatasync": ("EIO",),
    "rename": ("EIO", "ENOSPC", "EROFS"), "renameat": ("EIO", "ENOSPC"), "renameat2": ("EIO", "ENOSPC"),
    "link": ("EIO", "ENOSPC"), "linkat": ("EIO", "ENOSPC"), "symlink": ("EIO",), "symlinkat": ("EIO",),
    "unlink": ("EIO", "EROFS"), "unlinkat": ("EIO",), "mkdir": ("EIO", "ENOSPC"), "mkdirat": ("EIO", "ENOSPC"),
    "rmdir": ("EIO",), "truncate": ("EIO",), "ftruncate": ("EIO",), "fallocate": ("ENOSPC",),
    "chmod": ("EIO", "EPERM"), "fchmod": ("EIO", "EPERM"), "fchmodat": ("EIO", "EPERM"), "chown": ("EPERM",),
    "fchown": ("EPERM",), "fchownat": ("EPERM",), "stat": ("EIO",), "lstat": ("EIO",), "fstat": ("EIO",),
    "newfstatat": ("EIO",), "getdents64": ("EIO",), "readlink": ("EIO",), "pipe2": ("EMFILE",), "poll": ("EINTR",),
    "ppoll": ("EINTR",), "epoll_wait": ("EINTR",), "wait4": ("EINTR",), "waitid": ("EINTR",), "flock": ("ENOLCK",),
    "getrandom": (), "clone": ("EAGAIN", "ENOMEM"), "fork": ("EAGAIN",), "vfork": ("EAGAIN",),
    "memfd_create": ("EMFILE",), "mlock": ("ENOMEM",), "socket": ("EMFILE",),
}
TEXTS = {
    "EIO": "Input/output error|missing or cannot be read|failed to stat", "ENOSPC": "No space left on device", "EROFS": "Read-only file system",
    "EMFILE": "Too many open files", "EINTR": "Interrupted system call", "EPERM": "Operation not permitted",
    "EAGAIN": "Resource temporarily unavailable", "ENOMEM": "Cannot allocate memory|out of memory",
    "ENOLCK": "No locks available",
}
SAMPLE = 400


def role(text, root):
    """What a path is for: where the world is, numbers of objects, times and random names aside."""
    text = text.split("\t")[0].replace(root, "")
    text = re.sub(r"objects/[0-9a-f]{2}/[0-9a-f]{38}", "objects/OBJECT", text)
    text = re.sub(r"objects/[0-9a-f]{2}\b", "objects/FOLDER", text)
    text = re.sub(r"\b[0-9a-f]{40}\b", "OBJECT", text)
    text = re.sub(r"certrotate-\w{6}|tmp_obj_\w+|\w*_git2_\w+", "TEMPORARY", text)
    text = re.sub(r"\d{4}-\d\d-\d\d\S*", "TIME", text)
    text = re.sub(r"\b(pipe|socket|anon_inode):\S*", r"\1", text)
    return re.sub(r"g\d+\.", "gN.", text)


class Calls:
    name = "calls"

    def __init__(self, scenes, args, root):
        self.scenes, self.root, self.jobs = scenes, root, args.jobs
        self.trace, self.program = os.path.join(args.build, "tests/trace"), os.path.join(args.build, "certrotate")
        self.seed, self.only = args.seed, bool(args.only)
        self.chosen, self.first, self.reached, self.total = {}, set(), set(), 0

    def command(self, scene):
        return (*scene.command, *(("--yes",) if scene.finish else ()))

    def lines(self, listed, root):
        """(number, name, role) of each call that can fail."""
        with open(listed, encoding="utf-8", errors="replace") as file:
            for line in file:
                words = line.rstrip("\n").split("\t", 5)
                if len(words) == 6 and words[1] != "-":
                    reads = words[5].endswith("\tread")
                    yield int(words[1]), words[2], role(words[5], root) + (" read" if reads else "")

    def list(self, scene):
        listed = os.path.join(self.root, "calls-" + scene.name)
        world = scene.world.copy(os.path.join(self.root, "trace-" + scene.name))
        world.run(*self.command(scene), before=(self.trace, "--list", listed), deadline=180)
        found = list(self.lines(listed, world.root))
        world.remove()
        return found

    def look(self):
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            lists = list(pool.map(self.list, self.scenes))
        rest = []
        for scene, calls in zip(self.scenes, lists):
            self.chosen[scene.name] = []
            self.total += len(calls)
            count = collections.Counter()
            for _, name, where in calls:
                count[name] += 1
                for fault in FAULTS[name]:
                    if (name, where, fault) in self.first:
                        rest.append((scene.name, (f"{name}/{count[name]}", fault)))
                    else:
                        self.first.add((name, where, fault))
                        self.chosen[scene.name].append((f"{name}/{count[name]}", fault))
        for scene, fault in random.Random(self.seed).sample(rest, min(SAMPLE, len(rest))):
            self.chosen[scene].append(fault)

    def choose(self, scene):
        return self.chosen[scene.name]

    def given(self, words):
        return words[0], words[1]

    def matches(self, fault, words):
        return not words or self.label(fault) == ":".join(words)

    def label(self, fault):
        return f"{fault[0]}:{fault[1]}"

    def inject(self, scene, world, before, fault):
        number, how = fault
        told = os.path.join(world.root, "..", f"told-{os.getpid()}")
        listed = os.path.join(world.root, "..", f"listed-{os.getpid()}")
        ended = world.run(*self.command(scene), before=(self.trace, "--fault", f"{number}:{how}", "--report", told, "--list",
                                                        listed, "--deadline", "60"), deadline=120)
        with open(told, encoding="utf-8", errors="replace") as file:
            happened = file.read().split("\n")
        name, nth = number.split("/")
        named = [call for call in self.lines(listed, world.root) if call[1] == name]
        met = named[int(nth) - 1][1:] if len(named) >= int(nth) else None
        if "late" in happened:
            ended.code = "late"
        bad = []
        if "faulted" in happened:
            bad = judge(scene, world, before, ended, re.compile(TEXTS.get(how, "^$")), self.program)
            if met and met[0] in ("unlink", "unlinkat", "rmdir"):
                bad = [text for text in bad if not text.startswith("left behind")]
            if how in ("EINTR", "short") and ended.code != scene.code:
                bad.insert(0, "what every program has to go on from was an error")
        bad += [f"a process was left: {line}" for line in happened if line.startswith("left ")]
        shown = f"{met}\nexit code {ended.code}\n{ended.out[-600:]}{ended.err[-1500:]}" if bad else ""
        return "faulted" in happened, (*met, how) if met else None, bad, shown

    def saw(self, scene, key):
        self.reached.add(key)

    def summary(self):
        return f"calls: {len(self.reached & self.first)} of {len(self.first)} kinds of fault, in {self.total} calls"
