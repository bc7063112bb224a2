# SPDX-License-Identifier: PostgreSQL
"""What a program and all that it started wrote and were started with, from strace's notes:

    strace -ff -y -xx -v -s 1000000 -e trace=WRITES -o DIR/trace PROGRAM
    written.py DIR OUT ALLOWED...

OUT gets a file for each process and place that it wrote to, its writes one behind the other, and one for the
arguments and environments that it had. What may hold a key is left out: places that begin with ALLOWED, and pipes
and sockets between processes other than the first one (strace names it in DIR/first).
"""
import os
import re
import sys

CALL = re.compile(r"^(\w+)\((?:\d+<((?:[^<>\\]|\\.|<[^>]*>)*)>)?")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
PRIVATE = ("pipe:", "socket:", "UNIX:", "TCP:", "anon_inode:")


def decoded(text):
    return bytes.fromhex(text.replace("\\x", ""))


def place_of(text):
    text = re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match.group(1), 16)), text or "")
    return text


def read_notes(path, first, allowed):
    """(place, bytes) of each call that counts."""
    with open(path, encoding="ascii") as file:
        for line in file:
            call = CALL.match(line)
            if not call:
                continue
            if call.group(1) == "execve":
                place = "exec"
            else:
                place = place_of(call.group(2))
                if place.startswith(allowed) or (not first and place.startswith(PRIVATE)):
                    continue
            for text, cut in STRING.findall(line[call.end():]):
                if cut:
                    sys.exit("%s: a string of %s was cut" % (path, call.group(1)))
                yield place, decoded(text) + (b"\0" if place == "exec" else b"")


def main():
    folder, out, allowed = sys.argv[1], sys.argv[2], tuple(sys.argv[3:])
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(folder, "first"), encoding="ascii") as file:
        first = {line.strip() for line in file}
    for name in sorted(os.listdir(folder)):
        if not name.startswith("trace."):
            continue
        pid = name.split(".")[1]
        places = {}
        for place, data in read_notes(os.path.join(folder, name), pid in first, allowed):
            places.setdefault(place, []).append(data)
        for number, (place, parts) in enumerate(places.items()):
            label = re.sub(r"[^A-Za-z0-9.-]+", "_", place)[-80:]
            with open(os.path.join(out, "%s-%d-%s" % (pid, number, label)), "wb") as file:
                file.write(b"".join(parts))


main()
