# SPDX-License-Identifier: PostgreSQL
"""A world to be killed in: a bare remote, a clone, a home, hosts that are folders, and what Ansible
was told. It always lies at the same path, so that a copy of it can be put back: each worker has a
memory file system of its own there, in a mount namespace of its own."""

import os
import shutil
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
FIXTURE = os.path.join(TOP, "tests/data/chainsmith-python")
CERTS = "environments/poc/group_vars/all/certs.yml"
KEYS = "environments/poc/group_vars/all/certs.vault.yml"
STATE = ".certrotate/poc/state.json"
DEADLINE = 120

PLAYBOOK = """- hosts: all
  gather_facts: false
  tasks:
    - name: Files
      ansible.builtin.copy:
        content: "{{ item.content }}"
        dest: "{{ out }}/{{ inventory_hostname }}.{{ item.name }}"
        mode: "0600"
      no_log: true
      diff: false
      loop:
        - {name: crt, content: "{{ certs.server[inventory_hostname] }}"}
        - {name: key, content: "{{ private_keys.server[inventory_hostname] }}"}
        - {name: ca, content: "{{ certs.client.chain }}"}
"""
ANSIBLE_CFG = """[defaults]
vault_password_file = bin/vault-password
interpreter_python = /usr/bin/python3
internal_poll_interval = 0.02
remote_tmp = {0}/out/tmp
local_tmp = {0}/home/ansible
"""
HOSTS = """all:
  vars: {{ansible_connection: local, out: {0}/out}}
  hosts:
    db1.example.com:
    db2.example.com:
"""
CONFIG = """version: 1
defaults:
  endpoints: []
  census: {{samples: 0}}
  git: {{flow: {0}}}
applications:
  shop: {{users: [application], trust: [{{kind: exec, command: [bin/hook]}}]}}
"""
# What an application has done in the phase trust: noted with the key by which it is done once.
HOOK = """#!/bin/sh
test -s "$CERTROTATE_BUNDLE" || exit 1
printf '%s\\t%s\\t%s\\n' "$CERTROTATE_PHASE" "$CERTROTATE_DIRECTION" "$CERTROTATE_KEY" >>"$TORTURE_WORLD/hooked"
"""
SETTLED = "certrotate/poc"


class Failed(Exception):
    """A case that did not end as it must, with what differs."""


class World:
    def __init__(self, base, build):
        self.base = base
        self.root = os.path.join(base, "world")
        self.clone = os.path.join(self.root, "clone")
        self.remote = os.path.join(self.root, "remote.git")
        self.rolled_path = os.path.join(self.root, "rolled")
        self.hooked_path = os.path.join(self.root, "hooked")
        self.program = os.path.join(os.path.abspath(build), "certrotate")
        self.tracer = os.path.join(os.path.abspath(build), "tests/trace")
        self.real = False

    def path(self, *names):
        return os.path.join(self.root, *names)

    def environment(self):
        env = {key: value for key, value in os.environ.items()
               if not key.startswith(("GIT_", "ANSIBLE_", "CERTROTATE_", "XDG_"))}
        env.update(HOME=self.path("home"), TMPDIR=self.path("tmp"), GIT_CONFIG_NOSYSTEM="1",
                   ANSIBLE_NOCOLOR="1", ANSIBLE_LOCALHOST_WARNING="false", NO_COLOR="1",
                   LC_ALL="C.UTF-8", TORTURE_WORLD=self.root)
        if not self.real:
            env["PATH"] = self.path("bin") + ":" + env["PATH"]
        return env

    def run(self, args, stdin=None, cwd=None):
        """Exit code and output, both streams together."""
        done = subprocess.run(args, input=stdin, stdin=None if stdin else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd=cwd or self.root, env=self.environment(), timeout=DEADLINE,
                              check=False)
        return done.returncode, done.stdout

    def git(self, *args, where=None, stdin=None):
        done = subprocess.run(["git", "-C", where or self.clone, *args], input=stdin,
                              stdin=None if stdin is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE,
                              env=self.environment(), check=False)
        if done.returncode:
            raise Failed("git %s: %s" % (" ".join(args), done.stderr.decode(errors="replace")))
        return done.stdout

    def rotate(self, *args):
        return self.run([self.program, "-C", self.clone, *args])

    def traced(self, options, *args):
        return self.run([self.tracer, *options, "--deadline", str(DEADLINE - 20), self.program,
                         "-C", self.clone, *args])

    # ---- made, kept, put back

    def empty(self):
        os.makedirs(self.root, exist_ok=True)
        for name in os.listdir(self.root):
            path = self.path(name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)

    def build(self, flow="direct"):
        """An environment without a chain yet."""
        self.empty()
        for name in ("home", "tmp", "bin", "out"):
            os.mkdir(self.path(name))
        shutil.copy(os.path.join(HERE, "ansible-playbook"), self.path("bin"))
        self.run(["git", "config", "--global", "user.name", "A DBA"])
        self.run(["git", "config", "--global", "user.email", "dba@example.com"])
        self.run(["git", "init", "-q", "--bare", "-b", "dev", self.remote])
        self.run(["git", "init", "-q", "-b", "dev", self.clone])
        for folder in range(256):  # made when an id first begins so, which is chance: each run has the same calls
            os.mkdir(os.path.join(self.clone, ".git/objects/%02x" % folder))
        for name in ("bin", "config"):
            shutil.copytree(os.path.join(FIXTURE, name), os.path.join(self.clone, name))
        os.makedirs(os.path.join(self.clone, os.path.dirname(CERTS)))
        chain = os.path.join(self.clone, "config/chainsmith_poc.yml")
        with open(chain, encoding="utf-8") as file:
            text = "key: ecdsa-p256\n" + file.read()
        os.unlink(chain)
        for name, content in (("config/chainsmith_poc.yml", text),
                              ("ansible.cfg", ANSIBLE_CFG.format(self.root)),
                              ("environments/poc/hosts", HOSTS.format(self.root)),
                              ("certrotate.yml", CONFIG.format(flow)),
                              ("bin/hook", HOOK), ("rollout_new_certs.yml", PLAYBOOK)):
            with open(os.path.join(self.clone, name), "w", encoding="utf-8") as file:
                file.write(content)
        os.chmod(os.path.join(self.clone, "bin/hook"), 0o755)
        self.git("remote", "add", "origin", self.remote)
        self.git("add", "-A")
        self.git("commit", "-qm", "the environment")
        self.git("push", "-qu", "origin", "dev")

    def saved(self, name):
        return os.path.join(self.base, "saved", name)

    def save(self, name):
        shutil.rmtree(self.saved(name), ignore_errors=True)
        subprocess.run(["cp", "-a", self.root, self.saved(name)], check=True)

    def restore(self, name):
        self.empty()
        for left in os.listdir("/dev/shm"):
            shutil.rmtree(os.path.join("/dev/shm", left), ignore_errors=True)
        subprocess.run(["cp", "-a", self.saved(name) + "/.", self.root], check=True)
        for path in (self.rolled_path, self.hooked_path):
            if os.path.exists(path):
                os.unlink(path)

    def drop_folders(self):
        """Those of objects that are empty."""
        objects = os.path.join(self.clone, ".git/objects")
        for name in os.listdir(objects):
            if len(name) == 2 and not os.listdir(os.path.join(objects, name)):
                os.rmdir(os.path.join(objects, name))

    # ---- what is there

    def branches(self, where=None, refs="refs/heads/"):
        """Those that bring a phase, and that the base does not have."""
        names = self.git("for-each-ref", "--format=%(refname)", "--no-merged=" + refs + "dev",
                         refs + "certrotate/", where=where or self.remote).decode().split()
        return [name[len(refs):] for name in names if name.startswith(refs + SETTLED + "-")]

    def merge(self):
        """What a colleague does at the forge."""
        for name in self.branches():
            self.git("merge-base", "--is-ancestor", "dev", name, where=self.remote)
            self.git("update-ref", "refs/heads/dev", "refs/heads/" + name, where=self.remote)

    def show(self, path, where=None, rev="dev"):
        return self.git("show", "%s:%s" % (rev, path), where=where or self.remote)

    def rolled(self):
        """What the recording program was asked to roll out, a list of fields for each."""
        return self.noted(self.rolled_path)

    def hooked(self):
        """What the application's hook was run for, a list of phase, direction and key for each."""
        return self.noted(self.hooked_path)

    @staticmethod
    def noted(path):
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return [line.rstrip("\n").split("\t") for line in file]


def wait_alone(seconds):
    """Inside the worker's own process namespace: who is left besides the worker itself."""
    end = time.monotonic() + seconds
    while True:
        left = others()
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.01)


def others():
    own, left = os.getpid(), []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in (own, 1):
            continue
        try:
            with open("/proc/%s/stat" % name, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        if text.rsplit(")", 1)[1].split()[0] != "Z":
            left.append("%s %s" % (name, text[text.index("(") + 1:text.rindex(")")]))
    return left
