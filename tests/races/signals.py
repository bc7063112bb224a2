#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Signals, at a terminal and without one, in each part of a phase; a push whose answer is lost: signals.py BUILD"""
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bed import Bed, Terminal, equal, expect, until, write_program  # noqa: E402

STOPPING = "certrotate: stopping at the next safe point"
PLAYBOOK = STOPPING + ": the playbook that runs is brought to its end first; once more ends it at once"
PUSHING = STOPPING + ": what is being pushed is recorded first; once more ends it at once"


def begun(scene, phase="trust"):
    return until(lambda: [entry for entry in scene.rollouts() if entry[1] == phase])


def phases(scene, mark="begin"):
    return [entry[1] for entry in scene.rollouts(mark)]


def generated(scene):
    code, said = scene.alpha.run("next", "--to", "generated", "--yes")
    if code:
        raise RuntimeError(said)


def goes_on(scene, to, rollouts):
    """The same command again ends it, and has rolled out that in all."""
    code, said = scene.alpha.run("next", "--to", to, "--yes")
    return (equal("the exit code of the next call", code, 0) + (expect(said, "?") if code else []) +
            equal("what was rolled out in all", phases(scene), rollouts) +
            equal("the state", scene.state()["state"], to) + equal("under way", scene.state()["under_way"], None) +
            scene.alpha.is_clean())


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as line:
            return line.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def group_of(pid):
    listed = subprocess.run(["pgrep", "-g", str(pid)], capture_output=True, text=True, check=False).stdout
    return [member for member in listed.split() if is_alive(int(member))]


def playbook_pids(scene):
    with open(os.path.join(scene.record, "rollouts"), encoding="utf-8") as lines:
        return [int(line.split()[5]) for line in lines if line.startswith("begin")]


# ---------------------------------------------------------------- without a terminal

def once_in_ansible(scene, number, times=1):
    generated(scene)
    scene.during("sleep 1.2\n")
    process = scene.alpha.begin("next", "--to", "servers-switched", "--yes")
    begun(scene)
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.1)
    code, said = scene.alpha.end(process)
    scene.during("true\n")
    return (equal("the exit code", code, 1) +
            expect(said, PLAYBOOK, "certrotate: stopped behind the rollout, as asked",
                   "HINT: trust is unfinished: 'certrotate next' goes on, 'certrotate revert' turns round") +
            equal("what was brought to its end", phases(scene, "end"), ["trust"]) +
            goes_on(scene, "servers-switched", ["trust", "servers"]))


def twice_in_ansible(scene, number):
    generated(scene)
    scene.during("sleep 300 & sleep 300\n")
    process = scene.alpha.begin("next", "--to", "servers-switched", "--yes")
    begun(scene)
    process.send_signal(number)
    time.sleep(0.3)
    problems = equal("still running after the first", process.poll(), None)
    process.send_signal(number)
    code, said = scene.alpha.end(process, 20)
    problems += equal("the exit code", code, -number) + expect(said, PLAYBOOK)
    pid = playbook_pids(scene)[0]
    if not until(lambda: not group_of(pid), 20):
        problems.append("of Ansible's process group live on: %s" % group_of(pid))
    scene.during("true\n")
    return problems + goes_on(scene, "servers-switched", ["trust", "trust", "servers"])


def in_push(scene, step, code_wanted, message, rollouts):
    """The remote takes its time with that commit's push."""
    generated(scene)
    scene.hook("pre-receive", "read -r old new ref\n"
                              "git log -1 --format=%%s $new | grep -qx 'certrotate poc: %s' || exit 0\n"
                              "touch '%s/pushing'; sleep 1\n" % (step, scene.folder))
    process = scene.alpha.begin("next", "--to", "servers-switched", "--yes")
    until(lambda: os.path.exists(os.path.join(scene.folder, "pushing")))
    process.send_signal(signal.SIGINT)
    code, said = scene.alpha.end(process)
    subjects = scene.subjects()
    scene.no_hook("pre-receive")
    return (equal("the exit code", code, code_wanted) + expect(said, PUSHING, message) +
            equal("the newest commit", subjects[-1], "certrotate poc: " + step) +
            equal("what was rolled out", phases(scene), rollouts) +
            goes_on(scene, "servers-switched", ["trust", "servers"]))


def twice_in_push(scene):
    generated(scene)
    scene.hook("pre-receive", "touch '%s/pushing'; sleep 1\n" % scene.folder)
    process = scene.alpha.begin("next", "--yes")
    until(lambda: os.path.exists(os.path.join(scene.folder, "pushing")))
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    code, said = scene.alpha.end(process, 10)
    scene.no_hook("pre-receive")
    time.sleep(1)  # the remote is another machine: it may take the push after that
    return (equal("the exit code", code, -signal.SIGINT) + expect(said, PUSHING) +
            goes_on(scene, "trusted", ["trust"]))


def in_fetch(scene):
    """A remote that does not answer: nothing has begun, so nothing has to be finished."""
    write_program(os.path.join(scene.folder, "slow"), "touch '%s/fetching'\nexec sleep 60\n" % scene.folder)
    scene.bed.git(scene.alpha.clone, "config", "remote.origin.uploadpack", os.path.join(scene.folder, "slow"))
    process = scene.alpha.begin("next", "--yes")
    until(lambda: os.path.exists(os.path.join(scene.folder, "fetching")))
    process.send_signal(signal.SIGINT)
    code, said = scene.alpha.end(process, 20)
    scene.bed.git(scene.alpha.clone, "config", "--unset", "remote.origin.uploadpack")
    return (equal("the exit code", code, 1) + expect(said, STOPPING + "; once more", "git: stopped") +
            equal("the base", scene.tip(), scene.bed.start) + scene.alpha.is_clean() +
            goes_on(scene, "trusted", ["trust"]))


def nohup(scene):
    generated(scene)
    scene.during("sleep 0.7\n")
    process = scene.alpha.begin("next", "--yes", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    begun(scene)
    process.send_signal(signal.SIGHUP)
    code, _ = scene.alpha.end(process)
    return equal("the exit code", code, 0) + equal("the state", scene.state()["state"], "trusted")


def head(scene):
    generated(scene)
    argv = scene.alpha.argv("next", "--to", "servers-switched", "--yes")
    done = subprocess.run(["bash", "-c", '"$@" | true; echo "${PIPESTATUS[0]}"', "bash"] + argv, text=True,
                          env=scene.alpha.environment(), capture_output=True, check=False)
    return (equal("the exit code", done.stdout.strip(), "0") + equal("the state", scene.state()["state"], "servers-switched") +
            (["complained: " + done.stderr] if "standard output" in done.stderr else []))


def asleep(scene):
    """A laptop that sleeps and wakes, where nobody else came: it goes on."""
    generated(scene)
    scene.during("sleep 0.5\n")
    process = scene.alpha.begin("next", "--yes")
    begun(scene)
    process.send_signal(signal.SIGSTOP)
    time.sleep(1)
    problems = equal("ended while asleep", process.poll(), None)
    process.send_signal(signal.SIGCONT)
    code, said = scene.alpha.end(process)
    return problems + equal("the exit code", code, 0) + (expect(said, "?") if code else []) + goes_on(scene, "trusted", ["trust"])


# ---------------------------------------------------------------- at a terminal

def question(scene):
    terminal = Terminal(scene.alpha, "next")
    asked = terminal.until("Go on? [y/N]")
    terminal.type(b"\x03")
    code = terminal.end()
    return (equal("it asks", asked, True) + equal("the exit code", code, 1) +
            expect(terminal.text(), "not confirmed: nothing was changed") +
            equal("the base", scene.tip(), scene.bed.start) + scene.alpha.is_clean())


def terminal_once(scene):
    generated(scene)
    scene.during("sleep 1.2\n")
    terminal = Terminal(scene.alpha, "next", "--yes")
    begun(scene)
    terminal.type(b"\x03")
    code = terminal.end()
    scene.during("true\n")
    return (equal("the exit code", code, 1) +
            expect(terminal.text(), PLAYBOOK, "stopped behind the rollout, as asked") +
            equal("what was brought to its end", phases(scene, "end"), ["trust"]) + goes_on(scene, "trusted", ["trust"]))


def terminal_twice(scene):
    generated(scene)
    scene.during("sleep 300\n")
    terminal = Terminal(scene.alpha, "next", "--yes")
    begun(scene)
    terminal.type(b"\x03")
    terminal.until("once more ends it at once")
    terminal.type(b"\x03")
    code = terminal.end()
    pid = playbook_pids(scene)[0]
    ended = until(lambda: not group_of(pid), 20)
    scene.during("true\n")
    return (equal("the exit code", code, 130) + ([] if ended else ["Ansible lives on"]) +
            goes_on(scene, "trusted", ["trust", "trust"]))


def terminal_suspended(scene):
    """Ctrl-Z gives the shell back; fg goes on."""
    generated(scene)
    scene.during("sleep 1\n")
    terminal = Terminal(scene.alpha, "next", "--yes")
    begun(scene)
    terminal.type(b"\x1a")
    stopped = terminal.until("[stopped %d]" % signal.SIGTSTP)
    terminal.type(b"fg\n")
    code = terminal.end()
    return (equal("it stops", stopped, True) + equal("the exit code", code, 0) +
            (expect(terminal.text(), "?") if code else []) + goes_on(scene, "trusted", ["trust"]))


def terminal_asks(scene):
    """Ansible reads a password: it gets the terminal then, and Ctrl-Z there gives the shell back as well."""
    generated(scene)
    scene.during("read -r word </dev/tty; echo \"got $word\" >>'%s/word'; read -r word </dev/tty\n" % scene.folder)
    terminal = Terminal(scene.alpha, "next", "--yes")
    begun(scene)
    time.sleep(0.3)
    terminal.type(b"secret\n")
    read = until(lambda: os.path.exists(os.path.join(scene.folder, "word")), 10)
    terminal.type(b"\x1a")
    stopped = terminal.until("[stopped %d]" % signal.SIGTSTP, 10)
    terminal.type(b"fg\n")
    time.sleep(0.3)
    terminal.type(b"more\n")
    code = terminal.end()
    return (equal("it reads", bool(read), True) + equal("it stops", stopped, True) + equal("the exit code", code, 0) +
            ([terminal.text()] if code else []) + goes_on(scene, "trusted", ["trust"]))


def terminal_gone(scene):
    generated(scene)
    scene.during("sleep 1.2\n")
    terminal = Terminal(scene.alpha, "next", "--to", "servers-switched", "--yes")
    pid = terminal.job()
    begun(scene)
    terminal.hang_up()
    os.kill(terminal.pid, signal.SIGKILL)  # the shell ends, and the kernel says so to the foreground
    os.waitpid(terminal.pid, 0)
    ended = until(lambda: not is_alive(pid), 20)
    scene.during("true\n")
    return (([] if ended else ["it lives on"]) + equal("what was brought to its end", phases(scene, "end"), ["trust"]) +
            goes_on(scene, "servers-switched", ["trust", "servers"]))


# ---------------------------------------------------------------- a push whose answer is lost

def lost_answer(scene, subject, colleague=False):
    """The remote takes that commit, and the connection dies before it says so."""
    script = "(%s) >&2\n" % scene.colleague() if colleague else ""
    scene.hook("post-receive", "read -r old new ref\n"
                               "git log -1 --format=%%s $new | grep -qx 'certrotate poc: %s' || exit 0\n"
                               "[ ! -e '%s/lost' ] || exit 0\n"
                               "touch '%s/lost'\n%skill -9 $PPID\n" % (subject, scene.folder, scene.folder, script))
    code, said = scene.alpha.run("next", "--to", "servers-switched", "--yes")
    lost = os.path.exists(os.path.join(scene.folder, "lost"))
    ours = [line for line in scene.subjects() if line.startswith("certrotate")]
    return (equal("it was lost", lost, True) + equal("the exit code", code, 0) + (expect(said, "?") if code else []) +
            equal("the commits", ours, ["certrotate poc: " + which + phase for phase in ("generate", "trust", "servers")
                                        for which in ("", "settle ")]) +
            goes_on(scene, "servers-switched", ["trust", "servers"]))


def not_taken(scene):
    """The connection dies before the remote has taken it: that is said, and nothing was rolled out."""
    generated(scene)
    scene.hook("pre-receive", "kill -9 $PPID\n")
    code, said = scene.alpha.run("next", "--yes")
    scene.no_hook("pre-receive")
    return (equal("the exit code", code, 1) + expect(said, "certrotate: git push: ", "the remote did not take it") +
            equal("what was rolled out", phases(scene), []) + goes_on(scene, "trusted", ["trust"]))


def gone_altogether(scene):
    """It took the commit, and then does not answer any more."""
    generated(scene)
    clone = scene.alpha.clone
    scene.hook("post-receive", "mv '%s' '%s.away'\nkill -9 $PPID\n" % (scene.remote, scene.remote))
    code, said = scene.alpha.run("next", "--yes")
    os.rename(scene.remote + ".away", scene.remote)
    scene.no_hook("post-receive")
    problems = (equal("the exit code", code, 1) + expect(said, "whether the remote took it is not known") +
                equal("what was rolled out", phases(scene), []))
    scene.bed.git(clone, "fetch", "-q")
    return problems + goes_on(scene, "trusted", ["trust"])


TESTS = [
    ("one SIGINT while Ansible runs: it ends first", once_in_ansible, signal.SIGINT),
    ("one SIGTERM while Ansible runs", once_in_ansible, signal.SIGTERM),
    ("a hang-up, which comes more than once, is one", once_in_ansible, signal.SIGHUP, 3),
    ("two SIGINT end Ansible's process group at once", twice_in_ansible, signal.SIGINT),
    ("two SIGTERM", twice_in_ansible, signal.SIGTERM),
    ("SIGINT while the edit is pushed: before the rollout", in_push, "trust", 1, "certrotate: stopped before the rollout, as asked", []),
    ("SIGINT while the result is pushed: between two phases", in_push, "settle trust", 1,
     "certrotate: stopped between two phases, as asked", ["trust"]),
    ("two SIGINT while the edit is pushed", twice_in_push),
    ("SIGINT while the remote does not answer: at once", in_fetch),
    ("with SIGHUP ignored a hang-up is nothing", nohup),
    ("a reader that has seen enough changes nothing", head),
    ("stopped and continued: it goes on", asleep),
    ("terminal: Ctrl-C at the question", question),
    ("terminal: Ctrl-C while Ansible runs", terminal_once),
    ("terminal: Ctrl-C twice", terminal_twice),
    ("terminal: Ctrl-Z and fg", terminal_suspended),
    ("terminal: Ansible asks for a password", terminal_asks),
    ("terminal: it goes away", terminal_gone),
    ("the answer to the push of an edit is lost", lost_answer, "trust"),
    ("the answer to the push of a result is lost", lost_answer, "settle trust"),
    ("the answer is lost, and a colleague pushes on top", lost_answer, "servers", True),
    ("the connection dies before the remote took it", not_taken),
    ("the remote took it and is gone", gone_altogether),
]


def main():
    with Bed(sys.argv[1] if len(sys.argv) > 1 else "build", "signals") as bed:
        return bed.play(TESTS)


if __name__ == "__main__":
    sys.exit(main())
