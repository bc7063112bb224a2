# SPDX-License-Identifier: PostgreSQL
"""What others can get out of a process that holds keys: abort.py READY COMMAND...

Starts the command as user nobody with core dumps allowed, waits until the file READY is there, and looks: its memory
for keys is locked and left out of dumps, its /proc is closed to its own user (who cannot trace it then), it may make
no core, and SIGABRT makes none. The same looks at a process that is not hardened show that they would find it.
"""
import os
import pwd
import resource
import signal
import sys
import time

NOBODY = pwd.getpwnam("nobody")
problems = []


def start(command):
    pid = os.fork()
    if pid:
        return pid
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.setgroups([])
    os.setgid(NOBODY.pw_gid)
    os.setuid(NOBODY.pw_uid)
    os.execvp(command[0], command)


def wait_for(what, seconds=90):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            sys.exit("waited %d s in vain" % seconds)
        time.sleep(0.05)


def readable_by_its_user(pid):
    """Whether /proc/PID/environ opens for nobody: the kernel asks as it does for ptrace(2)."""
    child = os.fork()
    if not child:
        os.setgroups([])
        os.setgid(NOBODY.pw_gid)
        os.setuid(NOBODY.pw_uid)
        try:
            with open("/proc/%d/environ" % pid, "rb") as file:
                os._exit(0 if file.read() else 1)
        except OSError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def may_dump(pid):
    with open("/proc/%d/limits" % pid, encoding="ascii") as file:
        line = next(line for line in file if line.startswith("Max core file size"))
    return line.split()[4:6] != ["0", "0"]


def protected_kilobytes(pid):
    """Of private memory that is locked, left out of dumps, and wiped in a child."""
    total = size = 0
    with open("/proc/%d/smaps" % pid, encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("Size:"):
                size = int(line.split()[1])
            elif line.startswith("VmFlags:") and {"lo", "dd", "wf"} <= set(line.split()):
                total += size
    return total


def aborted(pid):
    """Whether it left a core."""
    os.kill(pid, signal.SIGABRT)
    status = os.waitpid(pid, 0)[1]
    if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGABRT:
        problems.append("SIGABRT did not end it: status %d" % status)
    return os.WCOREDUMP(status)


def judge(ok, text):
    print(("ok: " if ok else "NOT: ") + text)
    if not ok:
        problems.append(text)


def main():
    ready, command = sys.argv[1], sys.argv[2:]
    plain = start(["sleep", "300"])
    pid = start(command)
    try:
        wait_for(lambda: os.path.exists(ready) or os.waitpid(pid, os.WNOHANG)[0])
        if not os.path.exists(ready):
            sys.exit("it ended too early")
        judge(readable_by_its_user(plain) and may_dump(plain), "an ordinary process is open to its user")
        judge(not readable_by_its_user(pid), "its /proc is closed to its user")
        judge(not may_dump(pid), "it may make no core")
        judge(protected_kilobytes(plain) == 0, "an ordinary process has no such memory")
        judge(protected_kilobytes(pid) > 0, "%d kB are locked and left out of dumps" % protected_kilobytes(pid))
    finally:
        dumped = aborted(pid)
        plainly = aborted(plain)
    judge(not dumped, "SIGABRT makes no core (of an ordinary process it makes %s here)" % ("one" if plainly else "none"))
    sys.exit(bool(problems))


main()
