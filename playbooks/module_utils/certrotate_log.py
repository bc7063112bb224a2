# SPDX-License-Identifier: PostgreSQL
"""A server's log as events: who wrote what when, in whichever of its three formats."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import calendar
import csv
import glob
import io
import json
import os
import re
import time

MAX_FILE, MAX_FILES = 64 << 20, 16
TIME = r"(?P<%s>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? ?\S+)"
STAMP = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d+)? ?(\S+)$")
OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?:?(\d\d)?$")
ESCAPE = re.compile(r"%(-?\d*)([a-zA-Z%])")
HOST = r"(?P<host>\[local\]|[0-9A-Za-z.:%_-]*)"
WORDS = {"m": TIME % "m", "t": TIME % "t", "n": r"(?P<n>\d+\.\d+)", "p": r"(?P<p>\d+)", "h": HOST,
         "r": HOST.replace("host", "rhost") + r"(?:\(\d+\))?", "s": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+",
         "c": r"(?P<start>[0-9a-f]+)\.(?P<hexpid>[0-9a-f]+)", "l": r"\d+", "e": r"[0-9A-Z]{5}", "x": r"\d+",
         "v": r"[\d/]*", "Q": r"-?\d+", "P": r"\d*"}
LEVEL = re.compile(r"\s*(LOG|ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|DEBUG\d?|DETAIL|HINT|CONTEXT|STATEMENT|QUERY|LOCATION):\s+")
PEER = re.compile(r"connection received: host=(\S+)")
FAILURES = (re.compile(r"could not accept SSL connection: (.*)"),
            re.compile(r"(connection requires a valid client certificate)"),
            re.compile(r"(certificate authentication failed for user .*)"))
IGNORED = "SSL configuration was not reloaded"
BEGINNINGS = ("received SIGHUP, reloading configuration files", "starting PostgreSQL")


class Event(object):
    __slots__ = ("when", "pid", "host", "text")

    def __init__(self, when, pid, host, text):
        self.when, self.pid, self.host, self.text = when, pid, host, text


def in_zone(zone):
    """Whether the times of the log can be read from here on: they are in the zone of the server's log_timezone."""
    os.environ["TZ"] = zone or "UTC"
    time.tzset()


def seconds(text):
    """Epoch of "2026-11-21 08:13:45.123 CET", where CET is the process's zone, UTC or an offset."""
    found = STAMP.match(text.strip())
    if not found:
        return None
    fields, zone = time.strptime(found.group(1), "%Y-%m-%d %H:%M:%S"), found.group(3)
    if zone in ("UTC", "GMT", "Z"):
        base = calendar.timegm(fields)
    elif OFFSET.match(zone):
        sign, hours, minutes, rest = OFFSET.match(zone).groups()
        offset = int(hours) * 3600 + int(minutes or 0) * 60 + int(rest or 0)
        base = calendar.timegm(fields) - (-offset if sign == "-" else offset)
    else:
        base = time.mktime(fields)
    return base + float(found.group(2) or 0)


def pattern(prefix):
    """A log_line_prefix (PostgreSQL documentation, "Error Reporting and Logging") as a regular expression that may
    end at %q, and whether it has a time and a process."""
    text, at, optional, seen = "", 0, 0, set()
    for found in ESCAPE.finditer(prefix):
        text += re.escape(prefix[at:found.start()])
        at, letter = found.end(), found.group(2)
        if letter == "q":
            text += "(?:"
            optional += 1
        elif letter == "%":
            text += "%"
        elif letter in seen:
            text += r".*?"
        else:
            seen.add(letter)
            word = WORDS.get(letter, r".*?")
            text += r"\s*" + word + r"\s*" if found.group(1) else word
    text += re.escape(prefix[at:].rstrip()) + r"\s*" + ")?" * optional
    return re.compile(text), bool(seen & set("mtn")), bool(seen & set("pc"))


def stderr_events(stream, prefix):
    """Lines with their prefix; what has none goes on with the line before."""
    expression, timed, _pid = pattern(prefix)
    for raw in stream:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        found = expression.match(line)
        rest = line[found.end():] if found else ""
        level = LEVEL.match(rest)
        if not level:
            continue
        words = found.groupdict()
        when = words.get("m") or words.get("t")
        when = seconds(when) if when else float(words["n"]) if words.get("n") else None
        pid = words.get("p") or (str(int(words["hexpid"], 16)) if words.get("hexpid") else "")
        yield Event(when, pid, words.get("host") or words.get("rhost") or "", rest[level.end():])


def csv_events(stream):
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
    for row in csv.reader(line.replace("\0", "") for line in text):
        if len(row) > 14:
            host = row[4].rsplit(":", 1)[0] if ":" in row[4] else row[4]
            yield Event(seconds(row[0]), row[3], host, row[13])
            if row[14]:
                yield Event(seconds(row[0]), row[3], host, row[14])


def json_events(stream):
    for raw in stream:
        try:
            row = json.loads(raw.decode("utf-8", "replace"))
        except ValueError:
            continue
        when = seconds(row.get("timestamp", ""))
        for name in ("message", "detail"):
            if row.get(name):
                yield Event(when, str(row.get("pid", "")), row.get("remote_host", ""), row[name])


READERS = {"csvlog": lambda stream, prefix: csv_events(stream), "jsonlog": lambda stream, prefix: json_events(stream),
           "stderr": stderr_events}


class Log(object):
    """What a server has written since a moment. `why` says why that is not known, "" where it is."""

    def __init__(self, cluster, settings, since):
        self.settings, self.since, self.why, self.cut = settings, since, "", False
        self.prefix = settings.get("log_line_prefix") or ""
        self.kind, current = self._place(cluster)
        self.files = self._files(current) if current else []
        in_zone(settings.get("log_timezone"))
        if not self.files:
            self.why = "it has no log file (its log_destination is '%s')" % settings.get("log_destination", "")
        elif settings.get("lc_messages", "")[:2] not in ("", "C", "C.", "PO", "en"):
            self.why = "its log is not in English (lc_messages)"
        elif self.kind == "stderr" and not pattern(self.prefix)[1]:
            self.why = "its log_line_prefix has no time (%m)"

    @staticmethod
    def _place(cluster):
        """(format, path) of the file that it writes now, the richest format first."""
        places = {}
        try:
            with open(os.path.join(cluster.data, "current_logfiles")) as stream:
                places = dict(line.strip().split(" ", 1) for line in stream if " " in line)
        except (IOError, OSError):
            pass
        for kind in ("jsonlog", "csvlog", "stderr"):
            path = cluster.path(places.get(kind, ""))
            if path and os.path.isfile(path):
                return kind, path
        path = os.path.realpath("/proc/%d/fd/2" % cluster.pid) if cluster.pid else ""
        return "stderr", path if os.path.isfile(path) else ""

    def _files(self, current):
        """The current file and, before it, those of its folder and ending that were written to since then."""
        ending = os.path.splitext(current)[1]
        others = []
        if ending:
            for path in glob.glob(os.path.join(glob.escape(os.path.dirname(current)), "*" + ending)):
                info = os.stat(path)
                if path != current and info.st_mtime >= self.since and os.path.isfile(path):
                    others.append((info.st_mtime, path))
        return [path for _time, path in sorted(others)][-MAX_FILES:] + [current]

    def events(self):
        for path in self.files:
            with open(path, "rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                if size > MAX_FILE:
                    stream.seek(size - MAX_FILE)
                    stream.readline()
                    self.cut = True
                for event in READERS[self.kind](stream, self.prefix):
                    yield event


class Reload(object):
    """Whether the last reload or start took the TLS files: the lines of the process that says so are the reason."""

    def __init__(self):
        self.lines, self.pid, self.ignored = [], None, ""

    def feed(self, event):
        if event.text.startswith(BEGINNINGS):
            self.lines, self.pid, self.ignored = [], event.pid, ""
        elif event.pid == self.pid and self.pid is not None:
            if event.text.startswith(IGNORED):
                self.ignored = "; ".join(self.lines[-3:]) or IGNORED
            elif not event.text.startswith("parameter "):
                self.lines.append(event.text.strip())


class Failures(object):
    """TLS failures by address and reason since a moment; the address is the line's own, else the one that the same
    process logged when the connection came in."""

    def __init__(self, since):
        self.since, self.peers, self.found = since, {}, {}

    def feed(self, event):
        peer = PEER.match(event.text)
        if peer:
            self.peers[event.pid] = peer.group(1)
            return
        if event.when is None or event.when < self.since:
            return
        for expression in FAILURES:
            reason = expression.match(event.text)
            if reason:
                host = event.host or self.peers.get(event.pid, "")
                entry = self.found.setdefault((host, reason.group(1).strip()[:300]), [0, event.when, event.when])
                entry[0] += 1
                entry[1], entry[2] = min(entry[1], event.when), max(entry[2], event.when)

    def answer(self, shift, most):
        rows = [{"address": host, "reason": reason, "count": count, "first": int(first - shift), "last": int(last - shift)}
                for (host, reason), (count, first, last) in self.found.items()]
        rows.sort(key=lambda row: row["first"])
        return rows[-most:]
