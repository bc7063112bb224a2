#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Prism behind TLS, at the path where the forge has its API: prism itself speaks no TLS and knows no prefix.

    prism.py DIR KIND PORT     serves until its parent ends or standard input is closed; prism is at 127.0.0.1:PORT

Made in DIR: ca.pem, and port, written last: then it serves https://localhost:PORT/.
    DIR/state    "open" (the default), "merged" or "closed": what merge requests are
    DIR/calls    a line for each call: METHOD PATH STATUS, and what prism says against it

Prism makes its answers from the description's examples, where most values are any number or word. Those by which a
client finds its own merge request again are put in here; each of the fields that certrotate reads has to be in the
answer before, or the call fails: then the description knows no such field.
"""

import ctypes
import http.client
import http.server
import json
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import httpd  # noqa: E402 (beside this file)

BRANCH, BASE, SHA = 'certrotate/poc-trust-r7', 'dev', '0123456789abcdef0123456789abcdef01234567'
# What certrotate reads, as lib/outside/forge_table.c has it: path, and what the client looks for.
KINDS = {
    'gitlab': ('/api/v4', {
        'iid': 17, 'web_url': None, 'title': None, 'description': None, 'sha': SHA, 'source_branch': BRANCH,
        'target_branch': BASE, 'source_project_id': 5, 'target_project_id': 5, 'state': {'open': 'opened'},
        'merged_at': None, 'merge_commit_sha': None, 'draft': None}),
    'github': ('/api/v3', {
        'number': 17, 'html_url': None, 'title': None, 'body': None, 'head.sha': SHA, 'head.ref': BRANCH,
        'base.ref': BASE, 'head.repo.id': 5, 'base.repo.id': 5, 'state': {'merged': 'closed'}, 'merged_at': None,
        'merge_commit_sha': None, 'draft': None}),
    'forgejo': ('/api/v1', {
        'number': 17, 'html_url': None, 'title': None, 'body': None, 'head.sha': SHA, 'head.label': BRANCH,
        'base.label': BASE, 'head.repo_id': 5, 'base.repo_id': 5, 'state': {'merged': 'closed'}, 'merged_at': None,
        'merge_commit_sha': None, 'draft': None}),
}


def put(one, path, value):
    """False where the answer has no such field."""
    names = path.split('.')
    for name in names[:-1]:
        one = one.get(name) if isinstance(one, dict) else None
    if not isinstance(one, dict) or names[-1] not in one:
        return False
    if value is not None:
        one[names[-1]] = value
    return True


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    folder = kind = port = None

    def log_message(self, *_):
        pass

    def state(self):
        try:
            with open(os.path.join(self.folder, 'state')) as file:
                return file.read().strip()
        except FileNotFoundError:
            return 'open'

    def fill_in(self, one):
        """The fields that are missing."""
        state, missing = self.state(), []
        for path, value in KINDS[self.kind][1].items():
            if path == 'state':
                value = value.get(state, state)
            if not put(one, path, value):
                missing.append(path)
        one['merged_at'] = one.get('merged_at') or '2026-11-21T01:30:00Z'
        if state != 'merged':
            one['merged_at'] = None
        one['merge_commit_sha'] = SHA if state == 'merged' else None
        return missing

    def ask(self, body):
        prefix = KINDS[self.kind][0]
        if not self.path.startswith(prefix + '/'):
            return 404, b'', {}
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ('host', 'connection')}
        connection.request(self.command, self.path[len(prefix):], body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers

    def serve(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        status, data, headers = self.ask(body)
        against = headers.get('sl-violations') or ''
        if 200 <= status < 300 and not against and data and not self.path.split('?')[0].endswith(('notes', 'comments')):
            said = json.loads(data)
            missing = [path for one in (said if isinstance(said, list) else [said]) for path in self.fill_in(one)]
            if missing:
                status, said = 500, {'message': 'the description has no ' + ', '.join(missing)}
            data = json.dumps(said).encode()
        if against:
            status, data = 422, json.dumps({'message': against}).encode()
        with open(os.path.join(self.folder, 'calls'), 'a') as file:
            file.write('%s %s %d %s\n' % (self.command, self.path.split('?')[0], status, against))
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = serve


def main():
    folder, kind, port = sys.argv[1:]
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    os.makedirs(folder, exist_ok=True)
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Proxy)
    server.socket = httpd.contexts(folder)['good'].wrap_socket(server.socket, server_side=True)
    Proxy.folder, Proxy.kind, Proxy.port = folder, kind, int(port)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    with open(os.path.join(folder, 'port.new'), 'w') as file:
        file.write('%d\n' % server.server_address[1])
    os.rename(os.path.join(folder, 'port.new'), os.path.join(folder, 'port'))
    server.serve_forever()


if __name__ == '__main__':
    main()
