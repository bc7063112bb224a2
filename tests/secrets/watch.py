# SPDX-License-Identifier: PostgreSQL
"""Keeps what /proc shows of every process that has a word in its environment: watch.py WORD OUT

Command lines and environments, all that were ever seen, until it is ended by a signal. A process may change both
while it runs, so they are read again and again.
"""
import os
import signal
import sys
import time


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def main():
    word, out = sys.argv[1].encode(), sys.argv[2]
    seen, rounds, ended = set(), 0, []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    with open(out, "wb") as file:
        while not ended:
            for pid in os.listdir("/proc"):
                if not pid.isdigit() or int(pid) == os.getpid():
                    continue
                environ = read("/proc/%s/environ" % pid)
                if word not in environ:
                    continue
                for data in (environ, read("/proc/%s/cmdline" % pid)):
                    if data not in seen:
                        seen.add(data)
                        file.write(data + b"\n")
            rounds += 1
            time.sleep(0.02)
    print("watched: %d rounds, %d different texts" % (rounds, len(seen)))


main()
