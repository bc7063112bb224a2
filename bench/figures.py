# SPDX-License-Identifier: PostgreSQL
"""The arithmetic of the measurements: medians, growth, and how a figure stands to its target.

Nothing here measures or prints; tests/bench/figures.py holds it to known values.
"""
import math
import re

AT_MOST, AT_LEAST = "at most", "at least"


def median(values):
    """The middle one of an odd number, the mean of the two in the middle of an even one."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no median of nothing")
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def slope(points):
    """Of log time over log size, by least squares: 1 is linear, 2 quadratic. points: (size, time)."""
    if len({size for size, _ in points}) < 2:
        raise ValueError("a slope needs two sizes")
    logs = [(math.log(size), math.log(time)) for size, time in points]
    x_mean = sum(x for x, _ in logs) / len(logs)
    y_mean = sum(y for _, y in logs) / len(logs)
    return sum((x - x_mean) * (y - y_mean) for x, y in logs) / sum((x - x_mean) ** 2 for x, _ in logs)


def growth(points):
    """The slope over all sizes, or from the last but one to the last where that is steeper.

    What a process costs before it begins flattens the first part: only the last step shows
    a list that is walked for each of its members.
    """
    ordered = sorted(points)
    return max(slope(ordered), slope(ordered[-2:]))


class Target:
    """One line of bench/targets."""

    def __init__(self, row, figure, sense, limit, unit, text):
        self.row, self.figure, self.sense, self.limit, self.unit, self.text = row, figure, sense, limit, unit, text

    def limit_text(self):
        sign = "<=" if self.sense == AT_MOST else ">="
        return " ".join([sign, "%g" % self.limit] + ([self.unit] if self.unit else []))

    def judge(self, value):
        """"met", or "MISSED by 12 %": of the limit, upwards or downwards."""
        if math.isnan(value):
            raise ValueError("not a number")
        away = (value - self.limit) / self.limit
        if self.sense == AT_LEAST:
            away = -away
        if away <= 0:
            return "met"
        percent = 100 * away
        return "MISSED by %s %%" % ("%.0f" % percent if percent >= 9.5 else "%.1f" % max(percent, 0.1))


LINE = re.compile(r"^(at most|at least) ([0-9]+(?:\.[0-9]+)?)(?: ([a-z%]+))?$")


def parse_targets(text, name="targets"):
    """ROW | FIGURE | at most 0.55 [UNIT] | WHAT IT SAYS; # begins a comment. A list, in its order."""
    targets, seen = [], set()
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        fields = [field.strip() for field in line.split("|")]
        limit = LINE.match(fields[2]) if len(fields) == 4 and all(fields) else None
        if not limit:
            raise ValueError("%s:%d: not 'ROW | FIGURE | at most N [UNIT] | TEXT'" % (name, number))
        if float(limit.group(2)) <= 0:
            raise ValueError("%s:%d: a limit is more than nothing" % (name, number))
        if (fields[0], fields[1]) in seen:
            raise ValueError("%s:%d: a second target of %s %s" % (name, number, fields[0], fields[1]))
        seen.add((fields[0], fields[1]))
        targets.append(Target(fields[0], fields[1], limit.group(1), float(limit.group(2)), limit.group(3) or "", fields[3]))
    return targets
