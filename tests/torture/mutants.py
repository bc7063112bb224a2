# SPDX-License-Identifier: PostgreSQL
"""The control of the ordering check: programs with one sync or one journal line less. Each has to
be found out in an undisturbed run."""

import os
import shutil
import subprocess
from collections import namedtuple

from world import TOP, Failed

# old: a text that the file has once; transition: where it shows.
Mutant = namedtuple("Mutant", "path old new transition")


def _journal(step, mark):
    text = 'mark(session, plan, "%s", "%s", err)'
    return Mutant("state/runner.c", text % (step, mark), "0", "trust")


ALL = [
    # A file's content, and its name.
    Mutant("lib/base/file.c", "if (!rc && fsync(fd) < 0)\n\t\trc = err_sys(err, errno, "
           '"cannot sync %s", temporary);', ";", "trust"),
    Mutant("lib/base/file.c", "else\n\t\trc = sync_dir_of(path, err);\n\tfree(temporary);",
           "free(temporary);", "trust"),
    Mutant("lib/base/file.c", "if (!rc && fsync(fd) < 0)\n\t\trc = err_sys(err, errno, "
           '"cannot sync %s", path);', ";", "trust"),
    Mutant("lib/base/file.c", "return rc || st.st_size ? rc : sync_dir_of(path, err);",
           "return rc;", "first"),
    Mutant("lib/base/file.c", "return sync_dir_of(path, err);\n\treturn errno == EEXIST",
           "return 0;\n\treturn errno == EEXIST", "first"),
    # git's objects, references and index, and the note of what is under way.
    Mutant("lib/git/repo.c", "GIT_OPT_ENABLE_FSYNC_GITDIR, 1", "GIT_OPT_ENABLE_FSYNC_GITDIR, 0",
           "trust"),
    Mutant("lib/git/commit.c", "rc = rc ? rc : sync_objects(repo, err);",
           "rc = rc ? rc : sync_objects ? 0 : 0;", "generate"),
    Mutant("lib/git/index.c", " || fsync(fd) < 0 ||", " ||", "trust"),
    Mutant("lib/git/index.c", "dir < 0 || fsync(dir) < 0", "dir < 0", "trust"),
    Mutant("lib/git/guard.c", "if (!rc && fsync(guard->fd) < 0)", "if (rc == 1)", "trust"),
    Mutant("lib/git/guard.c", "rc = rc ? rc : file_sync_dir(dir, err);", "", "trust"),
    # The journal.
    _journal("publish", "begin"),
    _journal("publish", "end"),
    Mutant("state/rollout.c",
           'rc = rc ? rc : step_mark(session, plan, "rollout", "begin", key, step->playbook, err);',
           "", "trust"),
    Mutant("state/rollout.c",
           'rc = step_mark(session, plan, "rollout", "end", key, step->playbook, err);',
           "rc = 0;", "trust"),
    _journal("verify", "begin"),
    _journal("verify", "end"),
    _journal("settle", "begin"),
    _journal("settle", "end"),
]


class Workshop:
    """A copy of the sources and of what was built from them, in which one text is changed."""

    def __init__(self, folder, build):
        self.folder = folder
        self.changed = None
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for name in ("Makefile", "lib", "state", "cmd"):
            subprocess.run(["cp", "-a", os.path.join(TOP, name), folder], check=True)
        objects = os.path.join(os.path.abspath(build), "obj")
        if os.path.isdir(objects):
            os.makedirs(os.path.join(folder, "build"))
            subprocess.run(["cp", "-a", objects, os.path.join(folder, "build/obj")], check=True)

    def put_back(self):
        if self.changed:
            path = os.path.join(self.folder, self.changed)
            shutil.copyfile(os.path.join(TOP, self.changed), path)
            self.changed = None

    def make(self, mutant):
        """The folder that has the program in it."""
        self.put_back()
        path = os.path.join(self.folder, mutant.path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if text.count(mutant.old) != 1:
            raise Failed("%s has %d times, not once: %s" % (mutant.path, text.count(mutant.old),
                                                           mutant.old))
        self.changed = mutant.path
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(mutant.old, mutant.new))
        done = subprocess.run(["make", "-s", "-C", self.folder, "BUILD=build", "CFLAGS=-O1 -w",
                               "build/certrotate"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed("%s without '%s' does not build: %s" % (mutant.path, mutant.old,
                                                                done.stderr))
        return os.path.join(self.folder, "build")
