# SPDX-License-Identifier: PostgreSQL
"""Repositories and files to be measured with, of any size: the same each time but for keys and what they sign.

What is dear to make is kept below build/bench/worlds for some days, so that a second run begins at once.
"""
import os
import random
import shutil
import subprocess
import time

from measure import Failed

KEPT_S = 10 * 86400  # certificates in it are valid for a month at least
VERSION = "1"  # raised where what is made here changes
VAULT_PASSWORD = "a-password-for-measurements"


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def address(number):
    return "10.0.%d.%d" % (number >> 8, number & 255)


class Worlds:
    """Where they are, and what makes them: programs is build/bench, env what all commands get."""

    def __init__(self, folder, build, root, env):
        self.folder, self.build, self.root, self.env = folder, build, root, env
        self.password = write(os.path.join(folder, "vault-password"), VAULT_PASSWORD + "\n", 0o600)

    def program(self, name):
        return os.path.join(self.build, "bench", name)

    def run(self, argv, cwd=None, codes=(0,), stdin=None):
        done = subprocess.run([str(word) for word in argv], cwd=cwd, env=self.env, input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode not in codes:
            raise Failed("%s: %s" % (" ".join(str(word) for word in argv)[:200],
                                     done.stderr.decode(errors="replace")[-1000:].strip()))
        return done.stdout

    def kept(self, name, make):
        """The folder of that name, made by make(folder) unless a young one is there."""
        path = os.path.join(self.folder, name)
        stamp = os.path.join(path, ".version")
        try:
            young = time.time() - os.stat(stamp).st_mtime < KEPT_S and read(stamp) == VERSION
        except OSError:
            young = False
        if not young:
            shutil.rmtree(path, ignore_errors=True)
            os.makedirs(path, mode=0o700)
            make(path)
            write(stamp, VERSION)
        return path

    # ---- certificates by the thousand

    def leaves(self, alg, servers, clients, generations):
        def make(path):
            self.run([self.program("leaves"), path, servers, clients, alg, generations])
        return self.kept("leaves-%s-%d-%d-%d" % (alg, servers, clients, generations), make)

    def certs_yml(self, servers, clients):
        """certs.yml as chainsmith writes it (RSA-4096, 2.3 kB a leaf), with comments of the team's own."""
        pems = self.leaves("rsa4096", servers, clients, 1)

        def make(path):
            chance = random.Random(20261121)
            chain = block(read(os.path.join(pems, "old.pem")))
            with open(os.path.join(path, "certs.yml"), "w", encoding="utf-8") as out:
                out.write("---\n# made by chainsmith; ask the DBAs before you change anything\ncerts:\n")
                for kind, count, name in (("server", servers, server_name), ("client", clients, client_name)):
                    out.write('  "%s":\n    "chain": |\n%s' % (kind, chain))
                    for number in range(count):
                        if chance.random() < 0.1:
                            out.write("    # ticket %d\n" % chance.randrange(100000))
                        pem = read(os.path.join(pems, "%s%05d.old.pem" % (kind[0], number)))
                        out.write('    "%s": |\n%s' % (name(number), block(pem)))
            shutil.copy(os.path.join(pems, "new.pem"), path)
            shutil.copy(os.path.join(pems, "s00000.old.pem"), os.path.join(path, "leaf.pem"))
        return self.kept("certs-%d-%d" % (servers, clients), make)

    def keys_yml(self, count):
        """The clear text of a vault with so many keys RSA-4096 (3.6 kB each), from a pool of eight; and the vault."""
        pool = self.leaves("rsa4096", 8, 0, 1)

        def make(path):
            keys = [block(read(os.path.join(pool, "key-%d.pem" % number))) for number in range(8)]
            clear = os.path.join(path, "keys.yml")
            with os.fdopen(os.open(clear, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
                out.write("---\nprivate_keys:\n  client:\n")
                for number in range(count):
                    out.write("    %s: |\n%s" % (client_name(number), keys[number % 8]))
            self.run([self.program("vault"), "write", self.password, clear, os.path.join(path, "vault.yml")])
        return self.kept("keys-%d" % count, make)

    # ---- repositories of certrotate

    def repository(self, path, envs, key="ecdsa-p256"):
        """envs: by name (servers, clients). Nothing is issued yet; nothing is probed, rolled out or asked."""
        for env, (servers, clients) in envs.items():
            write(os.path.join(path, "config", "chainsmith_%s.yml" % env), description(servers, clients, key))
            write(os.path.join(path, "environments", env, "hosts.yml"), hosts(servers))
            os.makedirs(os.path.join(path, "environments", env, "group_vars", "all"))
        write(os.path.join(path, "certrotate.yml"), CONFIGURATION % self.password)
        self.run(["git", "init", "-q", "-b", "main", path])
        self.commit(path)

    def commit(self, path):
        self.run(["git", "-C", path, "add", "-A"])
        self.run(["git", "-C", path, "commit", "-q", "-m", "the environments"])

    def certrotate(self, path, *words):
        self.run([os.path.join(self.build, "certrotate"), "-q", "-C", path] + list(words))

    def described(self, servers, clients, key="ecdsa-p256"):
        """One environment "bench" without a chain."""
        return self.kept("described-%s-%d-%d" % (key, servers, clients),
                         lambda path: self.repository(path, {"bench": (servers, clients)}, key))

    def generated(self, servers, clients):
        """One in the state "generated": "plan" shows the phase trust."""
        def make(path):
            self.repository(path, {"bench": (servers, clients)})
            self.certrotate(path, "next", "--first", "--yes")
            self.certrotate(path, "next", "--yes")
        return self.kept("generated-%d-%d" % (servers, clients), make)

    def environments(self, count):
        """So many with a chain, three servers and five clients each; every third in the middle of a rotation."""
        def make(path):
            names = ["env%03d" % number for number in range(count)]
            self.repository(path, {name: (3, 5) for name in names})
            for number, name in enumerate(names):
                self.certrotate(path, "next", "--first", "--yes", "--env", name)
                if number % 3 == 0:
                    self.certrotate(path, "next", "--yes", "--env", name)
        return self.kept("environments-%d" % count, make)

    def fixture(self, bits):
        """The chain of tests/data/chainsmith-python, to be replaced by one with keys RSA of that size."""
        def make(path):
            source = os.path.join(self.root, "tests", "data", "chainsmith-python")
            for part in ("bin", "config", "environments"):
                shutil.copytree(os.path.join(source, part), os.path.join(path, part))
            self.run(["chmod", "-R", "u+w", path])
            described = os.path.join(path, "config", "chainsmith_poc.yml")
            write(described, "key: rsa%d\n" % bits + read(described))
            write(os.path.join(path, "certrotate.yml"), CONFIGURATION % "bin/vault-password")
            self.run(["git", "init", "-q", "-b", "main", path])
            self.commit(path)
        return self.kept("fixture-%d" % bits, make)

    def endpoints(self, count):
        """A repository whose servers are those of bench/endpoints, and their certificates in "pki"."""
        def make(path):
            pki, repository = os.path.join(path, "pki"), os.path.join(path, "repository")
            os.makedirs(pki)
            self.run([self.program("responder"), "make", pki, count, "bench.example.com"])
            ca = block(read(os.path.join(pki, "ca.pem")))
            names = ["db%d.bench.example.com" % number for number in range(1, count + 1)]
            text = ["certs:\n  server:\n    chain: |\n" + ca]
            for number, name in enumerate(names, 1):
                text.append("    %s: |\n%s" % (name, block(read(os.path.join(pki, "leaf-%d.pem" % number)))))
            text.append("  client:\n    chain: |\n%s    postgres: |\n%s" %
                        (ca, block(read(os.path.join(pki, "client.pem")))))
            folder = os.path.join(repository, "environments", "bench")
            write(os.path.join(folder, "group_vars", "all", "certs.yml"), "".join(text))
            # Nobody opens it.
            write(os.path.join(folder, "group_vars", "all", "certs.vault.yml"), "$ANSIBLE_VAULT;1.1;AES256\n3131\n")
            write(os.path.join(folder, "hosts.yml"), "all:\n  hosts:\n" + "".join(
                "    %s: {ansible_host: %s}\n" % (name, address(number)) for number, name in enumerate(names, 1)))
            write(os.path.join(repository, "config", "chainsmith_bench.yml"),
                  description_of({name: [name] for name in names}, ["postgres"], "rsa2048"))
            write(os.path.join(repository, "certrotate.yml"),
                  "version: 1\ndefaults:\n  git: {base: main, push: false}\n")
            self.run(["git", "init", "-q", "-b", "main", repository])
            self.commit(repository)
            write(os.path.join(path, "list"), "".join(
                "%s %s\n" % (address(number), name) for number, name in enumerate(names, 1)))
        return self.kept("endpoints-%d" % count, make)

    def history(self, files, commits):
        """A repository of so many files in folders of 100, and so many commits, each of which changed two files."""
        def make(path):
            self.run(["git", "init", "-q", "-b", "main", path])
            self.run(["git", "-C", path, "fast-import", "--quiet"], stdin=fast_import(files, commits))
            self.run(["git", "-C", path, "reset", "-q", "--hard", "main"])
            self.run(["git", "-C", path, "branch", "-q", "start"])
        return self.kept("history-%d-%d" % (files, commits), make)


CONFIGURATION = """version: 1
defaults:
  git: {base: main, push: false}
  vault_password: %s
  endpoints: []
  census: {samples: 0}
  rollout: {trust: [], servers: [], clients: [], prune: []}
"""


def block(pem):
    """A PEM text as the lines of a YAML block."""
    return "".join("      " + line + "\n" for line in pem.splitlines())


def server_name(number):
    return "db%05d.example.com" % number


def client_name(number):
    return "user%05d" % number


def hosts(count):
    return "all:\n  hosts:\n" + "".join("    %s: {}\n" % server_name(number) for number in range(count))


def description(servers, clients, key):
    return description_of({server_name(number): [address(number)] for number in range(servers)},
                          [client_name(number) for number in range(clients)], key)


def description_of(servers, clients, key):
    return "".join(
        ["subject: {C: NL, O: Acme, CN: postgres}\nkey: %s\nintermediates:\n  - name: server\n    servers:\n" % key] +
        ["      %s: [%s]\n" % (name, ", ".join(names)) for name, names in servers.items()] +
        ["    keyUsages: [digitalSignature]\n    extendedKeyUsages: [serverAuth]\n  - name: client\n    clients:\n"] +
        ["      - %s\n" % name for name in clients] +
        ["    keyUsages: [digitalSignature]\n    extendedKeyUsages: [clientAuth]\n"])


def fast_import(files, commits):
    """git-fast-import(1)'s stream; the dates, authors and texts are made up, and the same each time."""
    chance = random.Random(20261121)
    out = []

    def blob(path, text):
        out.append("M 100644 inline %s\ndata %d\n%s\n" % (path, len(text), text))

    def begin(number):
        out.append("commit refs/heads/main\ncommitter A DBA <dba@example.com> %d +0000\ndata 9\ncommit %02d\n" %
                   (1600000000 + number * 600, number % 100))

    def path_of(number):
        return "roles/r%04d/tasks/t%02d.yml" % (number // 100, number % 100)

    begin(0)
    for number in range(files):
        blob(path_of(number), "---\n# file %d: %s" % (number, "x" * chance.randrange(20, 400)))
    for number in range(1, commits):
        begin(number)
        for _ in range(2):
            changed = chance.randrange(files)
            blob(path_of(changed), "---\n# file %d in %d: %s" % (changed, number, "x" * chance.randrange(20, 400)))
    return "".join(out).encode()
