# SPDX-License-Identifier: PostgreSQL
"""PostgreSQL clusters of one host: where they are, what they say, what they log."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import glob
import json
import os
import pwd
import re
import socket
import ssl
import struct
import subprocess
import time

from ansible.module_utils.certrotate_pem import Refused, certificates

DEBIAN_CONFIGS = "/etc/postgresql/*/*/postgresql.conf"
RHEL_DATA = ("/var/lib/pgsql/*/data", "/var/lib/pgsql/data")
PROGRAMS = ("/usr/lib/postgresql/%s/bin", "/usr/pgsql-%s/bin", "/usr/bin")
SETTINGS = ("ssl", "ssl_cert_file", "ssl_key_file", "ssl_ca_file", "data_directory", "port")
STATE_QUERY = """
SELECT json_build_object(
  'settings', (SELECT json_object_agg(name, setting) FROM pg_settings WHERE name IN (%s)),
  'recovery', pg_is_in_recovery(),
  'loaded', extract(epoch FROM pg_conf_load_time()),
  'conninfo', coalesce(current_setting('primary_conninfo', true), (SELECT conninfo FROM pg_stat_wal_receiver), ''),
  'receiver', (SELECT json_build_object('pid', a.pid, 'since', extract(epoch FROM a.backend_start), 'status', w.status)
               FROM pg_stat_activity a LEFT JOIN pg_stat_wal_receiver w ON w.pid = a.pid
               WHERE a.backend_type = 'walreceiver'),
  'startup', (SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'),
  'logs', (SELECT json_agg(l) FROM unnest(ARRAY[%s]) AS l WHERE l IS NOT NULL))
"""
LOG_FORMATS = (("stderr", 10), ("csvlog", 10), ("jsonlog", 15))
TIME_LIMIT = 10


def _demote(owner):
    def change():
        if os.geteuid() == 0 and owner.pw_uid != 0:
            os.initgroups(owner.pw_name, owner.pw_gid)
            os.setgid(owner.pw_gid)
            os.setuid(owner.pw_uid)
    return change


def run_as(owner, command, text=""):
    """(exit code, stdout, stderr) of a program that runs as the cluster's owner."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment.update(LC_ALL="C", PGCONNECT_TIMEOUT="5", PGAPPNAME="certrotate", HOME=owner.pw_dir)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=_demote(owner), cwd="/", env=environment, universal_newlines=True)
    try:
        out, err = process.communicate(text, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return 124, "", "%s did not answer within %d s" % (os.path.basename(command[0]), TIME_LIMIT)
    return process.returncode, out, err.strip()


class Cluster(object):
    """One cluster, found or named by variables. `given` holds the variables' values for it."""

    def __init__(self, given):
        self.given = dict(given)
        self.data = os.path.realpath(given["data"])
        version = os.path.join(self.data, "PG_VERSION")
        if not os.path.isfile(version):
            raise Refused("%s: is not a data directory of PostgreSQL (no PG_VERSION)" % self.data)
        with open(version) as stream:
            self.version = stream.read().strip()
        self.owner = pwd.getpwuid(os.stat(version).st_uid)
        self.config = given.get("config") or self.data
        self.pid, self.port, self.socket, self.address = self._postmaster()

    def _postmaster(self):
        """What postmaster.pid says, provided that this process really is this cluster's."""
        try:
            with open(os.path.join(self.data, "postmaster.pid")) as stream:
                lines = stream.read().split("\n")
            pid, port = int(lines[0]), int(lines[3])
            if os.path.realpath("/proc/%d/cwd" % pid) != self.data:
                return None, None, "", ""
            return pid, port, lines[4].strip(), lines[5].strip()
        except (IOError, OSError, ValueError, IndexError):
            return None, None, "", ""

    def program(self, name):
        candidates = [self.given["programs"]] if self.given.get("programs") else []
        if self.pid:
            candidates.append(os.path.dirname(os.path.realpath("/proc/%d/exe" % self.pid)))
        candidates += [path.replace("%s", self.version) for path in PROGRAMS]
        for path in candidates:
            if os.access(os.path.join(path, name), os.X_OK):
                return os.path.join(path, name)
        raise Refused("%s: no program %s for version %s; set programs for this cluster" % (self.data, name, self.version))

    def sql(self, statement):
        """One value, or Refused with what psql said."""
        command = [self.program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-",
                   "-h", self.socket.split(",")[0] or "127.0.0.1", "-p", str(self.port),
                   "-U", self.given.get("login_user") or self.owner.pw_name,
                   "-d", self.given.get("login_db") or "postgres"]
        code, out, err = run_as(self.owner, command, statement)
        if code:
            raise Refused("%s: psql failed: %s" % (self.data, err or "exit code %d" % code))
        return out.strip()

    def state(self):
        """The server's own words as a dictionary; see STATE_QUERY."""
        major = int(self.version.split(".")[0])
        formats = ", ".join("pg_current_logfile('%s')" % name for name, since in LOG_FORMATS if major >= since)
        names = ", ".join("'%s'" % name for name in SETTINGS)
        return json.loads(self.sql(STATE_QUERY % (names, formats)))

    def settings(self):
        """Settings of the running server, else those that its configuration files give it at the next start."""
        if self.pid:
            try:
                return self.state()["settings"]
            except Refused as problem:
                if not self.given.get("login_optional"):
                    raise Refused("%s (certrotate_clusters can name login_user and login_db for this cluster, or "
                                  "login_optional)" % problem)
        return self.configured(SETTINGS)

    def configured(self, names):
        """Settings as its configuration files have them."""
        result = {}
        for name in names:
            code, out, err = run_as(self.owner, [self.program("postgres"), "-D", self.config, "-C", name])
            if code:
                raise Refused("%s: its configuration cannot be read: %s" % (self.config, err))
            result[name] = out.strip()
        return result

    def current(self, names):
        """Any settings by name: the running server's, else as configured."""
        query = "SELECT json_object_agg(name, setting) FROM pg_settings WHERE name IN (%s)"
        if self.pid:
            try:
                return json.loads(self.sql(query % ", ".join("'%s'" % name for name in names)))
            except Refused:
                pass
        return self.configured(names)

    def path(self, value):
        return os.path.join(self.data, value) if value else ""

    def describe(self):
        """What the playbook needs to know; no secret is in it."""
        settings = self.settings()
        result = dict(self.given, data=self.data, config=self.config, version=self.version,
                      owner=self.owner.pw_name, running=bool(self.pid), ssl=settings["ssl"] == "on")
        for name in ("cert", "key"):
            result[name] = self.path(self.given.get(name) or settings["ssl_%s_file" % name])
        result["bundle"] = self.path(self.given.get("bundle") or settings["ssl_ca_file"])
        return result

    def log_files(self, state):
        """Where the server logs now: its own files, else the file that its standard error goes to."""
        paths = [self.path(name) for name in (state or {}).get("logs") or []]
        stderr = os.path.realpath("/proc/%d/fd/2" % self.pid) if self.pid else ""
        return [path for path in paths + [stderr] if os.path.isfile(path)]

    def served(self):
        """DER of the certificate that the server shows on its port, or None where it cannot be asked."""
        address = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.address, self.address)
        if not self.pid or not address:
            return None
        try:
            with socket.create_connection((address, self.port), timeout=5) as connection:
                connection.sendall(struct.pack("!II", 8, 80877103))
                if connection.recv(1) != b"S":
                    return None
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                with context.wrap_socket(connection) as wrapped:
                    return wrapped.getpeercert(binary_form=True)
        except (OSError, ValueError):
            return None


def find():
    """Clusters of the stock layouts of Debian (/etc/postgresql/VER/NAME) and RHEL (/var/lib/pgsql/VER/data)."""
    found = []
    for config in sorted(glob.glob(DEBIAN_CONFIGS)):
        folder = os.path.dirname(config)
        version, name = folder.split("/")[-2:]
        data = "/var/lib/postgresql/%s/%s" % (version, name)
        with open(config) as stream:
            named = re.search(r"^\s*data_directory\s*=?\s*'([^']+)'", stream.read(), re.MULTILINE)
        found.append({"data": named.group(1) if named else data, "config": folder})
    for pattern in RHEL_DATA:
        found += [{"data": data} for data in sorted(glob.glob(pattern))]
    return [given for given in found if os.path.isfile(os.path.join(given["data"], "PG_VERSION"))]


def announced(cluster):
    """Subjects of the CAs that the server trusts, as openssl prints them, or None where they cannot be asked."""
    address = "127.0.0.1" if cluster.address in ("", "*", "0.0.0.0") else cluster.address
    try:
        out = subprocess.run(["openssl", "s_client", "-starttls", "postgres", "-connect", "%s:%d" % (address, cluster.port)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=5,
                             universal_newlines=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"Acceptable client certificate CA names\n(.*?)\n(?:Client Certificate Types|Requested Sig)", out, re.S)
    return set(found.group(1).split("\n")) if found else None


def subjects(path):
    """Subjects of a bundle's certificates in the same words."""
    with open(path) as stream:
        ders = certificates(stream.read(), path)
    names = set()
    for der in ders:
        out = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=ssl.DER_cert_to_PEM_cert(der),
                             stdout=subprocess.PIPE, timeout=5, universal_newlines=True).stdout
        names.add(out.strip().replace("subject=", "", 1).strip())
    return names


def newest_change(paths):
    """When the youngest of these files took its place (its inode's change time), 0 where none is there."""
    times = [os.stat(path).st_ctime for path in paths if path and os.path.exists(path)]
    return max(times) if times else 0.0


def wait_until(condition, deadline, pause=0.05):
    """The first true value of condition(), or its last one when `deadline` seconds have passed."""
    end = time.time() + deadline
    while True:
        value = condition()
        if value or time.time() > end:
            return value
        time.sleep(pause)
