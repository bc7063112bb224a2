#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Taking over, locks and what dead processes leave behind, clocks that jump: operators.py BUILD"""
import fcntl
import glob
import os
import random
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bed import Bed, Machine, Terminal, equal, expect, until  # noqa: E402

TWO_PLAYBOOKS = """  rollout:
    trust: [{playbook: rollout_new_certs.yml}, {playbook: second.yml}]
"""
LOCK = ".git/certrotate/poc/lock"


def generated(scene):
    code, said = scene.alpha.run("next", "--to", "generated", "--yes")
    if code:
        raise RuntimeError(said)


def count(scene, machine, mark="begin"):
    return len([entry for entry in scene.rollouts(mark) if entry[0] == machine.name])


def taken(said, machine):
    """Who is told that it was taken over: by whom, where, since when."""
    where = [machine.name + ":"] if machine.bed.unshare else []
    return expect(said, "certrotate: ", "HINT: ", machine.person, "since 20", *where)


def commits(scene, subject):
    return scene.subjects().count("certrotate poc: " + subject)


# ---------------------------------------------------------------- a laptop that wakes

def stop(process):
    process.send_signal(signal.SIGSTOP)


def wake(machine, process):
    process.send_signal(signal.SIGCONT)
    return machine.end(process)


def woken(scene, place):
    """Alpha falls asleep there, beta takes over and ends the phase, alpha wakes."""
    generated(scene)
    if place == "between two playbooks":
        scene.add({"certrotate.yml": scene.configuration() + TWO_PLAYBOOKS, "second.yml": "- hosts: all\n  tasks: []\n"})
    reached = os.path.join(scene.folder, "reached")
    here = "[ -e '%s' ] || { touch '%s'; sleep 0.7; }\n" % (reached, reached)
    if place == "behind the push":
        scene.hook("post-receive", "read -r old new ref\n"
                                   "git log -1 --format=%%s $new | grep -qx 'certrotate poc: trust' || exit 0\n%s" % here)
    else:
        scene.during(here)
    process = scene.alpha.begin("next", "--to", "servers-switched", "--yes")
    until(lambda: os.path.exists(reached))
    stop(process)
    time.sleep(1)
    code, said = scene.beta.run("next", "--yes")
    problems = equal("beta by itself", code, 4) + expect(said, "--take-over", "since 20", scene.alpha.person)
    before = count(scene, scene.alpha)
    code, said = scene.beta.run("next", "--take-over", "--yes")
    problems += equal("beta's exit code", code, 0) + (expect(said, "?") if code else [])
    tip = scene.tip()
    code, said = wake(scene.alpha, process)
    problems += equal("alpha's exit code", code, 4) + (
        expect(said, scene.beta.person) + taken(said, scene.beta))
    problems += equal("what alpha rolled out after that", count(scene, scene.alpha) - before, 0)
    problems += equal("the base after that", scene.tip(), tip)
    problems += equal("the claims", commits(scene, "take over trust"), 1)
    problems += equal("settles", commits(scene, "settle trust"), 1)
    return problems + scene.alpha.is_clean() + scene.beta.is_clean() + ends(scene)


def ends(scene):
    """Both can go on with the next phase: here alpha does."""
    code, said = scene.alpha.run("next", "--to", "servers-switched", "--yes")
    return equal("alpha goes on", code, 0) + (expect(said, "?") if code else []) + equal(
        "the state", (scene.state()["state"], scene.state()["under_way"]), ("servers-switched", None))


def anywhere(scene, seed):
    """Stopped at any moment: nothing that alpha begins after beta's claim reaches a host."""
    dice = random.Random(seed)
    scene.during("sleep 0.1\n")
    process = scene.alpha.begin("next", "--to", "clients-switched", "--yes")
    time.sleep(dice.random() * 4)
    stop(process)
    time.sleep(0.5)  # git and Ansible end, where it had begun one
    take = ["--take-over"] if (scene.state().get("under_way") or {}).get("host", "").endswith("/alpha") else []
    before = count(scene, scene.alpha)
    scene.bed.git(scene.beta.clone, "fetch", "-q")
    code, said = scene.beta.run("next", "--to", "clients-switched", "--yes", *take)
    problems = equal("beta's exit code", code, 0) + (expect(said, "?") if code else [])
    tip = scene.tip()
    code, said = wake(scene.alpha, process)
    problems += [] if code in (0, 4) else ["alpha's exit code is %s\n%s" % (code, said)]
    problems += equal("what alpha rolled out after that", count(scene, scene.alpha) - before, 0)
    problems += equal("the base after that", scene.tip(), tip)
    for phase in ("generate", "trust", "servers", "clients"):
        problems += equal("settles of " + phase, commits(scene, "settle " + phase), 1)
    return problems + scene.alpha.is_clean() + scene.beta.is_clean()


def nothing_to_take(scene):
    generated(scene)
    code, said = scene.beta.run("next", "--take-over", "--yes")
    return (equal("the exit code", code, 2) + expect(said, "nothing is under way in poc: there is nothing to take over") +
            equal("the state", scene.state()["state"], "generated"))


def unfinished(scene):
    """Alpha has trust under way and is dead."""
    generated(scene)
    scene.during("exit 2\n")
    code, said = scene.alpha.run("next", "--yes")
    scene.during("true\n")
    if code != 1:
        raise RuntimeError(said)


def not_known(scene):
    """Who takes over has to know whom it is taken from: the first call says it, the second one does it."""
    unfinished(scene)
    tip = scene.tip()
    code, said = scene.beta.run("next", "--take-over", "--yes")
    problems = equal("the exit code", code, 4) + taken(said, scene.alpha) + expect(said, "type it again")
    problems += equal("the base", scene.tip(), tip)
    code, said = scene.beta.run("next", "--take-over", "--yes")
    return problems + equal("then", code, 0) + (expect(said, "?") if code else []) + equal(
        "the state", scene.state()["state"], "trusted")


def own(scene):
    unfinished(scene)
    code, said = scene.alpha.run("next", "--take-over", "--yes")
    return (equal("the exit code", code, 0) + (expect(said, "?") if code else []) +
            equal("claims", commits(scene, "take over trust"), 0) + equal("the state", scene.state()["state"], "trusted"))


def there_and_back(scene):
    """Beta takes over and falls asleep; alpha takes it back and turns round; beta wakes."""
    unfinished(scene)
    scene.bed.git(scene.beta.clone, "fetch", "-q")
    scene.during("[ -e '%s/woken' ] || { touch '%s/reached'; sleep 0.7; }\n" % (scene.folder, scene.folder))
    process = scene.beta.begin("next", "--take-over", "--to", "servers-switched", "--yes")
    until(lambda: os.path.exists(os.path.join(scene.folder, "reached")))
    stop(process)
    time.sleep(1)
    code, said = scene.alpha.run("next", "--yes")
    problems = equal("alpha by itself", code, 4) + taken(said, scene.beta)
    with open(os.path.join(scene.folder, "woken"), "w", encoding="utf-8"):
        pass
    code, said = scene.alpha.run("revert", "--take-over", "--yes")
    problems += equal("alpha turns round", code, 0) + (expect(said, "?") if code else [])
    begun = len(scene.rollouts())
    code, said = wake(scene.beta, process)
    problems += equal("beta's exit code", code, 4) + taken(said, scene.alpha)
    problems += equal("what beta rolled out after that", len(scene.rollouts()) - begun, 0)
    return problems + equal("the state", scene.state()["state"], "generated") + scene.beta.is_clean() + ends(scene)


def two_at_once(scene):
    """Two who take over the same phase at the same moment: one does."""
    unfinished(scene)
    gamma = Machine(scene, "gamma", "Gil Gamma")
    scene.during("sleep 0.5\n")
    before = len(scene.rollouts())
    for machine in (scene.beta, gamma):
        scene.bed.git(machine.clone, "fetch", "-q")
    two = [(machine, machine.begin("next", "--take-over", "--yes")) for machine in (scene.beta, gamma)]
    done = [(machine,) + machine.end(process) for machine, process in two]
    problems = equal("exit codes", sorted(code for _, code, _ in done), [0, 4])
    problems += equal("rollouts", len(scene.rollouts()) - before, 1) + equal("claims", commits(scene, "take over trust"), 1)
    for machine, code, said in done:
        if code == 4:
            problems += taken(said, gamma if machine is scene.beta else scene.beta)
        elif code:
            problems.append(said)
    return problems + scene.beta.is_clean() + gamma.is_clean()


def behind(scene):
    """A host is behind. While alpha thinks about the question beta goes on: alpha's inventory must not reach the host."""
    generated(scene)
    code, said = scene.alpha.run("next", "--yes", "--waive", "hosts=db2:disk")
    problems = equal("one left out", (code, scene.state()["behind"]), (0, ["db2.example.com"])) + (expect(said, "?") if code else [])
    terminal = Terminal(scene.alpha, "next")
    problems += equal("alpha is asked", terminal.until("Go on? [y/N]"), True)
    code, said = scene.beta.run("next", "--yes")
    problems += equal("beta's exit code", code, 0) + (expect(said, "?") if code else [])
    before, tip = len(scene.rollouts()), scene.tip()
    terminal.type(b"y\n")
    problems += equal("alpha's exit code", terminal.end(), 4) + taken(terminal.text(), scene.beta)
    problems += equal("what alpha rolled out", len(scene.rollouts()) - before, 0) + equal("the base", scene.tip(), tip)
    return problems + scene.alpha.is_clean()


# ---------------------------------------------------------------- locks

def one_clone(scene):
    """Two in one clone: who, where, since when, which process."""
    generated(scene)
    scene.during("sleep 1\n")
    process = scene.alpha.begin("next", "--yes")
    until(scene.rollouts)
    code, said = scene.alpha.run("next", "--yes")
    where = "on alpha, " if scene.bed.unshare else ""
    problems = equal("the exit code", code, 4) + expect(
        said, "certrotate: another certrotate is at work on this environment: Ada Alpha <alpha@example.com> on ",
        "%sprocess %d, since 20" % (where, process.pid), "HINT: wait for it to end; the lock (")
    code, said = scene.alpha.end(process)
    return problems + equal("the first one", code, 0) + equal("rollouts", len(scene.rollouts()), 1)


def dead_holder(scene):
    generated(scene)
    scene.during("sleep 30\n")
    process = scene.alpha.begin("next", "--yes")
    until(scene.rollouts)
    process.kill()
    scene.alpha.end(process)
    scene.during("true\n")
    code, said = scene.alpha.run("next", "--yes")
    return (equal("the exit code", code, 0) + (expect(said, "?") if code else []) +
            equal("the state", scene.state()["state"], "trusted"))


def garbage(scene):
    generated(scene)
    path = os.path.join(scene.alpha.clone, LOCK)
    junk = b"\x00\xff\x1b[31m on alpha, process 99999999999999999999, since\n" + os.urandom(5000)
    with open(path, "wb") as out:
        out.write(junk)
    with open(path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        code, said = scene.alpha.run("next", "--yes")
    problems = equal("held, the exit code", code, 4) + expect(said, "another certrotate is at work on this environment: ")
    problems += ["raw control characters: %r" % said] if "\x1b" in said else []
    with open(path, "wb") as out:
        out.write(b"\x1b[31mEve\x07 on alpha, process 1, since long\n")
    with open(path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        code, said = scene.alpha.run("next", "--yes")
    problems += equal("held, the exit code", code, 4) + expect(said, "Eve")
    problems += ["raw control characters: %r" % said] if "\x1b" in said or "\x07" in said else []
    with open(path, "wb") as out:
        out.write(junk)
    code, said = scene.alpha.run("next", "--yes")
    return problems + equal("not held, the exit code", code, 0) + (expect(said, "?") if code else [])


def no_locks(scene):
    """A file system without flock(2)."""
    generated(scene)
    tip = scene.tip()
    problems = []
    for error in ("ENOLCK", "EOPNOTSUPP"):
        argv = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=" + error]
        done = subprocess.run(argv + scene.alpha.argv("next", "--yes")[-5:], env=scene.alpha.environment(), text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        problems += equal("the exit code", done.returncode, 1) + expect(
            done.stdout, "certrotate: cannot lock ", LOCK + ": ", "HINT: the file system that the clone is on has no locks")
    return problems + equal("the base", scene.tip(), tip)


# ---------------------------------------------------------------- what is left behind

def somebodys(scene, name, text):
    """A lock of another git is respected, named, and stays; what is done then goes on once it has gone."""
    generated(scene)
    path = os.path.join(scene.alpha.clone, ".git", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8"):
        pass
    code, said = scene.alpha.run("next", "--yes")
    problems = ([] if code in (1, 4) else ["the exit code is %s" % code]) + expect(said, name, text)
    problems += equal("it stays", os.path.exists(path), True)
    os.unlink(path)
    code, said = scene.alpha.run("next", "--to", "trusted", "--yes")
    return problems + equal("then", code, 0) + (expect(said, "?") if code else []) + scene.alpha.is_clean() + equal(
        "rollouts", len(scene.rollouts()), 1)


def processes_of(pid):
    """It and what it began, without what the remote runs: that is another machine."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    children = {}
    for line in listed.splitlines():
        child, parent, args = line.split(None, 2)
        if "receive-pack" not in args and "upload-pack" not in args:
            children.setdefault(int(parent), []).append(int(child))
    found, todo = [], [pid]
    while todo:
        todo += children.get(todo[0], [])
        found.append(todo.pop(0))
    return found


def power_cut(scene, seed):
    """All processes of alpha die at once, at any moment: the next call ends it, and nothing is left."""
    dice = random.Random(seed)
    argv = ("next", "--to", "servers-switched", "--yes")
    process = scene.alpha.begin(*argv)
    for _ in range(3):
        time.sleep(dice.random() * 1.5)
        if process.poll() is not None:
            break
        for pid in processes_of(process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        scene.alpha.end(process)
        process = scene.alpha.begin(*argv)
    code, said = scene.alpha.end(process)
    if code == 4 and not expect(said, "an earlier call from this clone was faster"):
        code, said = scene.alpha.run(*argv)  # what was sent before the power went arrived late
    return (equal("the exit code", code, 0) + (expect(said, "?") if code else []) + scene.alpha.is_clean() +
            equal("the state", scene.state().get("state"), "servers-switched"))


# ---------------------------------------------------------------- clocks

def clocks(scene, first, then):
    """The clock jumps between two commands, and while something is under way."""
    library = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    if not library:
        return ["libfaketime is missing: install the package faketime"]
    problems = []

    def at(offset, *args):
        argv = scene.alpha.argv(*args)
        env = dict(scene.alpha.environment(), LD_PRELOAD=library[0], FAKETIME=offset, DONT_FAKE_MONOTONIC="1")
        done = subprocess.run(argv, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    code, said = at(first, "next", "--to", "generated", "--yes")
    problems += equal("generate", code, 0) + (expect(said, "?") if code else [])
    scene.during("exit 2\n")
    code, said = at(first, "next", "--yes")
    problems += equal("a playbook fails", code, 1)
    scene.during("true\n")
    code, said = at(then, "status")
    problems += equal("status", code, 3) + expect(said, "trust")
    code, said = at(then, "next", "--to", "servers-switched", "--yes")
    problems += equal("goes on", code, 0) + (expect(said, "?") if code else [])
    code, said = at(first, "revert", "--to", "generated", "--yes")
    problems += equal("back", code, 0) + (expect(said, "?") if code else [])
    return problems + equal("rollouts", [entry[1] for entry in scene.rollouts()],
                            ["trust", "trust", "servers", "servers", "trust"]) + scene.alpha.is_clean()


TESTS = [
    ("a woken laptop: asleep behind the push, before its rollout", woken, "behind the push"),
    ("a woken laptop: asleep between two playbooks", woken, "between two playbooks"),
    ("a woken laptop: asleep in its only playbook, before its settle", woken, "in the playbook"),
    ("a woken laptop: asleep at any moment (1)", anywhere, 1),
    ("a woken laptop: asleep at any moment (2)", anywhere, 2),
    ("a woken laptop: asleep at any moment (3)", anywhere, 3),
    ("taking over where nothing is under way", nothing_to_take),
    ("taking over from whom one does not know", not_known),
    ("taking over one's own", own),
    ("taken over, and taken back", there_and_back),
    ("two who take over at once", two_at_once),
    ("an answer that comes too late, with a host behind", behind),
    ("two in one clone", one_clone),
    ("the lock of a dead process", dead_holder),
    ("a lock file with garbage", garbage),
    ("a file system without locks", no_locks),
    ("somebody else's index.lock", somebodys, "index.lock", "another git process holds"),
    ("somebody else's lock on the branch", somebodys, "refs/heads/dev.lock", "another git process holds"),
    ("somebody else's lock on the remote's branch", somebodys, "refs/remotes/origin/dev.lock", "HINT: "),
    ("all processes die at any moment (1)", power_cut, 1),
    ("all processes die at any moment (2)", power_cut, 2),
    ("the clock jumps back by 40 minutes", clocks, "+40m", "+0"),
    ("the clock jumps ahead by 40 days", clocks, "+0", "+40d"),
]


def main():
    with Bed(sys.argv[1] if len(sys.argv) > 1 else "build", "operators") as bed:
        return bed.play(TESTS)


if __name__ == "__main__":
    sys.exit(main())
