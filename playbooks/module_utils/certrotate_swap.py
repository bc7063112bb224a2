# SPDX-License-Identifier: PostgreSQL
"""Replaces files so that no reader ever finds a certificate without its key.

A reader (libpq, at every connect) opens the certificate and, up to a millisecond later, the key: two
renames in between leave it with halves of two pairs. File leases, see F_SETLEASE in fcntl(2), close that
gap for readers on the same machine: while we hold a write lease on the certificate, whoever opens it waits.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import errno
import fcntl
import os
import signal
import stat
import time

from ansible.module_utils.certrotate_pem import Refused

MARK = ".certrotate-"
LEASE_PATIENCE = 2.0
LOCK_PATIENCE = 30.0
MAX_BYTES = 4 << 20
LABEL = "security.selinux"


@contextlib.contextmanager
def acting_as(uid, gid):
    """File operations with the rights of the files' owner, so that root follows no user's link to elsewhere."""
    if os.geteuid() != 0 or uid == 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([gid])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


class Place(object):
    """A directory, opened once: nothing that happens to its path later leads elsewhere. Locked while open."""

    def __init__(self, path):
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.uid = os.fstat(self.fd).st_uid
        self.gid = os.fstat(self.fd).st_gid

    def lock(self):
        """One rollout at a time writes here; what an earlier one left behind when it was killed is removed."""
        end = time.time() + LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except (IOError, OSError) as problem:
                if problem.errno not in (errno.EAGAIN, errno.EACCES):
                    break
                if time.time() > end:
                    raise Refused("%s: another rollout is writing here since %d s" % (self.path, LOCK_PATIENCE))
                time.sleep(0.1)
        with acting_as(self.uid, self.gid):
            for name in os.listdir(self.fd):
                if name.startswith(".") and MARK in name:
                    os.unlink(name, dir_fd=self.fd)

    def read(self, name):
        """(bytes, stat) of a regular file, or (None, None) where there is none."""
        try:
            info = os.stat(name, dir_fd=self.fd)
        except OSError as problem:
            if problem.errno == errno.ENOENT:
                return None, None
            raise
        if not stat.S_ISREG(info.st_mode) or info.st_size > MAX_BYTES:
            raise Refused("%s/%s: is not a file of a certificate or key" % (self.path, name))
        with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=self.fd), "rb") as stream:
            return stream.read(MAX_BYTES + 1), info

    def keep_label(self, name, fd):
        """What SELinux lets read the old file may read its successor."""
        try:
            old = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self.fd)
        except OSError:
            return
        try:
            os.setxattr(fd, LABEL, os.getxattr(old, LABEL))
        except OSError:
            pass
        finally:
            os.close(old)

    def temporary(self, name, content, mode, uid, gid):
        """Writes a private file beside the final one, wholly and durably, and returns its name."""
        own = ".%s%s%d" % (name, MARK, os.getpid())
        with acting_as(self.uid, self.gid):
            fd = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=self.fd)
        with os.fdopen(fd, "wb") as stream:
            stream.write(content)
            stream.flush()
            info = os.fstat(stream.fileno())
            if (info.st_uid, info.st_gid) != (uid, gid):
                os.fchown(stream.fileno(), uid, gid)
            os.fchmod(stream.fileno(), mode)
            self.keep_label(name, stream.fileno())
            os.fsync(stream.fileno())
        return own

    def remove(self, name):
        with acting_as(self.uid, self.gid):
            try:
                os.unlink(name, dir_fd=self.fd)
            except OSError as problem:
                if problem.errno != errno.ENOENT:
                    raise

    def rename(self, source, target):
        with acting_as(self.uid, self.gid):
            os.rename(source, target, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def sync(self):
        os.fsync(self.fd)

    def close(self):
        os.close(self.fd)


class Lease(object):
    """A write lease on the certificate that is being replaced. `held` says whether it was granted: it is not
    where the file system has none (NFS), where the file has a second name, or where a reader keeps it open."""

    def __init__(self, place, name):
        self.fd, self.held = -1, False
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        try:
            with acting_as(place.uid, place.gid):
                self.fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.fd)
            if os.fstat(self.fd).st_nlink == 1:
                self.held = self._take()
        except (IOError, OSError):
            pass

    def _take(self):
        end = time.time() + LEASE_PATIENCE
        while True:
            try:
                fcntl.fcntl(self.fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
                return True
            except (IOError, OSError) as problem:
                if problem.errno not in (errno.EAGAIN, errno.EACCES) or time.time() > end:
                    return False
            time.sleep(0.002)

    def hand_over(self, content):
        """Those who wait in open(2) hold the old, now nameless file: let them read the new content from it."""
        if self.held and os.fstat(self.fd).st_nlink == 0:
            os.pwrite(self.fd, content, 0)
            os.ftruncate(self.fd, len(content))

    def release(self):
        if self.fd < 0:
            return
        if self.held:
            fcntl.fcntl(self.fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        os.close(self.fd)


def swap_pair(certificate, key, content, settle, lease=True):
    """Renames a pair into place. certificate and key are (place, temporary name, final name).

    Returns "lease" or "rename": how. After the lease is granted, `settle` seconds pass in which those who
    had read the old certificate before open the old key.
    """
    certificate_place, new_certificate, certificate_name = certificate
    key_place, new_key, key_name = key
    held = Lease(certificate_place, certificate_name) if lease else None
    kept = ".%s%sold-%d" % (key_name, MARK, os.getpid())
    try:
        with acting_as(key_place.uid, key_place.gid):
            try:
                os.link(key_name, kept, src_dir_fd=key_place.fd, dst_dir_fd=key_place.fd, follow_symlinks=False)
            except OSError:
                kept = None
        if held and held.held:
            time.sleep(settle)
        key_place.rename(new_key, key_name)
        try:
            certificate_place.rename(new_certificate, certificate_name)
        except OSError:
            if kept:
                key_place.rename(kept, key_name)
            raise
        if held:
            held.hand_over(content)
    finally:
        if held:
            held.release()
        if kept:
            key_place.remove(kept)
    certificate_place.sync()
    key_place.sync()
    return "lease" if held and held.held else "rename"
