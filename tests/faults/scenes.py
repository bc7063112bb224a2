# SPDX-License-Identifier: PostgreSQL
"""The commands that meet a fault, each with the world before it, and with what it comes to where nothing fails."""

import os
import re

from world import World

# name, command, what ends what it left; None: it changes nothing
CHANGING = [
    ("first", ("next", "--first"), ("next", "--first", "--to", "idle")),
    ("generate", ("next",), ("next", "--to", "generated")),
    ("trust", ("next",), ("next", "--to", "trusted")),
    ("servers", ("next",), ("next", "--to", "servers-switched")),
    ("clients", ("next",), ("next", "--to", "clients-switched")),
    ("prune", ("next",), ("next", "--to", "idle")),
    ("revert-prune", ("revert", "--prune"), ("revert", "--prune", "--to", "clients-switched")),
    ("revert-clients", ("revert",), ("revert", "--to", "servers-switched")),
    ("revert-servers", ("revert",), ("revert", "--to", "trusted")),
    ("revert-trust", ("revert",), ("revert", "--to", "generated")),
    ("revert-generate", ("revert",), ("revert", "--to", "idle")),
    ("emergency", ("next", "--emergency", "a leak"), ("next", "--emergency", "a leak", "--to", "idle")),
]
# In which world, before what
READING = [
    ("plan", "servers", ("plan",)),
    ("plan-json", "trust", ("plan", "--json")),
    ("status", "servers", ("status",)),
    ("status-json", "servers", ("status", "--json")),
    ("status-resume", "resume", ("status",)),
    ("verify", "servers", ("verify",)),
    ("prove", "servers", ("prove",)),
    ("census", "prune", ("census",)),
    ("log", "prune", ("log",)),
    ("log-json", "prune", ("log", "--json")),
    ("check", "servers", ("check",)),
    ("prometheus", "servers", ("check", "--prometheus")),
    ("states", "servers", ("states", "--json")),
]


NAMES = ["resume"] + [name for name, *_ in CHANGING + READING]


class Scene:
    """command: what meets the fault; finish: what ends what it left, None where it only looks."""

    def __init__(self, name, command, finish, world):
        self.name, self.command, self.finish, self.world = name, command, finish, world
        self.code = self.out = self.wanted = self.rolled = None


def said(text):
    """What a command that looks has to say, times and where the world is aside."""
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d[:-]\d\d[:-]\d\dZ?", "TIME", text)
    text = re.sub(r"\d+ ms\b|\b\d+\.\d+ ?m?s\b|\"ms\": \d+", "MS", text)
    text = re.sub(r"\b\d+ (seconds?|minutes?|s|min)\b", "AGO", text)
    # a plan's diff has keys and certificates that were made for it alone
    text = re.sub(r"^([ +-]*)[A-Za-z0-9+/=]{20,}$", r"\1BASE64", text, flags=re.M)
    text = re.sub(r"-----BEGIN.*?-----END[^\n]*", "PEM", text, flags=re.S)
    text = re.sub(r"\b[0-9a-f]{16,}\b|\b[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){7,}|\d{8}T\d{6}Z-\w+", "ID", text)
    text = re.sub(r"/\S*?/certrotate-faults-\w+/[\w-]+", "WORLD", text)
    text = re.sub(r"certrotate_\w+\{.*?(timestamp|age|seconds).*", "METRIC", text)
    return re.sub(r"\b\d{10,}(\.\d+)?\b", "NUMBER", text)


def walk(root, program, wanted):
    """Goes through a whole life once, and keeps the world before each command."""
    scenes, before = [], {}
    world = World(os.path.join(root, "life"), program)
    world.make()
    for name, command, finish in CHANGING:
        before[name] = world.copy(os.path.join(root, "before-" + name))
        if name == "servers":
            before["resume"] = cut_off(world, os.path.join(root, "before-resume"), ("next",))
            scenes.append(Scene("resume", ("next", "--to", "servers-switched"), finish, before["resume"]))
        ended = world.run(*command, "--yes")
        if ended.code:
            raise SystemExit(f"{name}: exit code {ended.code} where nothing failed: {ended.err}")
        scene = Scene(name, command, finish, before[name])
        scenes.append(scene)
    world.remove()
    scenes += [Scene(name, command, None, before[where]) for name, where, command in READING]
    return [refer(scene, root) for scene in scenes if not wanted or scene.name in wanted]


def cut_off(world, root, command):
    """One in which the rollout has ended, and the program was killed before it could say so."""
    cut = world.copy(root)
    with open(os.path.join(cut.root, "bin/ansible-playbook"), "a", encoding="ascii") as file:
        file.write('kill -9 $PPID\n')
    ended = cut.run(*command, "--yes")
    if ended.code != -9:
        raise SystemExit(f"cut off: exit code {ended.code}: {ended.err}")
    path = "bin/ansible-playbook"
    with open(os.path.join(world.root, path), encoding="ascii") as file:
        cut.write(path, file.read(), 0o755)
    return cut


def refer(scene, root):
    """What it comes to where nothing fails."""
    world = scene.world.copy(os.path.join(root, "reference"))
    ended = world.run(*scene.command, *(("--yes",) if scene.finish else ()))
    scene.code, scene.out = ended.code, said(ended.out)
    scene.wanted, scene.rolled = world.end(), len(world.rollouts())
    world.remove()
    return scene
