# SPDX-License-Identifier: PostgreSQL
"""What is measured: a table of rows, each with its commands and its figures.

A row's make(world, size, scratch, stack) yields its commands: ours first, named "certrotate", then those beside it. A figure is
worked out of the series of one size (by the command's name); its target stands in bench/targets.
"""
import glob
import os
import shutil

import hosts
from figures import median
from measure import Command, Missing
from report import seconds, size_text
from worlds import server_name

OURS = "certrotate"
FIRST = "next --first"
HERE = os.path.dirname(os.path.abspath(__file__))
PEER_S, PEER_QUICK_S = 60, 3  # how long those beside may issue leaves
DELAY_MS = 20


class Row:
    """name    what the row is called; work: what is done, for people
    sizes, quick   smallest first; growth is worked out where there are three
    runs    after one run that does not count (warm_up), in turn with those beside it
    make    yields the commands; figures: a list of Figure; time: of growth, the wall time where None
    note    (world, series by size) -> what else was seen, or None
    """

    def __init__(self, name, work, sizes, quick, runs, make, figures, warm_up=True, time=None, note=None, root=False,
                 unit=""):
        self.name, self.work, self.sizes, self.quick, self.runs = name, work, sizes, quick, runs
        self.make, self.figures, self.warm_up, self.note, self.root = make, figures, warm_up, note, root
        self.time = time or (lambda series: series[OURS].median("wall"))
        self.unit = unit


class Figure:
    """name in bench/targets; peers: the commands that it needs; at: its size, the largest where None.

    work(series, size, world) -> (value, ours, theirs): texts for the table.
    """

    def __init__(self, name, beside, peers, unit, work, at=None):
        self.name, self.beside, self.peers, self.unit, self.work, self.at = name, beside, peers, unit, work, at


def walls(series, peer):
    return seconds(series[OURS].median("wall")), seconds(series[peer].median("wall"))


def faster(name, peer):
    """How many times the peer's wall time is ours."""
    return Figure(name, peer, [peer], "times", lambda series, size, world: (
        series[peer].median("wall") / series[OURS].median("wall"), *walls(series, peer)))


def share(name, peer, at=None):
    """Our wall time over the peer's."""
    return Figure(name, peer, [peer], "", lambda series, size, world: (
        series[OURS].median("wall") / series[peer].median("wall"), *walls(series, peer)), at)


def fresh(source, to):
    """A copy of a small world for each run."""
    def copy():
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(source, to, symlinks=True)
    return copy


def need(program, package):
    """Missing where a peer is not installed."""
    path = shutil.which(program) or (program if os.access(program, os.X_OK) else None)
    if not path:
        raise Missing("%s is not installed (%s)" % (os.path.basename(program), package))
    return path


def library(world, name, package):
    """The same for a Python library of Debian's interpreter."""
    if world.run(["/usr/bin/python3", "-c", "import importlib.util as u; print(bool(u.find_spec(%r)))" %
                  name.split(".")[0]]).strip() != b"True":
        raise Missing("%s is not installed (%s)" % (name, package))


# ---- keys and chains

def keys(world, size, scratch, stack):
    one = "openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out " + os.path.join(scratch, "key-{}")
    yield Command(OURS, [world.program("keys"), size, "rsa4096"])
    yield Command("openssl genpkey", ["sh", "-c", "seq %d | xargs -P %d -I {} %s" % (
        size, len(os.sched_getaffinity(0)), one)])


def keys_share(series, size, world):
    ours = series[OURS]
    return ours.total("wall") / ours.total("cpu"), seconds(ours.median("wall")), seconds(ours.median("cpu"))


def keys_cpu(series, size, world):
    """Of all runs together: what a key takes differs tenfold from key to key."""
    each = {name: one.total("cpu") / len(one.samples) / size for name, one in series.items()}
    return (each[OURS] / each["openssl genpkey"], seconds(each[OURS]), seconds(each["openssl genpkey"]))


def chain(world, size, scratch, stack):
    template, path = world.described(size // 2, size - size // 2), os.path.join(scratch, "repository")
    yield Command(OURS, [world.program("chain"), template, "config/chainsmith_bench.yml", os.path.join(scratch, "chain")])
    yield Command(FIRST, [os.path.join(world.build, "certrotate"), "-q", "-C", path, "next", "--first", "--yes"],
                  before=fresh(template, path))
    if size != world.largest:
        return
    for name, program, package in (("cfssl", "cfssl", "golang-cfssl"),
                                   ("easyrsa", "/usr/share/easy-rsa/easyrsa", "easy-rsa")):
        try:
            need(program, package)
        except Missing as missing:
            yield missing
            continue
        folder = os.path.join(scratch, name)
        yield Command(name, [os.path.join(HERE, "issuers"), name, folder, PEER_QUICK_S if world.quick else PEER_S],
                      count=True, runs=1, before=lambda folder=folder: shutil.rmtree(folder, ignore_errors=True))


def issued(mine):
    """How many times as many leaves a second as the faster of the others."""
    def rate(series, size, world):
        best, took = min(series[name].median("wall") for name in ("cfssl", "easyrsa") if name in series), \
            series[mine].median("wall")
        return best / took, "%.3g/s" % (size / took), "%.3g/s" % (size / best)
    return rate


def generate(world, size, scratch, stack):
    path, folder = os.path.join(scratch, "repository"), os.path.join(scratch, "chainsmith")
    yield Command(OURS, [os.path.join(world.build, "certrotate"), "-q", "-C", path, "next", "--yes"],
                  before=fresh(world.fixture(2048), path))
    yield Command("chainsmith's openssl", [os.path.join(HERE, "chainsmith"), folder, 2048],
                  before=lambda: shutil.rmtree(folder, ignore_errors=True))


# ---- files

def edit(world, size, scratch, stack):
    path = world.certs_yml(size // 2, size - size // 2)
    out = {name: os.path.join(scratch, name + ".yml") for name in (OURS, "ruamel", "pyyaml")}
    files = [os.path.join(path, "certs.yml"), os.path.join(path, "new.pem"), "server", server_name(0),
             os.path.join(path, "leaf.pem")]
    yield Command(OURS, [world.program("edit")] + files + [out[OURS]])
    for label, name, module, package, runs in (("ruamel.yaml", "ruamel", "ruamel.yaml", "python3-ruamel.yaml", 2),
                                               ("PyYAML (C)", "pyyaml", "yaml", "python3-yaml", None)):
        try:
            library(world, module, package)
            yield Command(label, ["/usr/bin/python3", os.path.join(HERE, "roundtrip.py"), name] + files + [out[name]],
                          runs=runs)
        except Missing as missing:
            yield missing


def edit_note(world, size, scratch):
    """What is left of the comments."""
    source = comments(os.path.join(world.certs_yml(size // 2, size - size // 2), "certs.yml"))
    kept = ["%s %d" % (label, comments(os.path.join(scratch, name + ".yml")))
            for label, name in ((OURS, OURS), ("ruamel.yaml", "ruamel"), ("PyYAML", "pyyaml"))
            if os.path.exists(os.path.join(scratch, name + ".yml"))]
    return "comments kept, of %d: %s" % (source, ", ".join(kept))


def comments(path):
    with open(path, encoding="utf-8") as file:
        return sum(line.lstrip().startswith("#") for line in file)


def vault_read(world, size, scratch, stack):
    path = os.path.join(world.keys_yml(size), "vault.yml")
    yield Command(OURS, [world.program("vault"), "read", world.password, path])
    yield Command("ansible-vault view", [need("ansible-vault", "ansible-core"), "view", "--vault-password-file",
                                         world.password, path])


def vault_write(world, size, scratch, stack):
    path = os.path.join(world.keys_yml(size), "keys.yml")
    yield Command(OURS, [world.program("vault"), "write", world.password, path, os.path.join(scratch, "ours.yml")])
    yield Command("ansible-vault encrypt", [need("ansible-vault", "ansible-core"), "encrypt", "--vault-password-file",
                                            world.password, "--output", os.path.join(scratch, "theirs.yml"), path])


# ---- proof and probes

def proof(world, size, scratch, stack):
    path = world.leaves("rsa2048", size, size, 2)
    yield Command(OURS, [world.program("proof"), "chains", path, size, size])
    sides = [["%s%05d.%s.pem" % (side, number, age) for number in range(size) for age in ("old", "new")] for side in "sc"]
    yield Command("openssl verify", [["openssl", "verify", "-CAfile", bundle, "-purpose", purpose] + files
                                     for bundle in ("both.pem", "turned.pem")
                                     for purpose, files in zip(("sslserver", "sslclient"), sides)], cwd=path)


def handshakes(world, size, scratch, stack):
    path = world.leaves("rsa2048", size, size, 2)
    yield Command(OURS, [world.program("proof"), "handshakes", path, size, size], values=True)


def handshakes_time(series):
    return median([sample.values["with"] - sample.values["chains"] for sample in series[OURS].samples])


def handshakes_share(series, size, world):
    ours = series[OURS]
    single = ours.value("single") * ours.value("count") / ours.value("processors")
    return handshakes_time(series) / single, seconds(handshakes_time(series)), seconds(single)


def probe(world, size, scratch, stack):
    need("ip", "iproute2")
    path = world.endpoints(size)
    said = stack.enter_context(hosts.standing([
        os.path.join(HERE, "endpoints"), os.path.join(world.build, "bench"), os.path.join(path, "pki"), str(size),
        str(DELAY_MS)], world.env))
    inside = ["ip", "netns", "exec", said["ready"]]
    yield Command(OURS, inside + [os.path.join(world.build, "certrotate"), "-q", "-C",
                                  os.path.join(path, "repository"), "verify", "--no-login"])
    # -servername as libpq sends it; what is checked is the chain and the name.
    one = ("openssl s_client -starttls postgres -connect \"$0:5432\" -servername \"$1\" -verify_hostname \"$1\""
           " -CAfile %s/pki/ca.pem -verify_return_error </dev/null 2>/dev/null | grep -q 'Verify return code: 0'" % path)
    yield Command("openssl s_client", inside + ["xargs", "-a", os.path.join(path, "list"), "-P", "32", "-L", "1", "sh",
                                                "-c", one])


# ---- whole commands on large repositories

def status(world, size, scratch, stack):
    yield Command(OURS, [os.path.join(world.build, "certrotate"), "-C", world.environments(size), "status"])


def status_wall(series, size, world):
    wall = series[OURS].median("wall")
    return wall * 1000, seconds(wall), "-"


def plan(world, size, scratch, stack):
    path = world.generated(size, 20)
    yield Command(OURS, [world.program("no-handshakes"), "-C", path, "plan"])
    if size == world.middle:
        yield Command("with its handshakes", [os.path.join(world.build, "certrotate"), "-C", path, "plan"])


def plan_memory(series, size, world):
    """Over what "plan" reads: the inventory's certificates and keys, and both generations."""
    path = world.generated(size, 20)
    files = glob.glob(os.path.join(path, "environments/bench/group_vars/all/*"))
    files += glob.glob(os.path.join(path, ".certrotate/bench/*.yml"))
    total, peak = sum(os.path.getsize(name) for name in files), series[OURS].median("peak")
    return peak / total, size_text(peak), size_text(total)


def plan_wall(series, size, world):
    wall = series[OURS].median("wall")
    return wall, seconds(wall), "-"


def commit(world, size, scratch, stack):
    path = world.history(size, size * 2 // 5)
    paths = ["roles/r%04d/tasks/t%02d.yml" % (size // 100 // part - 1, part) for part in (1, 2, 4)]
    files = [os.path.join(scratch, "text-%d" % number) for number in range(len(paths))]
    counter = [0]

    def before():
        counter[0] += 1
        world.run(["git", "-C", path, "reset", "-q", "--hard", "start"])
        for number, file in enumerate(files):
            with open(file, "w", encoding="utf-8") as out:
                out.writelines("line %d of %d in %d\n" % (line, number, counter[0]) for line in range(4000))
    pairs = [word for pair in zip(paths, files) for word in pair]
    copies = " && ".join("cp %s %s" % (file, name) for name, file in zip(paths, files))
    yield Command(OURS, [world.program("commit"), path, "main"] + pairs, before=before)
    # Debian's git syncs neither loose objects nor index: what a commit that lasts takes it is said beside.
    for name, option in (("git commit", ""), ("git commit, synced", "-c core.fsync=loose-object,reference,index ")):
        yield Command(name, ["sh", "-c", "%s && git %scommit -q -m trust -- %s" % (copies, option, " ".join(paths))],
                      cwd=path, before=before)


# ---- a rotation

def rollouts(world, size, scratch, stack):
    need("ansible-playbook", "ansible-core")
    place = hosts.Place(world, stack.enter_context(hosts.standing([os.path.join(HERE, "hosts"), world.build], world.env)))
    yield Command(OURS, place.phases(), env=place.recording(), before=place.generate)
    yield Command("ansible-playbook", place.calls, env=place.env(), before=place.back, cwd=place.alone)


def growth(unit=""):
    return Figure("growth", "slope", [], unit, None)


GENPKEY, CHAINSMITH = "openssl genpkey", "chainsmith's openssl"

ROWS = [
    Row("keys", "200 keys RSA-4096", [200], [4], 2, keys, [
        Figure("wall/cpu", "its own CPU time", [], "", keys_share),
        Figure("cpu/genpkey", "genpkey, CPU a key", [GENPKEY], "", keys_cpu)], warm_up=False),
    Row("chain", "a chain with 10,000 leaves, P-256", [100, 1000, 10000], [10, 30, 100], 3, chain, [
        Figure("rate/peer", "cfssl or easy-rsa", ["cfssl|easyrsa"], "times", issued(OURS)),
        Figure("first/peer", "same, by next --first", ["cfssl|easyrsa"], "times", issued(FIRST)), growth()]),
    Row("generate", "generate of 3 CAs and 7 leaves, RSA-2048, whole process", [10], [10], 15, generate, [
        faster("times-faster", CHAINSMITH)]),
    Row("edit", "bundles merged and a leaf replaced in a certs.yml of 10,000 leaves", [100, 1000, 10000],
        [10, 30, 100], 5, edit, [faster("faster/ruamel", "ruamel.yaml"), share("time/pyyaml", "PyYAML (C)"), growth()],
        note=edit_note),
    Row("vault-read", "a vault with 10,000 keys (36 MB in the clear) read", [100, 1000, 10000], [10, 30, 100], 5,
        vault_read, [faster("times-faster", "ansible-vault view"), growth()]),
    Row("vault-write", "the same written", [100, 1000, 10000], [10, 30, 100], 5, vault_write, [
        faster("times-faster", "ansible-vault encrypt"), growth()]),
    Row("vault-small", "a vault of one key (4 kB) read, whole process", [1], [1], 9, vault_read, [
        faster("times-faster", "ansible-vault view")]),
    Row("proof", "proof of 10,000 servers and 10,000 clients, chains", [100, 1000, 10000], [10, 30, 100], 5, proof, [
        share("time/verify", "openssl verify"), share("time/verify-1000", "openssl verify", at=1), growth()]),
    Row("handshakes", "proof of 10,000 servers and 10,000 clients, handshakes", [100, 1000, 10000], [10, 30, 100], 3,
        handshakes, [Figure("wall/single", "as many single ones", [], "", handshakes_share), growth()],
        time=handshakes_time),
    Row("probe", "1,000 endpoints probed, 20 ms away", [100, 300, 1000], [5, 10, 20], 5, probe, [
        faster("times-faster", "openssl s_client"), growth()], root=True),
    Row("status", "status over 100 environments, whole process", [10, 30, 100], [3, 6, 9], 15, status, [
        Figure("wall", "-", [], "ms", status_wall)]),
    Row("plan", "plan with 1,000 hosts, P-256, without handshakes, whole process", [100, 1000, 10000], [10, 30, 100], 5,
        plan, [Figure("wall", "-", [], "s", plan_wall, at=1), Figure("memory/files", "size of the files", [], "times", plan_memory,
                                                                     at=1), growth()]),
    Row("commit", "a commit among 50,000 files and 20,000 commits", [500, 5000, 50000], [500, 1000, 2000], 9, commit, [
        share("time/git", "git commit")]),
    Row("rollouts", "four phases on 3 hosts, with their rollouts", [3], [3], 3, rollouts, [
        share("time/ansible", "ansible-playbook")], root=True),
]
