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
# libgit2 does not keep why an object's file could not be opened where it looks further in the packs.
UNREADABLE = "missing or cannot be read"
TEXTS = {
    "EIO": f"Input/output error|{UNREADABLE}|failed to stat", "ENOSPC": "No space left on device", "EROFS": "Read-only file system",
    "EMFILE": f"Too many open files|{UNREADABLE}", "EINTR": "Interrupted system call", "EPERM": "Operation not permitted",
    "EAGAIN": "Resource temporarily unavailable", "ENOMEM": "Cannot allocate memory|out of memory",
    "ENOLCK": "No locks available",
}
SAMPLE = 400


# What is another one in each run, with a word for it and as an extended regular expression.
VARIES = (
    ("%object", "[0-9a-f]{2}/[0-9a-f]{38}"), ("%folder", "objects/[0-9a-f]{2}"), ("%commit", "[0-9a-f]{40}"),
    ("%lock", "[.]locks/[A-Za-z0-9]{6}"), ("%index", "certrotate-index[.][0-9]+"),
    ("%temporary", "certrotate-(scratch-)?[A-Za-z0-9]{6}|tmp_obj_[A-Za-z0-9_]+|[A-Za-z0-9_]*_git2_[A-Za-z0-9_]+"),
    ("%time", "[0-9]{4}-[0-9]{2}-[0-9]{2}[^/]*"), ("%process", "/proc/[0-9]+"), ("%generation", "/g[0-9]+[.]"),
    ("%pipe", "pipe:[][0-9]+"), ("%socket", "socket:[][0-9]+"), ("%inode", "anon_inode:[][a-z]+"),
)
OPENED = ("read", "write", "create")


def role(text, root):
    """What a path is for: "/repository/certrotate.yml,read"."""
    path, *more = text.split("\t")
    path = path.removeprefix(root)
    for word, pattern in VARIES:
        path = re.sub(pattern, word, path)
    return path + ("," + more[0] if more and more[0] in OPENED else "")


def pattern_of(where, root):
    """What the text of every call of that role matches, and of no other."""
    path, _, opened = where.rpartition(",") if where.endswith(OPENED) else (where, "", "")
    words = dict(VARIES)
    parts = [f"({words[part]})" if part in words else escape(part) for part in re.split("(%[a-z]+)", path)]
    return f"^({escape(root)})?{''.join(parts)}" + (f"\t{opened}$" if opened else "(\t|$)")


def escape(text):
    return re.sub(r"([][.^$*+?(){}|\\])", r"\\\1", text)


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
        """(name, role) of each call that can fail."""
        with open(listed, encoding="utf-8", errors="replace") as file:
            for line in file:
                words = line.rstrip("\n").split("\t", 5)
                if len(words) == 6 and words[1] != "-":
                    yield words[2], role(words[5], root)

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
            for name, where in calls:
                count[name, where] += 1
                for how in FAULTS[name]:
                    fault = (f"{name}/{count[name, where]}@{where}", how)
                    if (name, where, how) in self.first:
                        rest.append((scene.name, fault))
                    else:
                        self.first.add((name, where, how))
                        self.chosen[scene.name].append(fault)
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
        call, how = fault
        nth, _, where = call.partition("@")
        name = nth.split("/")[0]
        told = os.path.join(world.root, "..", f"told-{os.getpid()}")
        ended = world.run(*self.command(scene), before=(self.trace, "--fault", f"{nth}:{how}", "--where",
                                                        pattern_of(where, world.root), "--report", told, "--deadline", "60"),
                          deadline=120)
        with open(told, encoding="utf-8", errors="replace") as file:
            happened = file.read().split("\n")
        if "late" in happened:
            ended.code = "late"
        bad = []
        if "faulted" in happened:
            bad = judge(scene, world, before, ended, re.compile(TEXTS.get(how, "^$")), self.program)
            if name in ("unlink", "unlinkat", "rmdir"):
                bad = [text for text in bad if not text.startswith("left behind")]
            if how in ("EINTR", "short") and ended.code != scene.code:
                bad.insert(0, "what every program has to go on from was an error")
        bad += [f"a process was left: {line}" for line in happened if line.startswith("left ")]
        shown = f"exit code {ended.code}\n{ended.out[-600:]}{ended.err[-1500:]}" if bad else ""
        return "faulted" in happened, (name, where, how), bad, shown

    def saw(self, scene, key):
        self.reached.add(key)

    def summary(self):
        return f"calls: {len(self.reached & self.first)} of {len(self.first)} kinds of fault, in {self.total} calls"
