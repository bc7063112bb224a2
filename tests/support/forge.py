#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""A small forge beside a bare repository, for tests: GitLab, GitHub or Forgejo, as far as certrotate talks to them.

    forge.py DIR KIND REPOSITORY     serves until its parent ends or standard input is closed

Made at the start in DIR: ca.pem (of its certificate, for localhost), and port, written last: then it serves
https://localhost:PORT/git/… with the API where that kind has it. Project: dba/inventory, token: a-secret-token.
    DIR/requests       a list of "number", "state" ("open", "merged", "closed"), "source", "target", "title", "text",
                       "sha", "draft", "comments" as JSON. Read for every call, so a test may change it
    DIR/calls          a line for each call: METHOD PATH STATUS
    DIR/fail           where it is there, every call is answered with the status in it, and nothing is done;
                       "lost" does it, and closes the connection without an answer
"""

import ctypes
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import httpd  # noqa: E402 (beside this file)

KINDS = {
    'gitlab': {'api': '/git/api/v4', 'project': '/projects/dba%2Finventory', 'list': '/merge_requests',
               'comments': '/merge_requests/{}/notes', 'update': 'PUT', 'token': 'Bearer ', 'taken': 409,
               'source': 'source_branch', 'target': 'target_branch', 'text': 'description'},
    'github': {'api': '/git/api/v3', 'project': '/repos/dba/inventory', 'list': '/pulls',
               'comments': '/issues/{}/comments', 'update': 'PATCH', 'token': 'Bearer ', 'taken': 422,
               'source': 'head', 'target': 'base', 'text': 'body'},
    'forgejo': {'api': '/git/api/v1', 'project': '/repos/dba/inventory', 'list': '/pulls',
                'comments': '/issues/{}/comments', 'update': 'PATCH', 'token': 'token ', 'taken': 409,
                'source': 'head', 'target': 'base', 'text': 'body'},
}


class Forge(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    folder = kind = name = repository = port = None

    def log_message(self, *_):
        pass

    def path_of(self, name):
        return os.path.join(self.folder, name)

    def load(self):
        try:
            with open(self.path_of('requests')) as file:
                return json.load(file)
        except FileNotFoundError:
            return []

    def save(self, requests):
        with open(self.path_of('requests.new'), 'w') as file:
            json.dump(requests, file, indent=1)
        os.rename(self.path_of('requests.new'), self.path_of('requests'))

    def sha(self, branch):
        run = subprocess.run(['git', '--git-dir', self.repository, 'rev-parse', '-q', '--verify', 'refs/heads/' + branch],
                             stdout=subprocess.PIPE, check=False, text=True)
        return run.stdout.strip()

    def shown(self, one):
        """As this kind says it."""
        merged = one['state'] == 'merged'
        page = 'https://localhost:%d/git/dba/inventory/%d' % (self.port, one['number'])
        out = {'title': one['title'], 'draft': one.get('draft', False), self.kind['text']: one['text'],
               'merge_commit_sha': 'f' * 40 if merged else None,
               'merged_at': '2026-11-21T01:30:00Z' if merged else None}
        if self.name == 'gitlab':
            out.update(iid=one['number'], web_url=page, sha=one['sha'], source_branch=one['source'],
                       target_branch=one['target'], source_project_id=1, target_project_id=1,
                       state={'open': 'opened'}.get(one['state'], one['state']))
            return out
        ref = 'label' if self.name == 'forgejo' else 'ref'
        out.update(number=one['number'], html_url=page, state='open' if one['state'] == 'open' else 'closed',
                   head={ref: one['source'], 'sha': one['sha'], 'repo': {'id': 1}, 'repo_id': 1},
                   base={ref: one['target'], 'repo': {'id': 1}, 'repo_id': 1})
        return out

    def asked(self, one, query):
        """Whether a list with that query has it; Forgejo's has all."""
        if self.name == 'gitlab':
            return (query.get('source_branch') == one['source'] and query.get('target_branch') == one['target'] and
                    query.get('state') == 'all')
        if self.name == 'github':
            return (query.get('head') == 'dba:' + one['source'] and query.get('base') == one['target'] and
                    query.get('state') == 'all')
        return query.get('state') == 'all'

    def create(self, requests, body):
        source, target = body[self.kind['source']], body[self.kind['target']]
        if any(one['state'] == 'open' and one['source'] == source for one in requests):
            return self.kind['taken'], {'message': 'one already exists'}
        if not self.sha(source):
            return 422, {'message': 'there is no branch ' + source}
        requests.append({'number': len(requests) + 1, 'state': 'open', 'source': source, 'target': target,
                         'title': body['title'], 'text': body[self.kind['text']], 'sha': self.sha(source),
                         'comments': []})
        self.save(requests)
        return 201, self.shown(requests[-1])

    def change(self, requests, one, body):
        for name, field in (('title', 'title'), ('text', self.kind['text'])):
            one[name] = body.get(field, one[name])
        if body.get('state_event' if self.name == 'gitlab' else 'state') in ('close', 'closed'):
            one['state'] = 'closed'
        self.save(requests)
        return 200, self.shown(one)

    def comment(self, requests, one, body):
        one['comments'].append(body['body'])
        self.save(requests)
        return 201, {'body': body['body']}

    def answer(self, path, query, body):
        if self.headers.get('Authorization') != self.kind['token'] + 'a-secret-token':
            return 401, {'message': 'Unauthorized', 'seen': self.headers.get('Authorization')}
        requests = self.load()
        for one in requests:
            if one['state'] == 'open':
                one['sha'] = self.sha(one['source']) or one['sha']
        base = self.kind['api'] + self.kind['project']
        if path == base + self.kind['list']:
            if self.command == 'POST':
                return self.create(requests, body)
            found = [one for one in requests if self.asked(one, query)] if query.get('page', '1') == '1' else []
            return 200, [self.shown(one) for one in reversed(found)]
        for one in requests:
            if path == '%s%s/%d' % (base, self.kind['list'], one['number']):
                if self.command == self.kind['update']:
                    return self.change(requests, one, body)
                return 200, self.shown(one)
            if path == base + self.kind['comments'].format(one['number']):
                if self.command == 'POST':
                    return self.comment(requests, one, body)
                return 200, [{'body': text} for text in one['comments']]
        return 404, {'message': 'Not Found'}

    def serve(self):
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        length = int(self.headers.get('Content-Length') or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        fail = ''
        if os.path.exists(self.path_of('fail')):
            with open(self.path_of('fail')) as file:
                fail = file.read().strip()
        if fail and fail != 'lost':
            status, said = int(fail), {'message': 'as you wish'}
        else:
            status, said = self.answer(parts.path, query, body)
        with open(self.path_of('calls'), 'a') as file:
            file.write('%s %s %d\n' % (self.command, parts.path, status))
        if fail == 'lost' and self.command != 'GET':
            self.close_connection = True
            return
        data = json.dumps(said).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = serve


def main():
    folder, kind, repository = sys.argv[1:]
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    os.makedirs(folder, exist_ok=True)
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Forge)
    server.socket = httpd.contexts(folder)['good'].wrap_socket(server.socket, server_side=True)
    Forge.folder, Forge.kind, Forge.name, Forge.repository = folder, KINDS[kind], kind, repository
    Forge.port = server.server_address[1]
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    with open(os.path.join(folder, 'port.new'), 'w') as file:
        file.write('%d\n' % Forge.port)
    os.rename(os.path.join(folder, 'port.new'), os.path.join(folder, 'port'))
    server.serve_forever()


if __name__ == '__main__':
    main()
