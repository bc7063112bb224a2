# SPDX-License-Identifier: PostgreSQL
"""The list that trace(1) of this folder writes of an undisturbed run: its calls, its points."""

import json
from collections import namedtuple

# number: of the change, 0 for none; known: whether it was more than a look
Call = namedtuple("Call", "number name effect result words")


class Trace:
    def __init__(self, path, clone):
        self.clone = clone
        self.calls = []
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                fields = line.rstrip("\n").split("\t")
                number = 0 if fields[0] == "-" else int(fields[0])
                result = fields[4] if len(fields) > 4 else "0"
                self.calls.append(Call(number, fields[2], fields[3], int(result), fields[5:]))

    def journal_line(self, call):
        """What a write put into the journal, or None."""
        if call.name != "write" or call.effect != "change" or len(call.words) < 3 or \
           not call.words[0].endswith("/certrotate/poc/journal"):
            return None
        return json.loads(call.words[2])

    def _inside(self):
        """The numbers of the changes between a rollout's begin and end in the journal."""
        numbers, inside = set(), False
        for call in self.calls:
            line = self.journal_line(call)
            if line and line["step"] == "rollout":
                inside = line["mark"] == "begin"
            if inside and call.number:
                numbers.add(call.number)
        return numbers

    def _numbers(self, real):
        inside = self._inside()
        every = [call.number for call in self.calls if call.number]
        return [number for number in every if (number in inside) == real]

    def points(self, real):
        return len(self._numbers(real))

    def cases(self, real):
        """
        [point, "before" or "after", ...]: each point before and after. Where between two changes
        no child was alive and nothing else was changed, the disk after the one is the disk before
        the other: one kill stands for both.
        """
        wanted = set(self._numbers(real))
        cases, children, previous = [], 0, None
        for call in self.calls:
            if call.number in wanted:
                same = not children and previous == call.number - 1
                if same:
                    cases.pop()
                cases += [[call.number, "before"], [call.number, "after"]]
                previous = call.number if call.effect != "start" else None
            if call.effect == "start" and call.result > 0:
                children += 1
            elif call.name in ("wait4", "waitid") and call.result >= 0:
                children = max(0, children - 1)
        return cases
