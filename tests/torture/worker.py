# SPDX-License-Identifier: PostgreSQL
"""One worker: in namespaces of its own, a JSON request a line in, a JSON answer a line out.

{"do": "tour"} makes each transition once and keeps what was before it; the other worker and later
requests use that: {"do": "case", "transition", "real", "point", "when", "turn"}."""

import collections
import hashlib
import json
import os
import subprocess
import sys
import time

import aftermath
import likeness
from mutants import ALL as MUTANTS, Workshop
from order import Order
from trace_list import Trace
from transitions import BY_NAME, ROLLED_OUT, leading_to
from world import Failed, World


def lonely(base):
    """A memory file system at the world's path, and for temporary files: nobody else's are here."""
    os.makedirs(os.path.join(base, "world"), exist_ok=True)
    for place in (os.path.join(base, "world"), "/dev/shm"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777,size=1g", "torture", place],
                       check=True)
    os.chmod(os.path.join(base, "world"), 0o755)


class Worker:
    def __init__(self, base, build):
        self.world = World(base, build)
        self.references = {}
        self.workshop = None

    def reference(self, name, real):
        key = name + ("-real" if real else "")
        if key not in self.references:
            with open(self.world.saved(key + ".json"), encoding="utf-8") as file:
                self.references[key] = json.load(file)
        return self.references[key]

    # ---- the tour

    def undisturbed(self, transition, real):
        world = self.world
        world.real = real
        world.restore("after-" + transition.start)
        listing = world.saved(transition.name + ("-real" if real else "") + ".list")
        code, out = world.traced(["--list", listing], *transition.go, "--yes")
        if code != (3 if transition.half == "asked" else 0):
            raise Failed("%s ends with %d:\n%s" % (" ".join(transition.go), code, out.decode()))
        aftermath.look_at_end(world)
        if transition.half == "asked":
            world.merge()
        if not real:
            world.save("after-" + transition.name)
        self.finish(transition, transition.go, transition.after)
        trace = Trace(listing, world.clone)
        faults = Order(trace, transition, world).check()
        if faults:
            raise Failed("the order of %s:\n%s" % (transition.name, "\n".join(faults)))
        made = {"transition": transition.name, "real": real, "points": trace.points(real),
                "cases": trace.cases(real), "end": likeness.likeness(world)}
        name = transition.name + ("-real" if real else "")
        with open(world.saved(name + ".json"), "w", encoding="utf-8") as file:
            json.dump(made, file)
        return {key: made[key] for key in ("transition", "real", "points", "cases")}

    def tour(self, request):
        """With "only", no more than what leads to that transition."""
        world, names = self.world, []
        if os.path.exists(world.saved("tour.json")):
            with open(world.saved("tour.json"), encoding="utf-8") as file:
                return json.load(file)
        os.makedirs(world.saved(""), exist_ok=True)
        way = leading_to(request["only"])
        world.build()
        world.save("after-absent")
        if way[-1].flow == "merge_request":
            self.generated_by_merges()
        for transition in way:
            names.append(self.undisturbed(transition, False))
        for name in [] if request["quick"] else ROLLED_OUT:
            if request["only"] in (None, name):
                names.append(self.undisturbed(BY_NAME[name], True))
        with open(world.saved("tour.json"), "w", encoding="utf-8") as file:
            json.dump(names, file)
        return names

    def generated_by_merges(self):
        world = self.world
        world.real = False
        world.build("merge_request")
        for go, state in ((["next", "--first", "--to", "idle"], "idle"),
                          (["next", "--to", "generated"], "generated")):
            self.finish(BY_NAME["first"], go, state)
        world.save("after-merge-generated")

    # ---- the control: a program with one sync or one journal line less

    def order_of(self, program, transition, number):
        """What the ordering check says of a run in which the folders of objects have to be made as well."""
        world = self.world
        usual, world.real = world.program, False
        world.restore("after-" + transition.start)
        world.drop_folders()
        listing = world.saved("control.%d.list" % number)
        world.program = program
        try:
            code, out = world.traced(["--list", listing], *transition.go, "--yes")
        finally:
            world.program = usual
        if code:
            raise Failed("%s ends with %d: %s" % (" ".join(transition.go), code, out.decode()))
        return Order(Trace(listing, world.clone), transition, world).check()

    def control(self, request):
        """What the ordering check says of the run of such a program; it has to say something."""
        world, mutant, number = self.world, MUTANTS[request["mutant"]], request["worker"]
        transition = BY_NAME[mutant.transition]
        if not self.workshop:
            self.workshop = Workshop(os.path.join(world.base, "workshop.%d" % number), os.path.dirname(world.program))
            faults = self.order_of(world.program, transition, number)
            if faults:
                raise Failed("the program as it is: " + "\n".join(faults))
        faults = self.order_of(os.path.join(self.workshop.make(mutant), "certrotate"), transition, number)
        if not faults:
            raise Failed("%s without '%s' is not found out" % (mutant.path, mutant.old))
        return faults

    # ---- one case

    def killed(self, transition, case):
        """False where the run had fewer calls than the reference: it is to be tried again."""
        world = self.world
        world.real = case["real"]
        world.restore("after-" + transition.start)
        before = aftermath.stamps(world)
        lines = likeness.key_lines(world)
        report = os.path.join(world.base, "report.%d" % case["worker"])
        code, out = world.traced(["--kill", "%d:%s" % (case["point"], case["when"]), "--report",
                                  report], *transition.go, "--yes")
        with open(report, encoding="utf-8") as file:
            said = file.read()
        os.unlink(report)
        if "not reached" in said:
            return False
        if code != 128 + 9:
            raise Failed("it was not killed (exit %d): %s" % (code, out.decode()))
        aftermath.look(world, transition, before, lines, said)
        return True

    def finish(self, transition, args, expected):
        """Types what is to be typed until the state is there."""
        world = self.world
        state = likeness.state_of(world)
        if transition.name == "emergency":
            if state["under_way"]:
                args = ["next"]
            elif state["state"] == expected:
                args = ["next", "--to", expected]  # brings the checkout to what is done already
        code, out = world.rotate(*args, "--yes")
        if code == 3 and world.branches():
            world.merge()
            code, out = world.rotate(*args, "--yes")
        if code:
            raise Failed("%s ends with %d:\n%s" % (" ".join(args), code, out.decode()))
        state = likeness.state_of(world)
        if state["state"] != expected or state["under_way"]:
            raise Failed("after %s the state is %s (under way: %s), not %s" % (
                " ".join(args), state["state"], state["under_way"], expected))

    def rolled_again(self, ended):
        """How often what had been rolled out was rolled out once more; never where its end was known."""
        count = collections.Counter()
        for words, _, _, state in self.world.rolled():
            state = json.loads(state)
            count[(state["rotation"], state["under_way"]["phase"],
                   state["under_way"]["direction"], state["under_way"]["since"])] += 1
        for key, times in count.items():
            if times > 1 and key in ended:
                raise Failed("%s was rolled out %d times although its end was known" % (
                    key[1], times))
        return sum(times - 1 for times in count.values())

    def known_ends(self):
        ended, last = {}, None
        for line in aftermath.journal(self.world):
            if line["step"] == "rollout":
                rotation, phase, direction, since = line["key"].split("/")[:4]
                last = (rotation, phase, direction, since)
                ended[last] = line["mark"] == "end"
        return {key for key, there in ended.items() if there}

    def hooks_known(self):
        """How often each hook was run whose end the journal knows, by the key that it was given."""
        ended = {}
        for line in aftermath.journal(self.world):
            if line["step"] == "hook":
                ended[hashlib.sha256(line["key"].encode()).hexdigest()[:32]] = line["mark"] == "end"
        count = collections.Counter(key for _, _, key in self.world.hooked())
        return {key: count[key] for key, there in ended.items() if there}

    def hooks_once(self, known):
        """Nothing whose end was known was done again; and what was, by its key."""
        count = collections.Counter(key for _, _, key in self.world.hooked())
        for key, times in known.items():
            if count[key] != times:
                raise Failed("a hook was run again although its end was known: " + key)

    def case(self, case):
        transition = BY_NAME[case["transition"]]
        world, answer = self.world, {"again": 0}
        if not self.killed(transition, case):
            return {"reached": False}
        ended = self.known_ends()
        known = self.hooks_known()
        aftermath.age(world)
        answer["status"] = aftermath.look_at_status(world, transition)
        if case["turn"]:
            self.turn(transition)
        else:
            self.finish(transition, transition.go, transition.after)
            reference = self.reference(transition.name, False)
            lines = likeness.differences(reference["end"], likeness.likeness(world))
            if lines:
                raise Failed("the end differs:\n" + "\n".join(lines[:60]))
            answer["again"] = self.rolled_again(ended)
        self.hooks_once(known)
        aftermath.look_at_end(world)
        if not world.real:
            aftermath.look_at_rollouts(world, transition)
        return dict(answer, reached=True)

    def turn(self, transition):
        world = self.world
        world_before = world.saved("after-" + transition.start)
        self.finish(transition, transition.turn, transition.before)
        wanted = likeness.inventory(World_at(world, world_before))
        lines = likeness.differences(wanted, likeness.inventory(world))
        if lines:
            raise Failed("turned round, the inventory differs:\n" + "\n".join(lines[:60]))


class World_at:  # pylint: disable=too-few-public-methods
    """A kept world, to be read only."""

    def __init__(self, world, root):
        self.remote = os.path.join(root, "remote.git")
        self.git = world.git


def main():
    base, build = sys.argv[1:3]
    lonely(base)
    worker = Worker(base, build)
    for line in sys.stdin:
        request = json.loads(line)
        start = time.monotonic()
        try:
            answer = {"ok": True, "said": getattr(worker, request["do"])(request)}
        except (Failed, subprocess.SubprocessError, ValueError, KeyError, OSError) as failure:
            answer = {"ok": False, "said": "%s: %s" % (type(failure).__name__, failure)}
        answer["seconds"] = time.monotonic() - start
        try:
            print(json.dumps(answer), flush=True)
        except BrokenPipeError:
            os._exit(1)  # who asked is gone; nothing is to be flushed any more


if __name__ == "__main__":
    main()
