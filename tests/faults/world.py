# SPDX-License-Identifier: PostgreSQL
"""A small world for the faults: a bare remote, a clone with an environment, a home, a folder for temporary files, and a
program called ansible-playbook that writes down what it would roll out. Its paths are its own, so that a copy works."""

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys

ENVIRONMENT = "poc"
STATE = f".certrotate/{ENVIRONMENT}/state.json"
CERTS = f"environments/{ENVIRONMENT}/group_vars/all/certs.yml"
KEYS = f"environments/{ENVIRONMENT}/group_vars/all/certs.vault.yml"
HOSTS = ("db1.example.com", "db2.example.com")

CHAIN = """key: ecdsa-p256
subject: {C: NL, O: Acme, CN: postgres}
intermediates:
  - name: server
    servers:
      db1.example.com: [10.0.4.42, db1.example.com]
      db2.example.com: [10.0.4.43]
    keyUsages: [keyEncipherment, dataEncipherment, digitalSignature]
    extendedKeyUsages: [serverAuth]
  - name: client
    clients: [postgres, application]
    keyUsages: [keyEncipherment, dataEncipherment, digitalSignature]
    extendedKeyUsages: [clientAuth]
"""
INVENTORY = "all:\n  vars: {ansible_connection: local}\n  hosts:\n" + "".join(f"    {host}:\n" for host in HOSTS)
CONFIG = "version: 1\ndefaults:\n  endpoints: []\n  census: {samples: 0}\n"
PLAYBOOK = "- hosts: all\n  gather_facts: false\n  tasks: []\n"

# What it would roll out are the bytes of the checkout, under the phase that the checkout's state names.
RECORDER = f"""#!/bin/sh
case "$*" in *--list-hosts*)
  printf '\\nplaybook: x\\n\\n  play #1 (all): all\\n    pattern: ["all"]\\n    hosts (2):\\n{"".join(f"      {h}{chr(92)}n" for h in HOSTS)}'
  exit 0 ;;
esac
cat {CERTS} {KEYS} {STATE} | sha256sum >>"$WORLD/rollouts"
printf 'PLAY RECAP *****\\n{"".join(f"{h} : ok=1 changed=1 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0{chr(92)}n" for h in HOSTS)}'
"""


class Ended:
    """What a program did."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


class World:
    def __init__(self, root, program):
        self.root, self.program = root, program
        self.repository = os.path.join(root, "repository")
        self.remote = os.path.join(root, "remote.git")
        self.temporary = os.path.join(root, "tmp")

    # ---- making it

    def environment(self, **more):
        env = {
            "PATH": os.path.join(self.root, "bin") + ":/usr/bin:/bin",
            "HOME": os.path.join(self.root, "home"),
            "TMPDIR": self.temporary,
            "WORLD": self.root,
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "ASAN_OPTIONS": "detect_leaks=0:exitcode=99:quarantine_size_mb=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99",
        }
        env.update(more)
        return env

    def write(self, path, text, mode=0o644):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)

    def git(self, *arguments, where=None):
        done = subprocess.run(("git", *arguments), cwd=where or self.repository, env=self.environment(), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode:
            sys.exit(f"git {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def make(self, config=CONFIG):
        """Empty of a chain: `next --first` issues it."""
        os.makedirs(self.repository)
        os.makedirs(self.temporary)
        self.write("home/.gitconfig", "[user]\n\tname = A DBA\n\temail = dba@example.com\n[gc]\n\tauto = 0\n")
        self.write("bin/ansible-playbook", RECORDER, 0o755)
        self.write("rollouts", "")
        self.git("init", "-q", "--bare", "-b", "dev", self.remote)
        self.git("init", "-q", "-b", "dev")
        self.git("remote", "add", "origin", "../remote.git")
        self.write("repository/config/chainsmith.yml", CHAIN)
        self.write("repository/certrotate.yml", config)
        self.write(f"repository/environments/{ENVIRONMENT}/hosts", INVENTORY)
        self.write("repository/rollout_new_certs.yml", PLAYBOOK)
        self.write("repository/bin/vault-password", "#!/bin/sh\necho a-password\n", 0o755)
        self.write("repository/ansible.cfg", "[defaults]\nvault_password_file = bin/vault-password\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "the environment")
        self.git("push", "-qu", "origin", "dev")

    def copy(self, root):
        shutil.copytree(self.root, root, symlinks=True)
        return World(root, self.program)

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)

    # ---- running the program

    def run(self, *command, before=(), deadline=60, program=None, **env):
        """certrotate in the clone; before: what it is started with."""
        argv = [*before, program or self.program, *command]
        with subprocess.Popen(argv, cwd=self.repository, env=self.environment(**env), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as child:
            try:
                out, err = child.communicate(timeout=deadline)
            except subprocess.TimeoutExpired:
                child.terminate()
                try:
                    out, err = child.communicate(timeout=20)
                except subprocess.TimeoutExpired:
                    child.kill()
                    out, err = child.communicate()
                return Ended("late", out.decode(errors="replace"), err.decode(errors="replace"))
        return Ended(child.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    # ---- looking at it

    def show(self, path, where=None):
        """A file of the remote's base, or None."""
        done = subprocess.run(("git", "--git-dir", where or self.remote, "show", f"dev:{path}"), env=self.environment(),
                              capture_output=True, check=False)
        return done.stdout.decode() if done.returncode == 0 else None

    def state(self):
        text = self.show(STATE)
        return json.loads(text) if text else None

    def rollouts(self):
        with open(os.path.join(self.root, "rollouts"), encoding="ascii") as file:
            return file.read().split("\n")[:-1]

    def files(self):
        """Every file: its mode, size and time of change, which tells quickly whether anything was touched."""
        found = {}
        pending = [self.root]
        while pending:
            folder = pending.pop()
            with os.scandir(folder) as entries:
                for entry in entries:
                    st = entry.stat(follow_symlinks=False)
                    name = os.path.relpath(entry.path, self.root)
                    if stat.S_ISDIR(st.st_mode):
                        pending.append(entry.path)
                        found[name] = ("folder", st.st_mode)
                    else:
                        found[name] = (st.st_mode, st.st_size, st.st_mtime_ns, st.st_ino)
        return found

    def end(self):
        """What a transition comes to, where names, times, keys, serials and numbers of commits are left out."""
        state = self.state()
        tree = {}
        for line in self.git("ls-tree", "-r", "dev", where=self.remote).splitlines():
            mode, path = line.split()[0], line.split("\t")[1]
            tree[path] = [mode] + shape(path, self.show(path))
        log = self.git("log", "--format=%s", "dev", where=self.remote).splitlines()
        status = self.git("status", "--porcelain")
        return {"state": plain(state), "tree": tree, "log": log, "status": status, "head": self.git("rev-parse", "HEAD") ==
                self.git("rev-parse", "dev", where=self.remote), "left": self.left()}

    def left(self):
        """Temporary files that nobody will ever remove."""
        names = [name for name in self.files() if re.search(r"certrotate-\w{6}$|index\.lock$|HEAD\.lock$|tmp_obj_", name)]
        return names + os.listdir(self.temporary)


def shape(path, text):
    """What a file holds by its roles: a vault's size and a certificate's bytes are others each time."""
    if path.endswith("state.json"):
        return []
    if ".vault." in path or re.search(r"\.certrotate/\w+/g\d+\.yml$", path):
        return [text.split("\n")[0]]
    text = re.sub(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", "CERTIFICATE", text, flags=re.S)
    return [hashlib.sha256(text.encode()).hexdigest(), text if path.endswith("certs.yml") else ""]


VARIES = {"revision", "commit", "at", "since", "ms", "rotation", "by", "host", "serial", "fingerprint", "resumed", "sum"}


def plain(value, key=None):
    if isinstance(value, dict):
        return {name: plain(child, name) for name, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return "…" if key in VARIES and value is not None else value
