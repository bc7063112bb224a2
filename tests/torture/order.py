# SPDX-License-Identifier: PostgreSQL
"""What a kill cannot show and a power cut would: whether each change was made to last before the
next one depends on it. Judged from the list of an undisturbed run's own calls.

- A file is synced behind its last write before it is renamed or linked to its name, and its folder
  is synced before the next step's effect: a journal's line, a reference's move, the start of a push
  or of a playbook, the end.
- Each step's "begin" is written and synced before its first effect, its "end" after its last.
- Nothing is written outside the repository and the memory file system."""

import os
import re

from transitions import HOOKED, QUIET

# What may be lost in a power cut: it is noted anew, or is only for people to read.
FLEETING = re.compile(r"/certrotate/poc/logs/|/certrotate/poc/(census\.)?lock$|/index\.lock$|"
                      r"^/dev/shm/")
# Names that nothing depends on: what is written there counts once it is renamed or linked.
TEMPORARY = re.compile(r"\.certrotate-\w{6}$|/certrotate-index\.\d+$|/tmp_object_git2_\w+$|"
                       r"\.lock$")


def expected_steps(transition):
    """The journal's lines of an undisturbed run, as "step mark"."""
    steps = ["publish"] if transition.half != "merged" else []
    if transition.half != "asked":
        steps += ["rollout"] if transition.phase not in QUIET else []
        steps += ["hook"] if transition.phase == HOOKED else []
        steps += ["verify"] if transition.phase not in QUIET else []
        steps += ["settle"]
    # A hook's first line says that it was begun at all, for the way back.
    return ["%s %s" % (step, mark) for step in steps
            for mark in ("begin", "begin", "end")[step != "hook":]]


class Order:
    def __init__(self, trace, transition, world):
        self.trace = trace
        self.transition = transition
        self.root = world.root
        self.clone = world.clone
        self.faults = []
        self.files = {}    # path: what was done to it since its last sync
        self.folders = {}  # path: which name in it is not sure to last
        self.lines = []    # of the journal
        self.step = None   # what is begun and not ended
        self.made = []     # files that were not there
        self.starts = {"push": 0, "playbook": 0, "hook": 0}

    def fault(self, call, text):
        self.faults.append("change %d, %s: %s" % (call.number, call.name, text))

    def short(self, path):
        return os.path.relpath(path, self.root) if path.startswith(self.root) else path

    def check(self):
        for call in self.trace.calls:
            if call.result < 0:
                continue
            if call.effect == "change":
                self.change(call)
            elif call.effect == "sync":
                self.files.pop(call.words[0], None)
                self.folders.pop(call.words[0], None)
            elif call.name == "exec":
                self.start(call)
        self.nothing_open(call, "the program ends")
        steps = expected_steps(self.transition)
        wanted = {"push": sum(step in steps for step in ("publish end", "settle end")),
                  "playbook": int("rollout end" in steps), "hook": int("hook end" in steps)}
        # A branch with a settled state is taken away before it is pushed anew.
        if self.transition.half == "merged" and self.starts["push"] == 2:
            wanted["push"] = 2
        if self.starts != wanted:
            self.faults.append("seen to start: %s, not %s" % (self.starts, wanted))
        wanted = steps
        if self.lines != wanted:
            self.faults.append("the journal has %s, not %s" % (self.lines, wanted))
        return self.faults

    # ---- what depends on what came before

    def nothing_open(self, call, what):
        for path, why in self.files.items():
            self.fault(call, "%s, but %s is not synced (%s)" % (what, self.short(path), why))
        for path, why in self.folders.items():
            self.fault(call, "%s, but the folder %s is not synced (%s)" % (
                what, self.short(path), why))
        self.files.clear()
        self.folders.clear()

    def effect(self, call, what, steps):
        # A colleague's merge is followed before the first step.
        behind = self.transition.half == "merged" and not self.lines
        if self.step not in steps and not behind:
            self.fault(call, "%s, but the journal has begun %s" % (what, self.step or "nothing"))

    def start(self, call):
        words = call.words
        name = os.path.basename(words[0]) if words else ""
        if name == "git" and "push" in words:
            self.starts["push"] += 1
            self.effect(call, "a push", ("publish", "settle"))
            self.nothing_open(call, "a push starts")
        elif name == "git" and "update-index" in words:
            # The child writes into the copy of the index that is ours.
            for path in self.made:
                if "/certrotate-index." in path:
                    self.files[path] = "git update-index"
        elif any(word.endswith("/ansible-playbook") or word == "ansible-playbook"
                 for word in words) and "--list-hosts" not in words:
            self.starts["playbook"] += 1
            self.effect(call, "a playbook", ("rollout",))
            self.nothing_open(call, "a playbook starts")
        elif any(word.endswith("/bin/hook") for word in words):
            self.starts["hook"] += 1
            self.effect(call, "a hook", ("hook",))
            self.nothing_open(call, "a hook starts")

    # ---- the changes themselves

    def change(self, call):
        path = call.words[0]
        target = call.words[1] if call.name in ("rename", "link", "renameat", "linkat") else path
        if not target.startswith((self.root + "/", "/dev/shm/")):
            self.fault(call, "%s is no place of ours" % target)
        if call.name in ("rename", "renameat", "link", "linkat"):
            self.named(call, path, target)
        elif call.name in ("write", "pwrite64", "writev", "ftruncate", "open", "openat", "creat"):
            self.written(call, path)
        elif call.name == "mkdir" and not FLEETING.search(path + "/"):
            self.folders[os.path.dirname(path)] = "mkdir " + os.path.basename(path)
        elif call.name in ("unlink", "unlinkat", "rmdir"):
            self.removed(call, path)

    def written(self, call, path):
        line = self.trace.journal_line(call)
        if FLEETING.search(path):
            return
        if line:
            self.files.pop(path, None)
            new = self.folders.get(os.path.dirname(path)) == "new: journal"
            if new:
                del self.folders[os.path.dirname(path)]
            self.nothing_open(call, "the journal says %s %s" % (line["step"], line["mark"]))
            self.lines.append("%s %s" % (line["step"], line["mark"]))
            self.step = line["step"] if line["mark"] == "begin" else None
            if new:
                self.folders[os.path.dirname(path)] = "new: journal"
        if call.name in ("open", "openat", "creat"):
            self.made.append(path)
            if not TEMPORARY.search(path):
                self.folders[os.path.dirname(path)] = "new: " + os.path.basename(path)
        self.files[path] = call.name

    def named(self, call, path, target):
        if path in self.files:
            self.fault(call, "%s is not synced behind its last %s" % (
                self.short(path), self.files.pop(path)))
        if "/.git/refs/" in target:
            self.nothing_open(call, "a reference moves")
        if target.startswith(self.clone + "/.git/certrotate/"):
            pass
        elif target.startswith(self.clone + "/"):
            self.effect(call, "%s is changed" % self.short(target), ("publish", "settle"))
        self.folders[os.path.dirname(target)] = os.path.basename(target)

    def removed(self, call, path):
        self.files.pop(path, None)
        if path.startswith(self.clone + "/") and "/.git/" not in path and \
           not TEMPORARY.search(path):
            self.effect(call, "%s is removed" % self.short(path), ("publish", "settle"))
            self.folders[os.path.dirname(path)] = "removed: " + os.path.basename(path)
