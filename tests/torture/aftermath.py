# SPDX-License-Identifier: PostgreSQL
"""What a kill has left: no key in the clear, no half file, no process, nothing rolled out that the
remote's state does not know of, and a status that says what to type."""

import json
import os
import re
import subprocess
import zlib

from likeness import state_of
from world import CERTS, KEYS, Failed, wait_alone

# How unencrypted private keys begin, in PEM's base64 and in DER (RFC 5208, RFC 5915, RFC 8017).
MARKS = [b"PRIVATE KEY-----", b"MIGHAgEAMBMGByqGSM49", b"MHcCAQEEI",
         bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107046d306b020101"),
         bytes.fromhex("30770201010420"), bytes.fromhex("02010030 0d06092a864886f70d010101050004")]
OURS = (".certrotate/", CERTS, KEYS)
TEMPORARY = re.compile(r"\.certrotate-\w{6}$|certrotate-index|(?<!census)\.lock$|/tmp_obj|/tmp_object_git2")
# A module's code, where it was killed on its host: here the hosts are this machine.
ON_HOSTS = re.compile(r"/ansible_[\w.]+_payload_\w+/")
HOUR = 3600


def files_below(folder):
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in names:
            yield os.path.join(where, name)


def stamp(path):
    st = os.lstat(path)
    return st.st_size, st.st_mtime_ns, st.st_ino


def stamps(world):
    """Of every file in a world that has just been put back: what is not here is new."""
    return {path: stamp(path) for path in files_below(world.root)}


def _content(path):
    with open(path, "rb") as file:
        data = file.read()
    if "/objects/" in path and data[:1] == b"\x78":
        inflate = zlib.decompressobj()
        return inflate.decompress(data)
    return data


def look_for_keys(world, before, lines):
    """In all that was written since then, hosts aside."""
    hosts = world.path("out") + "/"
    marks = MARKS + [line.encode() for line in lines]
    for folder in (world.root, "/dev/shm"):
        for path in files_below(folder):
            if path.startswith(hosts):
                continue
            try:
                if not os.path.isfile(path) or before.get(path) == stamp(path):
                    continue
                data = _content(path)
            except FileNotFoundError:
                continue
            for mark in marks:
                if mark in data:
                    raise Failed("a key in the clear in %s: %r" % (path, mark[:30]))


def _known_blobs(world):
    """Which contents each path has had in any commit that the clone or the remote has."""
    known = {}
    for where in (world.clone, world.remote):
        commits = world.git("cat-file", "--batch-all-objects", "--batch-check", where=where)
        for line in commits.decode().splitlines():
            oid, kind, _ = line.split()
            if kind == "blob":
                known[oid] = True
    return known


def look_for_halves(world):
    """Each of our files is wholly what some commit has; what else we keep is JSON."""
    names = world.git("ls-files", "-z", "--cached", "--others").decode().split("\0")
    ours = [name for name in names if name.startswith(OURS) and not TEMPORARY.search(name)
            and os.path.exists(os.path.join(world.clone, name))]
    oids = world.git("hash-object", "--", *ours).decode().split() if ours else []
    known = _known_blobs(world)
    for name, oid in zip(ours, oids):
        if oid not in known:
            raise Failed("half a file: %s is what no commit has" % name)
    local = os.path.join(world.clone, ".git/certrotate/poc")
    for path in files_below(local) if os.path.isdir(local) else ():
        if path.endswith(".json") and not TEMPORARY.search(path):
            with open(path, encoding="utf-8") as file:
                json.load(file)


def journal(world):
    path = os.path.join(world.clone, ".git/certrotate/poc/journal")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    # The last may be torn, never one before it.
    return [json.loads(line) for line in lines[:-1] if line]


def look_for_processes(report):
    left = [line for line in report.splitlines() if line.startswith("left ")]
    left += wait_alone(15)
    if left:
        raise Failed("outlived it: " + ", ".join(left))


def look_at_rollouts(world, transition):
    """Each was of what the base held at that moment, with a state that says so."""
    for words, here, there, state in world.rolled():
        state = json.loads(state)
        under_way = state["under_way"]
        if here != there:
            raise Failed("rolled out what the base does not hold: %s, not %s" % (here, there))
        if not under_way:
            raise Failed("rolled out while the state names nothing under way: " + words)
        if '"certrotate_phase":"%s"' % under_way["phase"] not in words.replace(": ", ":") or \
           under_way["phase"] != transition.phase:
            raise Failed("rolled out %s while %s is under way" % (words, under_way["phase"]))


# How far it came, by the journal's last line.
PROGRESS = {
    "publish begin": "it is published, and nothing is r",
    "publish end": "it is published, and nothing is r",
    "rollout begin": "it is published; rollout_new_certs.yml was begun, and its end is not known",
    "rollout end": "rollout_new_certs.yml has run to its end",
    "hook begin": "hook exec 1 of application shop was begun, and its end is not known",
    "hook end": "hook exec 1 of application shop has run to its end",
    "verify begin": "it is rolled out, and not looked at yet",
    "verify end": "all is done but its record",
    "settle begin": "all is done but its record",
}


def what_to_say(under_way, last):
    back = under_way["direction"] == "back"
    yield "unfinished %s: %s under way since 2" % (
        under_way["phase"], "its revert is" if back else "it is")
    yield "by A DBA <dba@example.com>; %s" % PROGRESS[last]
    if back:
        yield "'certrotate revert' goes on, 'certrotate next' turns round"
    elif under_way["phase"] in ("first", "emergency"):
        yield "'certrotate next' goes on; it cannot be taken back"
    else:
        yield "'certrotate next' goes on, 'certrotate revert' takes it back"
    yield "next certrotate %s --env poc" % ("revert" if back else "next")


def look_at_status(world, transition):
    """One sentence: what was under way, how far it came, what to type."""
    fetched = {"where": world.clone, "refs": "refs/remotes/origin/"}  # all that status reads
    state = state_of(world, **fetched)
    under_way = state and state["under_way"]
    code, out = world.rotate("status")
    said = " ".join(out.decode().split())
    lines = journal(world)
    last = "%s %s" % (lines[-1]["step"], lines[-1]["mark"]) if lines else ""
    waits = not under_way and world.branches(**fetched)
    if under_way:
        wanted = list(what_to_say(under_way, last))
    elif waits:
        wanted = ["awaited dev: waiting for the merge of %s into dev" % waits[0],
                  "once it is merged, type 'certrotate %s' again" % (
                      "revert" if transition.direction == "back" else "next")]
    else:
        wanted = ["poc %s:" % (state["state"] if state else transition.before)]
        if last == "publish begin" and lines[-1]["at"] > newest(state):
            wanted.append("interrupted %s: %s begun here at " % (
                transition.phase, "its revert was" if transition.direction == "back" else "it was"))
    for text in wanted:
        if text not in said:
            raise Failed("status does not say \"%s\": %s" % (text, said))
    if code != (3 if under_way or waits else 0):
        raise Failed("status ends with %d: %s" % (code, said))
    return said


def newest(state):
    return state["history"][-1]["at"] if state and state["history"] else ""


def look(world, transition, before, lines, report):
    look_for_processes(report)
    look_for_keys(world, before, lines)
    look_for_halves(world)
    if not world.real:
        look_at_rollouts(world, transition)
    journal(world)


def age(world):
    """As if the next call came on the next morning: what is left over is old then."""
    for path in files_below(world.root):
        if TEMPORARY.search(path) and "/.locks/" not in path and not path.endswith(".lock"):
            past = os.stat(path).st_mtime - 2 * HOUR
            os.utime(path, (past, past))


def look_at_end(world):
    """Behind the last call: nothing of it is left, and the checkout is the base's tip."""
    said = world.git("status", "--porcelain").decode()
    if said:
        raise Failed("the work tree is not clean: " + said)
    tips = {world.git("rev-parse", name).decode().strip()
            for name in ("HEAD", "dev", "refs/remotes/origin/dev")}
    tips.add(world.git("rev-parse", "dev", where=world.remote).decode().strip())
    if len(tips) != 1:
        raise Failed("the checkout is not at the base's tip")
    left = [path for path in files_below(world.clone) if TEMPORARY.search(path)]
    left += list(files_below(os.path.join(world.clone, ".git/certrotate/.locks")))
    left += ["/dev/shm/" + name for name in os.listdir("/dev/shm")]
    left += [path for path in files_below(world.path("tmp")) if not ON_HOSTS.search(path)]
    if left:
        raise Failed("left over: " + ", ".join(left))
    check = subprocess.run(["git", "-C", world.clone, "fsck", "--strict"], env=world.environment(),
                           capture_output=True, text=True, check=False)
    if check.returncode:
        raise Failed("git fsck: " + check.stderr)
