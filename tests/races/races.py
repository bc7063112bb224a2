#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Two operators who type the same command: races.py BUILD [COUNT [SEED]]

Two clones (two machines by name) of one bare remote run "next --to clients-switched --yes": at the same moment,
one a second later, five seconds later, into a rollout, and with a settle that the remote refuses at first. Each
time every phase is rolled out exactly once, the loser ends with exit code 4 and says who is at work, nothing of it
is on the base, and both clones agree. Prints "races: N run, N with exactly one rollout".
"""
import os
import random
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bed import Bed, Scene, until  # noqa: E402

TO = "clients-switched"
ROLLED_OUT = ["trust", "servers", "clients"]
KINDS = ["same", "1s", "5s", "rollout", "settle"]


def once(scene):
    """Each phase's rollout exactly once, from one machine, with the bytes that the base then holds."""
    begun, ended = scene.rollouts("begin"), scene.rollouts("end")
    problems = []
    if sorted(entry[1] for entry in begun) != sorted(ROLLED_OUT):
        problems.append("rolled out: %s" % begun)
    if begun != ended:
        problems.append("not ended: %s, %s" % (begun, ended))
    if len({entry[3] for entry in begun}) != len(begun):
        problems.append("the same bytes twice: %s" % begun)
    return problems


def history(scene, extra):
    """One commit and one settle for each phase, nothing else but a colleague's."""
    subjects = scene.subjects()
    wanted = []
    for phase in ["generate"] + ROLLED_OUT:
        wanted += ["certrotate poc: " + phase, "certrotate poc: settle " + phase]
    ours = [subject for subject in subjects if subject.startswith("certrotate")]
    others = [subject for subject in subjects if not subject.startswith("certrotate")]
    problems = []
    if ours != wanted:
        problems.append("the base has: %s" % subjects)
    if len(others) != extra:
        problems.append("%d commits of a colleague, not %d" % (len(others), extra))
    state = scene.state()
    if state.get("state") != TO or state.get("under_way"):
        problems.append("the state is %s, under way %s" % (state.get("state"), state.get("under_way")))
    if [entry["phase"] for entry in state.get("history", [])] != ["generate"] + ROLLED_OUT:
        problems.append("the history is %s" % [entry["phase"] for entry in state.get("history", [])])
    return problems


def says_who(scene, loser, said):
    other = scene.beta if loser is scene.alpha else scene.alpha
    problems = []
    if "certrotate: " not in said or "HINT: " not in said:
        problems.append("%s has no message with a hint" % loser.name)
    if other.person not in said:
        problems.append("%s does not say who: %s" % (loser.name, other.person))
    if scene.bed.unshare and other.name + ":" not in said:
        problems.append("%s does not say which machine: %s" % (loser.name, other.name))
    if "since 20" not in said:
        problems.append("%s does not say since when" % loser.name)
    return problems + (["it said:\n" + said] if problems else [])


def agree(scene):
    """Both clones are clean, fast-forward, and then tell the same."""
    problems = []
    told = []
    for machine in (scene.alpha, scene.beta):
        problems += machine.is_clean()
        scene.bed.git(machine.clone, "merge", "-q", "--ff-only", "origin/dev")
        code, said = machine.run("log", "--json")
        tree = scene.bed.git(machine.clone, "rev-parse", "HEAD^{tree}")
        told.append((code, said, tree))
        code, said = machine.run("next", "--to", TO, "--yes")
        if code != 0:
            problems.append("%s: the same command again: %s\n%s" % (machine.name, code, said))
    if told[0] != told[1]:
        problems.append("they do not agree: %s" % (told,))
    return problems


def refused_settle(scene, dice):
    """Between the rollout and the settle a colleague pushes, or the remote finds its reference locked."""
    phase = dice.choice(ROLLED_OUT)
    if dice.random() < 0.5:
        scene.during("[ $1 != %s ] || {\n%s}\n" % (phase, scene.colleague()))
        return 1
    script = scene.colleague()
    scene.hook("pre-receive",
               "read -r old new ref\n"
               "git log -1 --format=%%s $new | grep -qx 'certrotate poc: settle %s' || exit 0\n"
               "[ ! -e '%s/once' ] || exit 0\n"
               "touch '%s/once'\n"
               "(%s) >&2\n" % (phase, scene.folder, scene.folder, script))
    return 1


def race(bed, number, kind, seed):
    begun, dice = time.monotonic(), random.Random(seed * 1000 + number)
    scene = Scene(bed, "race-%d" % number)
    first, second = (scene.alpha, scene.beta) if dice.random() < 0.5 else (scene.beta, scene.alpha)
    pause, extra = 0.0, 0
    if kind == "same":
        pause = dice.choice([0, 0, 0.02, 0.1, 0.3])
    elif kind == "settle":
        extra = refused_settle(scene, dice)
        pause = dice.choice([0, 0.5, 1.5])
    elif kind in ("1s", "5s"):
        pause = float(kind[:-1])
        scene.during("sleep %.1f\n" % dice.choice([0, 0.5, 1, 2]))
    else:
        phase = dice.choice(ROLLED_OUT)
        # It lasts until the second one has ended.
        over = os.path.join(scene.folder, "over")
        scene.during("[ $1 != %s ] || for i in $(seq 600); do [ ! -e '%s' ] || break; sleep 0.1; done\n" % (phase, over))
    command = ("next", "--to", TO, "--yes")
    one = first.begin(*command)
    if kind == "rollout":
        until(lambda: [entry for entry in scene.rollouts() if entry[1] == phase])
        time.sleep(dice.random() / 2)
    else:
        time.sleep(pause)
    two = second.begin(*command)
    late_end = second.end(two)
    if kind == "rollout":
        with open(over, "w", encoding="utf-8"):
            pass
    ends = [(first,) + first.end(one), (second,) + late_end]
    problems = once(scene) + history(scene, extra)
    codes = sorted(code for _, code, _ in ends)
    # Who comes when all is done has nothing left to do.
    late = kind in ("1s", "5s") and codes == [0, 0]
    if codes != [0, 4] and not late:
        problems.append("exit codes %s" % codes)
    for machine, code, said in ends:
        if code == 4:
            problems += says_who(scene, machine, said)
        elif code:
            problems.append("%s:\n%s" % (machine.name, said))
    problems += agree(scene)
    scene.remove()
    what = "race %d (%s, exit codes %s, %.1f s)" % (number + 1, kind, codes, time.monotonic() - begun)
    return what, problems


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1000000)
    kinds = os.environ.get("KINDS", " ".join(KINDS)).split()
    print("seed %d" % seed)
    with Bed(build, "races") as bed:
        if not bed.unshare:
            print("unshare is not allowed here: the machines differ by their clones' paths alone")
        good = sum(bed.check(*done) for done in bed.parallel(
            2, race, [(number, kinds[number % len(kinds)], seed) for number in range(count)]))
    print("races: %d run, %d with exactly one rollout" % (count, good))
    return 0 if good == count and count else 1


if __name__ == "__main__":
    sys.exit(main())
