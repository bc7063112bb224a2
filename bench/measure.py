# SPDX-License-Identifier: PostgreSQL
"""Runs commands and takes their times: whole processes, in turn, as a user sees them."""
import os
import subprocess

from figures import median


class Failed(Exception):
    """A command that did not do its work: nothing was measured."""


class Missing(Exception):
    """A peer that is not installed: named and passed over."""


class Command:
    """One command, or several in a row that count as one.

    argv      a list of arguments, or a list of such lists; or what gives one when it is run. Among several there may
              be functions: they are called and not timed
    before    called before each run and not timed: brings the files back to where they were
    stdout    a file for what it says; None: nobody reads it
    codes     the exit codes that mean that it did its work
    count     it prints in how many seconds it managed how much, as its last words: scaled to the row's size
    values    it prints lines "NAME NUMBER": they are kept with each run
    """

    def __init__(self, name, argv, cwd=None, env=None, before=None, stdout=None, codes=(0,), count=False,
                 values=False, runs=None):
        self.name, self.cwd, self.env, self.before = name, cwd, env or {}, before
        self.stdout, self.codes, self.count, self.values, self.runs = stdout, codes, count, values, runs
        self.argv = argv

    def steps(self):
        argv = self.argv() if callable(self.argv) else self.argv
        return argv if isinstance(argv[0], list) or callable(argv[0]) else [argv]


class Sample:
    """What one run took: seconds, and bytes at the peak."""

    def __init__(self, wall=0.0, user=0.0, system=0.0, peak=0, values=None):
        self.wall, self.user, self.system, self.peak, self.values = wall, user, system, peak, values or {}

    @property
    def cpu(self):
        return self.user + self.system

    def add(self, other):
        self.wall += other.wall
        self.user += other.user
        self.system += other.system
        self.peak = max(self.peak, other.peak)
        self.values.update(other.values)

    def scale(self, by):
        self.wall *= by
        self.user *= by
        self.system *= by


class Measurer:
    """Needs build/bench/timed; scratch is a folder of its own."""

    def __init__(self, timed, scratch, env):
        self.timed, self.scratch, self.env = timed, scratch, env

    def run(self, command, size):
        """One run of a command, all its steps."""
        if command.before:
            command.before()
        total = Sample()
        for step in command.steps():
            if callable(step):
                step()
            else:
                total.add(self._step(command, step))
        if command.count:
            managed = total.values.get("count", 0)
            if managed < 1:
                raise Failed("%s managed nothing" % command.name)
            total.wall = total.values["seconds"]
            total.scale(size / managed)
        return total

    def _step(self, command, argv):
        times, said = os.path.join(self.scratch, "times"), os.path.join(self.scratch, "said")
        reads = command.count or command.values
        out = said + ".out" if reads else command.stdout or os.devnull
        with open(out, "wb") as stdout, open(said, "wb") as stderr:
            done = subprocess.run([self.timed, times] + [str(word) for word in argv], cwd=command.cwd,
                                  env=dict(self.env, **command.env), stdin=subprocess.DEVNULL, stdout=stdout,
                                  stderr=stderr, check=False)
        if done.returncode not in command.codes:
            with open(said, errors="replace") as file:
                raise Failed("%s: exit code %d: %s" % (command.name, done.returncode, file.read()[-2000:].strip()))
        with open(times) as file:
            wall, user, system, peak = file.read().split()
        sample = Sample(float(wall), float(user), float(system), int(peak) * 1024)
        if reads:
            with open(out, errors="replace") as file:
                sample.values = read_values(file.read(), command.count)
        return sample


def read_values(text, count):
    """Lines "NAME NUMBER"; or what was managed: the last two words are seconds and a count."""
    if count:
        words = text.split()
        return {"seconds": float(words[-2]), "count": float(words[-1])} if len(words) > 1 else {}
    values = {}
    for line in text.splitlines():
        name, _, number = line.rpartition(" ")
        try:
            values[name.strip()] = float(number)
        except ValueError:
            continue
    return values


class Series:
    """The runs of one command at one size."""

    def __init__(self, command, size):
        self.name, self.size, self.samples = command.name, size, []

    def median(self, what):
        return median([getattr(sample, what) for sample in self.samples])

    def total(self, what):
        return sum(getattr(sample, what) for sample in self.samples)

    def value(self, name):
        return median([sample.values[name] for sample in self.samples])


def alternate(measurer, commands, size, runs, warm_up, told):
    """A B A B: each command in turn, so that what else happens on the machine meets all of them alike."""
    series = {command.name: Series(command, size) for command in commands}
    if warm_up:
        for command in commands:
            measurer.run(command, size)
    for number in range(runs):
        for command in commands:
            if number < (command.runs or runs):
                series[command.name].samples.append(measurer.run(command, size))
    for command in commands:
        told(series[command.name])
    return series
