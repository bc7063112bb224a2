# SPDX-License-Identifier: PostgreSQL
"""What is wrong with what a command did that met a fault."""

import json
import re

from scenes import said

SANITIZER = 99
# What belongs to a look, not to a change: nobody has to take it back.
HARMLESS = re.compile(r"repository/\.git/(FETCH_HEAD|ORIG_HEAD|index|certrotate/(\w+(/(lock|census\.lock))?|\.seen)|certrotate)$"
                      r"|repository/\.git$|rollouts$")
MEMORY = re.compile(r"out of memory|[Cc]annot allocate memory|Resource temporarily unavailable")


def differences(wanted, got, where=""):
    """Where two values differ, in words."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return [text for key in sorted(set(wanted) | set(got))
                for text in differences(wanted.get(key), got.get(key), f"{where}/{key}")]
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        return [text for i, pair in enumerate(zip(wanted, got)) for text in differences(*pair, f"{where}/{i}")]
    return [] if wanted == got else [f"{where}: {str(got)[:300]!r} is not {str(wanted)[:300]!r}"]


def message(ended, scene):
    """What the program says was wrong; check and status say some of it as a finding."""
    if scene.command[0] in ("check", "status"):
        return ended.err + ended.out
    if "--json" in scene.command and ended.out.strip():
        try:
            value = json.loads(ended.out)
            return f"{value.get('message', '')}\n{ended.err}"
        except (ValueError, AttributeError):
            pass
    return ended.err


def judge(scene, world, before, ended, cause, resume):
    """Sentences; none where it held. cause: what the message has to match; resume: the program that goes on."""
    bad = []
    if ended.code == "late":
        return ["it hung until its deadline"]
    if ended.code == SANITIZER or ended.code < 0 or ended.code > 5:
        return [f"it crashed: exit code {ended.code}"]
    left = world.left()
    if left:
        bad.append(f"left behind: {', '.join(left)}")
    if ended.code == scene.code:
        if not scene.finish:
            return bad + [f"it says something else, and nothing of the fault: {text}"
                          for text in differences(scene.out.split("\n"), said(ended.out).split("\n"))[:3]
                          if not cause.search(message(ended, scene))]
        return bad + differences(scene.wanted, world.end())[:3]
    text = message(ended, scene)
    allowed = (3,) if scene.command[0] == "check" else (1,)
    if ended.code not in allowed:
        bad.append(f"exit code {ended.code}, not {allowed[0]}")
    if not cause.search(text):
        bad.append("the message does not name the cause")
    after = world.files()
    touched = [name for name in sorted(set(before) | set(after))
               if before.get(name) != after.get(name) and not HARMLESS.search(name)]
    if not scene.finish:
        return bad + ([f"touched: {', '.join(touched[:5])}"] if touched else [])
    if touched:
        again = world.run(*scene.finish, "--yes", program=resume)
        if again.code:
            return bad + [f"does not resume: exit code {again.code}: {again.err[-600:]}"]
        bad += [f"after going on: {text}" for text in differences(scene.wanted, world.end())[:3]]
    return bad
