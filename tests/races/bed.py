# SPDX-License-Identifier: PostgreSQL
"""Two operators' clones of one bare remote, each on a machine of its own by name, and certrotate in them.

A program named ansible-playbook (beside this file) stands in for Ansible and notes what it would roll out, so that
a phase takes half a second. Everything lives in one temporary folder that goes with the program.
"""
import json
import multiprocessing
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYTHON_REPOSITORY = os.path.join(ROOT, "tests/data/chainsmith-python")
PHASES = ["generate", "trust", "servers", "clients", "prune"]
CONFIGURATION = """version: 1
defaults:
  endpoints: []
  census: {samples: 0}
"""


class Bed:
    """What all scenes of one program share: the binary, a template of the remote, what is to be ended."""

    def __init__(self, build, name):
        self.certrotate = os.path.join(os.path.realpath(build), "certrotate")
        if not os.access(self.certrotate, os.X_OK):
            sys.exit("%s is missing: make all" % self.certrotate)
        self.folder = tempfile.mkdtemp(prefix="certrotate-%s." % name)
        self.running = []
        self.passed, self.failed = 0, []
        self.unshare = next((how for how in (["unshare", "-u"], ["unshare", "-ru"]) if self._can(how)), None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, frame: sys.exit(128 + number))
        self._template()

    @staticmethod
    def _can(how):
        return subprocess.run(how + ["true"], capture_output=True, check=False).returncode == 0

    def __enter__(self):
        return self

    def end_all(self):
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        self.running.clear()

    def __exit__(self, *_):
        self.end_all()
        if os.environ.get("KEEP"):
            print("kept: %s" % self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, record=None):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("GIT_", "ANSIBLE_", "CERTROTATE_", "PG"))}
        env.update(HOME=os.path.join(self.folder, "home"), GIT_CONFIG_NOSYSTEM="1", NO_COLOR="1",
                   PATH=os.path.join(ROOT, "tests/races") + ":" + env.get("PATH", "/usr/bin:/bin"))
        if record:
            env["RECORD"] = record
        return env

    def git(self, folder, *args, check=True):
        done = subprocess.run(("git", "-C", folder) + args, env=self.environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if check and done.returncode:
            raise RuntimeError("git %s: %s" % (" ".join(args), done.stdout))
        return done.stdout.strip()

    def _template(self):
        remote, seed = os.path.join(self.folder, "remote.git"), os.path.join(self.folder, "seed")
        os.mkdir(os.path.join(self.folder, "home"))
        with open(os.path.join(self.folder, "home/.gitconfig"), "w", encoding="utf-8") as out:
            out.write("[user]\n\tname = The Team\n\temail = team@example.com\n[safe]\n\tdirectory = *\n")
        self.git(self.folder, "init", "-q", "--bare", "-b", "dev", remote)
        shutil.copytree(PYTHON_REPOSITORY, seed)
        subprocess.run(["chmod", "-R", "u+w", seed], check=True)
        self.git(self.folder, "init", "-q", "-b", "dev", seed)
        chain = os.path.join(seed, "config/chainsmith_poc.yml")
        with open(chain, encoding="utf-8") as lines:
            text = lines.read()
        files = {"config/chainsmith_poc.yml": "key: ecdsa-p256\n" + text,
                 "certrotate.yml": CONFIGURATION,
                 "ansible.cfg": "[defaults]\nvault_password_file = bin/vault-password\n",
                 "rollout_new_certs.yml": "- hosts: all\n  tasks: []\n"}
        for name, content in files.items():
            with open(os.path.join(seed, name), "w", encoding="utf-8") as out:
                out.write(content)
        self.git(seed, "add", "-A")
        self.git(seed, "commit", "-q", "-m", "start")
        self.git(seed, "push", "-q", remote, "HEAD:dev")
        self.start = self.git(seed, "rev-parse", "HEAD")

    def check(self, what, problems):
        """Counts; problems is a list of sentences, empty where all is as it should be."""
        if problems:
            self.failed.append(what)
            print("FAILED: %s" % what)
            for problem in problems:
                print("    " + str(problem).replace("\n", "\n    "))
        else:
            self.passed += 1
            print("ok: %s" % what)
        sys.stdout.flush()
        return not problems

    def play(self, tests):
        """[(what, function of a scene, argument...)]: each with a scene of its own; some at a time, for they wait.

        ONLY=WORD plays those whose name has it.
        """
        tests = [test for test in tests if os.environ.get("ONLY", "") in test[0]]
        for what, problems in self.parallel(3, Bed.play_one, list(enumerate(tests))):
            self.check(what, problems)
        return self.finish()

    def parallel(self, jobs, function, arguments):
        """What function(self, *argument) gives for each, in their order; JOBS at a time."""
        context = multiprocessing.get_context("fork")
        pool = context.Pool(int(os.environ.get("JOBS", jobs)), usual_signals)  # pylint: disable=consider-using-with
        try:
            for done in [pool.apply_async(function, (self,) + argument) for argument in arguments]:
                yield done.get(600)
            pool.close()
        finally:
            pool.terminate()

    def play_one(self, number, test):
        scene = Scene(self, "scene-%d" % number)
        try:
            return test[0], test[1](scene, *test[2:])
        except Exception as error:  # pylint: disable=broad-except
            return test[0], ["%s: %s" % (type(error).__name__, error)]
        finally:
            self.end_all()
            scene.remove()

    def finish(self):
        print("%d passed, %d failed" % (self.passed, len(self.failed)))
        return 0 if self.passed and not self.failed else 1


class Scene:
    """A remote of its own with two clones, alpha and beta."""

    def __init__(self, bed, name):
        self.bed = bed
        self.folder = os.path.join(bed.folder, name)
        self.remote = os.path.join(self.folder, "remote.git")
        self.record = os.path.join(self.folder, "record")
        os.makedirs(self.record)
        shutil.copytree(os.path.join(bed.folder, "remote.git"), self.remote)
        self.alpha = Machine(self, "alpha", "Ada Alpha")
        self.beta = Machine(self, "beta", "Ben Beta")

    def during(self, script):
        """What happens while Ansible runs; $1 is the phase."""
        write_program(os.path.join(self.record, "during"), script)

    def hook(self, name, script):
        write_program(os.path.join(self.remote, "hooks", name), script)

    def no_hook(self, name):
        os.unlink(os.path.join(self.remote, "hooks", name))

    def colleague(self):
        """A script that pushes a commit which has nothing to do with certificates."""
        other = os.path.join(self.folder, "colleague")
        if not os.path.isdir(other):
            self.bed.git(self.folder, "clone", "-q", self.remote, other)
        return ("unset GIT_DIR GIT_QUARANTINE_PATH\ncd '%s' && git pull -q --ff-only && date +%%N >>notes && git add notes && "
                "git commit -q -m 'something else' && git push -q origin HEAD:dev\n" % other)

    @staticmethod
    def configuration():
        return CONFIGURATION

    def add(self, files):
        """A colleague's commit with these files."""
        self.colleague()
        other = os.path.join(self.folder, "colleague")
        self.bed.git(other, "pull", "-q", "--ff-only")
        for name, content in files.items():
            with open(os.path.join(other, name), "w", encoding="utf-8") as out:
                out.write(content)
        self.bed.git(other, "add", "-A")
        self.bed.git(other, "commit", "-q", "-m", "files")
        self.bed.git(other, "push", "-q", "origin", "HEAD:dev")

    def rollouts(self, mark="begin"):
        """[(machine, phase, direction, digest)] in their order."""
        try:
            with open(os.path.join(self.record, "rollouts"), encoding="utf-8") as lines:
                words = [line.split() for line in lines]
        except FileNotFoundError:
            return []
        return [tuple(word[1:5]) for word in words if word[0] == mark]

    def state(self):
        text = self.bed.git(self.remote, "show", "dev:.certrotate/poc/state.json", check=False)
        return json.loads(text) if text.startswith("{") else {}

    def tip(self):
        return self.bed.git(self.remote, "rev-parse", "dev")

    def subjects(self):
        return self.bed.git(self.remote, "log", "--reverse", "--format=%s", self.bed.start + "..dev").split("\n")

    def remove(self):
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)


class Machine:
    def __init__(self, scene, name, person):
        bed = scene.bed
        self.scene, self.bed, self.name, self.person = scene, bed, name, person
        self.clone = os.path.join(scene.folder, name)
        bed.git(scene.folder, "clone", "-q", scene.remote, self.clone)
        bed.git(self.clone, "config", "user.name", person)
        bed.git(self.clone, "config", "user.email", name + "@example.com")
        bed.git(self.clone, "config", "push.default", "nothing")

    def argv(self, *args):
        argv = [self.bed.certrotate, "-C", self.clone, *args]
        if self.bed.unshare:
            return self.bed.unshare + ["sh", "-c", 'hostname "$0" && exec "$@"', self.name] + argv
        return argv

    def environment(self):
        return self.bed.environment(self.scene.record)

    def begin(self, *args, **more):
        """A running certrotate; its output goes to a file, for a pipe may fill."""
        out = tempfile.TemporaryFile(dir=self.scene.folder)  # pylint: disable=consider-using-with
        process = subprocess.Popen(self.argv(*args), env=self.environment(), stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, start_new_session=True, **more)
        process.out = out
        self.bed.running.append(process)
        return process

    def end(self, process, seconds=120):
        """(exit code, what it said)"""
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            code = "nothing within %d s" % seconds
            process.wait()
        self.bed.running.remove(process)
        process.out.seek(0)
        said = process.out.read().decode(errors="replace")
        process.out.close()
        return code, said

    def run(self, *args):
        return self.end(self.begin(*args))

    def journal(self):
        try:
            with open(os.path.join(self.clone, ".git/certrotate/poc/journal"), encoding="utf-8") as lines:
                return [json.loads(line) for line in lines if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def is_clean(self):
        """Problems: what a loser, a stop or a crash must not leave behind."""
        problems = []
        git = self.bed.git
        changed = git(self.clone, "status", "--porcelain")
        if changed:
            problems.append("%s: not clean: %s" % (self.name, changed))
        git(self.clone, "fetch", "-q", "origin")
        ahead = git(self.clone, "rev-list", "origin/dev..HEAD")
        if ahead:
            problems.append("%s: commits that the remote does not have: %s" % (self.name, ahead))
        problems += self.locks()
        return problems

    def locks(self):
        problems = []
        for folder, _, names in os.walk(os.path.join(self.clone, ".git")):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith(".lock") or "/certrotate/.locks" in path or name.startswith("certrotate-index"):
                    problems.append("%s: left behind: %s" % (self.name, os.path.relpath(path, self.clone)))
        notes = os.path.join(self.clone, ".git", "certrotate")  # there they are swept once they are an hour old
        for folder, _, names in os.walk(self.clone):
            problems += ["%s: left behind: %s" % (self.name, name) for name in names
                         if ".certrotate-" in name and name.startswith(".") and not folder.startswith(notes)]
        return problems


class Terminal:
    """A certrotate with a terminal of its own, as the leader of its session's foreground."""

    def __init__(self, machine, *args):
        self.seen = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            # Not the leader of the session: that is the shell's part.
            os.environ.clear()
            os.environ.update(machine.environment(), TERM="xterm")
            argv = machine.argv(*args)
            child = os.fork()
            if child == 0:
                os.setpgid(0, 0)
                signal.signal(signal.SIGTTOU, signal.SIG_IGN)
                os.tcsetpgrp(0, os.getpid())
                signal.signal(signal.SIGTTOU, signal.SIG_DFL)
                os.execvp(argv[0], argv)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            self.shell(child)

    @staticmethod
    def shell(child):
        """Says "PID" first, "stopped", and the exit code last, on the terminal itself."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.write(1, b"[job %d]" % child)
        while True:
            _, status = os.waitpid(child, os.WUNTRACED)
            if os.WIFSTOPPED(status):
                os.tcsetpgrp(0, os.getpgrp())
                os.write(1, b"[stopped %d]" % os.WSTOPSIG(status))
                os.read(0, 100)  # a line: fg
                os.tcsetpgrp(0, child)
                os.kill(-child, signal.SIGCONT)
                continue
            try:
                os.write(1, b"[exit %d]" % (os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)))
            except OSError:
                pass
            os._exit(0)

    def until(self, text, seconds=30):
        end = time.monotonic() + seconds
        while text not in self.text() and time.monotonic() < end:
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    got = os.read(self.master, 65536)
                except OSError:
                    break
                if not got:
                    break
                self.seen += got
        return text in self.text()

    def text(self):
        """As said, line ends aside."""
        return " ".join(self.seen.decode(errors="replace").replace("\r", " ").split())

    def job(self):
        self.until("]")
        return int(self.text().split("[job ")[1].split("]")[0])

    def type(self, keys):
        os.write(self.master, keys)

    def hang_up(self):
        os.close(self.master)
        self.master = None

    def end(self):
        """The exit code, once it has ended."""
        self.until("[exit ")
        text = self.text()
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)
        if self.master is not None:
            os.close(self.master)
        return int(text.split("[exit ")[1].split("]")[0]) if "[exit " in text else None


def usual_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def write_program(path, script):
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write("#!/bin/sh\n" + script)
    os.chmod(path + ".new", 0o755)
    os.rename(path + ".new", path)


def expect(said, *texts):
    flat = " ".join(said.split())
    return ["not said: %s\n%s" % (text, said) for text in texts if text not in flat]


def equal(what, got, wanted):
    return [] if got == wanted else ["%s is %s, not %s" % (what, got, wanted)]


def until(what, seconds=60):
    """What it gives, once that is true; None where it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.02)
    return None
