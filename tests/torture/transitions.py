# SPDX-License-Identifier: PostgreSQL
"""The transitions that are killed: from which snapshot, by which command, and how one turns round."""

from collections import namedtuple

# flow: git.flow of certrotate.yml. In "merge_request" a phase has two halves: "asked" ends with a
# branch that waits for its merge (exit code 3), "merged" begins behind that.
Transition = namedtuple("Transition", "name start phase direction go turn before after flow half",
                        defaults=("direct", "whole"))


def _forward(phase, start, before, after, turn=None):
    return Transition(phase, start, phase, "forward", ["next", "--to", after],
                      turn or ["revert", "--to", before], before, after)


def _back(phase, start, before, after):
    return Transition("revert-" + phase, start, phase, "back", ["revert", "--to", after],
                      ["next", "--to", before], before, after)


# In the order in which the tour makes them: each starts from what an earlier one has left.
ALL = [
    Transition("first", "absent", "first", "forward", ["next", "--first", "--to", "idle"], None,
               "absent", "idle"),
    _forward("generate", "first", "idle", "generated"),
    _forward("trust", "generate", "generated", "trusted"),
    _forward("servers", "trust", "trusted", "servers-switched"),
    _forward("clients", "servers", "servers-switched", "clients-switched"),
    _forward("prune", "clients", "clients-switched", "idle",
             ["revert", "--prune", "--to", "clients-switched"]),
    Transition("revert-prune", "prune", "prune", "back",
               ["revert", "--prune", "--to", "clients-switched"], ["next", "--to", "idle"],
               "idle", "clients-switched"),
    _back("clients", "clients", "clients-switched", "servers-switched"),
    _back("servers", "servers", "servers-switched", "trusted"),
    _back("trust", "trust", "trusted", "generated"),
    _back("generate", "generate", "generated", "idle"),
    Transition("emergency", "servers", "emergency", "forward",
               ["next", "--emergency", "a key was lost"], None, "servers-switched", "idle"),
]


def _merged(phase, start, direction, go, before, after):
    name = "merge-" + ("revert-" if direction == "back" else "") + phase
    for half in ("asked", "merged"):
        own = name + "-" + half
        yield Transition(own, start, phase, direction, go, None, before, after, "merge_request",
                         half)
        start = own


MERGED = [
    *_merged("trust", "merge-generated", "forward", ["next", "--to", "trusted"], "generated",
             "trusted"),
    *_merged("trust", "merge-trust-merged", "back", ["revert", "--to", "generated"], "trusted",
             "generated"),
]
ALL += MERGED
BY_NAME = {transition.name: transition for transition in ALL}
QUIET = ("first", "generate")  # phases that roll nothing out
# The phase in which the application of world.py has a hook.
HOOKED = "trust"
# Those in which Ansible runs: its own runs are killed in the middle too.
ROLLED_OUT = [t.name for t in ALL if t.phase not in QUIET and t.flow == "direct"]


def leading_to(name):
    """Those that make what a transition starts from, and itself; all of them without a name."""
    if name is None:
        return ALL
    way = [BY_NAME[name]]
    while way[0].start in BY_NAME:
        way.insert(0, BY_NAME[way[0].start])
    return way
