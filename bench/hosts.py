# SPDX-License-Identifier: PostgreSQL
"""Servers that stand while a row is measured: bench/hosts and bench/endpoints."""
import contextlib
import os
import re
import subprocess

from measure import Failed

SCRATCH = re.compile(r"/[a-z/]+/certrotate-scratch-\w+")  # certrotate's own, gone since
PHASES = ("trust", "servers", "clients", "prune")


@contextlib.contextmanager
def standing(argv, env):
    """Runs a script that says "NAME VALUE" lines and "ready"; yields them. Closing its input ends it."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as child:
        try:
            said = {}
            for line in child.stdout:
                name, _, value = line.decode().rstrip("\n").partition(" ")
                said[name] = value
                if name == "ready":
                    break
            if "ready" not in said:
                raise Failed("%s: %s" % (os.path.basename(argv[0]), child.stderr.read().decode(errors="replace").strip()))
            yield said
        finally:
            child.stdin.close()
            child.wait()


def parse_calls(data):
    """Of bench/hosts: a list of (commit, environment, arguments)."""
    calls = []
    for call in data.decode().split("\0\0"):
        words = call.split("\0")
        if words == [""]:
            continue
        commit, rest = words[0], words[1:]
        program = next(number for number, word in enumerate(rest) if word.startswith("/"))
        calls.append((commit, rest[:program], rest[program + 1:]))
    return calls


class Place:
    """A rotation on bench/hosts, by certrotate and then by the same calls of Ansible alone."""

    def __init__(self, world, said):
        self.world, self.said = world, said
        self.alone = os.path.join(said["FOLDER"], "alone")
        self.temporary = os.path.join(said["FOLDER"], "temporary")

    def env(self):
        return {"HOME": self.said["HOME"], "ANSIBLE_HOME": self.said["ANSIBLE_HOME"], "ANSIBLE_NOCOLOR": "1"}

    def recording(self):
        return dict(self.env(), PATH=self.said["BIN"] + ":" + self.world.env["PATH"])

    def certrotate(self):
        return [os.path.join(self.world.build, "certrotate"), "-q", "-C", self.said["REPOSITORY"], "next", "--yes"]

    def phases(self):
        return [self.certrotate() for _ in PHASES]

    def run(self, argv, cwd=None):
        self.world.run(["env"] + ["%s=%s" % pair for pair in self.env().items()] + argv, cwd=cwd)

    def play(self, where):
        """Both begin behind a run of Ansible: none of them finds the machine colder than the other."""
        self.run([self.said["PLAYBOOK"], "-i", "environments/poc", "rollout_new_certs.yml"], cwd=where)

    def generate(self):
        """The keys are not counted."""
        self.run(self.certrotate())
        self.play(self.said["REPOSITORY"])
        with open(self.said["CALLS"], "wb"):
            pass

    def recorded(self):
        with open(self.said["CALLS"], "rb") as file:
            return parse_calls(file.read())

    def checkout(self, commit):
        self.world.run(["git", "-C", self.alone, "checkout", "-q", "--detach", commit])

    def back(self):
        """The hosts as they were before the rotation that was recorded, and a clone to play from."""
        recorded = self.recorded()
        if not os.path.isdir(self.alone):
            self.world.run(["git", "clone", "-q", self.said["REPOSITORY"], self.alone])
            os.mkdir(self.temporary, 0o700)
        self.world.run(["git", "-C", self.alone, "fetch", "-q", "origin"])
        self.checkout(recorded[0][0])
        self.play(self.alone)

    def calls(self):
        """Each at the commit at which certrotate made it; the checkouts are not counted."""
        steps = []
        for commit, env, words in self.recorded():
            env = [setting for setting in env if not setting.startswith("ANSIBLE_LOCAL_TEMP=")]
            words = [SCRATCH.sub(self.temporary, word) for word in words]
            steps.append(lambda commit=commit: self.checkout(commit))
            steps.append(["env"] + env + ["ANSIBLE_LOCAL_TEMP=" + self.temporary, self.said["PLAYBOOK"]] + words)
        return steps
