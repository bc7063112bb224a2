#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""A scripted HTTPS server for tests, and the certificates that it needs.

    httpd.py DIR        makes what follows in DIR, serves until its parent ends or stdin is closed

Made at the start, with keys on P-256 that live in DIR alone:
    DIR/ca.pem          the CA of most listeners: what "ca_file" is to name
    DIR/ports           a line NAME=PORT for each listener, written last: then it serves
    DIR/requests        each request that came, one JSON object a line:
                        {"listener", "connection", "method", "path", "query", "headers", "body"}
                        (header names in lower case; "body" is null where it is no UTF-8)

Listeners, on 127.0.0.1 (good, plain and proxy on ::1 too, at the same port):
    good        TLS with a certificate for localhost, 127.0.0.1, ::1 and *.example.test
    untrusted   the same from a CA that nobody knows
    name        for other.example.test alone
    expired     no longer valid since yesterday
    old         speaks TLS 1.1 at most
    plain       no TLS
    silent      accepts, and says nothing
    proxy       an HTTP proxy for CONNECT: leads every name to 127.0.0.1

DIR/script says what is answered: read again whenever it is another file (write it beside, then
rename). Each list of answers begins anew then; without one, {} is answered with 200.
    {"routes": {"POST /hook": [ANSWER, …], "/other": [ANSWER], "*": [ANSWER]}}
An answer is used once, the last of a list for all that follow. The first route that is there is
taken of "METHOD PATH", "PATH", "METHOD *" and "*"; PATH as it was sent, without its query. The proxy
asks for "CONNECT HOST:PORT", and goes on where that is 200.

An ANSWER, with its defaults:
    status: 200, headers: {"name": "value" or ["value", …]}
    body: "", or json: anything (with its Content-Type)
    echo: true          the body is the request's headers and path, as a careless server shows them
    fill: N             the body is N bytes long instead
    header_fill: N      that many more bytes of headers, in lines; header_line: N: in one line
    length: false       no Content-Length: the body ends with the connection
    chunked: true       the body in chunks
    close: true         the connection is closed behind the answer
    wait: SECONDS       before anything is said
    do: "close"         no answer, the connection is closed;  "reset": with a TCP reset
        "half"          half of the body is sent, then it is closed
        "hang"          nothing is said until the other side goes
        "drip"          a byte of the body each 20 ms, without an end
        "headers"       header lines without an end
        "garbage"       no HTTP

From C: tests/support/httpd.h. From a shell:
    mkfifo "$T/life"; sleep 600 >"$T/life" & python3 tests/support/httpd.py "$T/httpd" <"$T/life" &
"""

import ctypes
import datetime
import ipaddress
import json
import os
import signal
import socket
import ssl
import struct
import sys
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIMIT = 64 << 20


# ---- certificates

def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def authority(name):
    key = ec.generate_private_key(ec.SECP256R1())
    return issue(name, key, None, [], 0, 30), key


def issue(name, key, ca, names, first_day, last_day):
    """ca: (certificate, key), None for one that signs itself. Days are counted from now."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    issuer, signer = ca if ca else (None, key)
    builder = (x509.CertificateBuilder().subject_name(name_of(name))
               .issuer_name(issuer.subject if issuer else name_of(name))
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now + datetime.timedelta(days=first_day, hours=-1))
               .not_valid_after(now + datetime.timedelta(days=last_day))
               .add_extension(x509.BasicConstraints(ca is None, None), True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                   signer.public_key()), False))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    return builder.sign(signer, hashes.SHA256())


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def write(path, data, mode=0o600):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, 'wb') as file:
        file.write(data)


def context(folder, name, certificate, key):
    path = os.path.join(folder, name + '.pem')
    write(path, key.private_bytes(serialization.Encoding.PEM,
                                  serialization.PrivateFormat.PKCS8,
                                  serialization.NoEncryption()) + pem(certificate))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if name == 'old':
        made.set_ciphers('DEFAULT:@SECLEVEL=0')
        made.minimum_version = ssl.TLSVersion.TLSv1
        made.maximum_version = ssl.TLSVersion.TLSv1_1
    made.load_cert_chain(path)
    return made


def contexts(folder):
    own, other = authority('test CA'), authority('unknown CA')
    here = [x509.DNSName('localhost'), x509.DNSName('*.example.test'),
            x509.IPAddress(ipaddress.ip_address('127.0.0.1')),
            x509.IPAddress(ipaddress.ip_address('::1'))]
    elsewhere = [x509.DNSName('other.example.test')]
    out = {}
    for name, ca, names, first, last in (('good', own, here, 0, 10),
                                         ('untrusted', other, here, 0, 10),
                                         ('name', own, elsewhere, 0, 10),
                                         ('expired', own, here, -5, -1),
                                         ('old', own, here, 0, 10)):
        key = ec.generate_private_key(ec.SECP256R1())
        out[name] = context(folder, name, issue(name, key, ca, names, first, last), key)
    write(os.path.join(folder, 'ca.pem'), pem(own[0]), 0o644)
    return out


# ---- what is answered

class Script:
    """DIR/script, and how far each of its lists is."""

    def __init__(self, folder):
        self.path = os.path.join(folder, 'script')
        self.lock = threading.Lock()
        self.seen, self.routes, self.used = None, {}, {}

    def next(self, method, path):
        with self.lock:
            self._load()
            for route in (method + ' ' + path, path, method + ' *', '*'):
                answers = self.routes.get(route)
                if answers:
                    at = self.used.get(route, 0)
                    self.used[route] = at + 1
                    return answers[min(at, len(answers) - 1)]
        return {'json': {}}

    def _load(self):
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            return
        seen = (now.st_ino, now.st_mtime_ns, now.st_size)
        if seen != self.seen:
            with open(self.path, encoding='utf-8') as file:
                self.routes = json.load(file)['routes']
            self.seen, self.used = seen, {}


class Record:
    """DIR/requests. Opened for each line: a test may have begun it anew."""

    def __init__(self, folder):
        self.path = os.path.join(folder, 'requests')
        self.lock = threading.Lock()

    def add(self, entry):
        with self.lock, open(self.path, 'a', encoding='utf-8') as file:
            file.write(json.dumps(entry) + '\n')


class Gone(Exception):
    """The other side, or the script, ended the connection."""


class Connection:
    def __init__(self, server, listener, sock, number):
        self.server, self.listener, self.sock, self.number = server, listener, sock, number
        self.buffer = b''

    def _fill(self):
        data = self.sock.recv(65536)
        if not data or len(self.buffer) > LIMIT:
            raise Gone
        self.buffer += data

    def _line(self):
        while b'\n' not in self.buffer:
            self._fill()
        line, self.buffer = self.buffer.split(b'\n', 1)
        return line.rstrip(b'\r').decode('latin-1')

    def _bytes(self, count):
        while len(self.buffer) < count:
            self._fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def request(self):
        words = self._line().split(' ')
        # A TLS handshake's random bytes may be three words too.
        if len(words) != 3 or not words[0].isascii() or not words[0].isalpha():
            raise Gone
        headers = {}
        for line in iter(self._line, ''):
            key, _, value = line.partition(':')
            headers[key.strip().lower()] = value.strip()
        body = self._bytes(int(headers.get('content-length', '0')))
        method, target = words[0], words[1]
        path, _, query = target.partition('?')
        try:
            text = body.decode('utf-8')
        except UnicodeDecodeError:
            text = None
        entry = {'listener': self.listener, 'connection': self.number, 'method': method,
                 'path': path, 'query': query, 'headers': headers, 'body': text}
        self.server.record.add(entry)
        return entry

    def serve(self):
        while True:
            request = self.request()
            answer = self.server.script.next(request['method'], request['path'])
            if request['method'] == 'CONNECT' and answer.get('status', 200) == 200:
                self.tunnel(request['path'])
                raise Gone
            self.answer(request, answer)
            if answer.get('close') or request['headers'].get('connection', '').lower() == 'close':
                raise Gone

    def answer(self, request, answer):
        time.sleep(answer.get('wait', 0))
        what = answer.get('do')
        if what == 'close':
            raise Gone
        if what == 'reset':
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            raise Gone
        if what == 'hang':
            self.sock.recv(1)
            raise Gone
        if what == 'garbage':
            self.sock.sendall(b'220 mail.example.com ESMTP\r\n' * 3)
            raise Gone
        self.send(request, answer, what)

    def send(self, request, answer, what):
        body = self.body(request, answer)
        head = self.head(answer, body)
        if what == 'headers':
            self.sock.sendall(head)
            for number in range(100000):
                self.sock.sendall(b'x-more-%d: %s\r\n' % (number, b'y' * 200))
            raise Gone
        self.sock.sendall(head + b'\r\n')
        if what == 'drip':
            while True:
                self.sock.sendall(b'x')
                time.sleep(0.02)
        if what == 'half':
            self.sock.sendall(body[:len(body) // 2])
            raise Gone
        if request['method'] != 'HEAD':
            self.send_body(answer, body)
        if answer.get('length') is False:
            raise Gone

    def send_body(self, answer, body):
        fill = answer.get('fill', 0)
        if answer.get('chunked'):
            for at in range(0, len(body), 1000):
                chunk = body[at:at + 1000]
                self.sock.sendall(b'%x\r\n%s\r\n' % (len(chunk), chunk))
            self.sock.sendall(b'0\r\n\r\n')
        elif fill:
            block = b'x' * 65536
            while fill > 0:
                self.sock.sendall(block[:min(fill, len(block))])
                fill -= len(block)
        else:
            self.sock.sendall(body)

    @staticmethod
    def body(request, answer):
        if answer.get('echo'):
            lines = ['cannot ' + request['method'] + ' ' + request['path'] + '?' + request['query']]
            lines[0] += ''.join(' ' + key + '=' + value
                                for key, value in request['headers'].items())
            return lines[0].encode('utf-8')
        if 'json' in answer:
            return json.dumps(answer['json']).encode('utf-8')
        return answer.get('body', '').encode('utf-8')

    @staticmethod
    def head(answer, body):
        lines = ['HTTP/1.1 %d whatever' % answer.get('status', 200)]
        headers = dict(answer.get('headers', {}))
        if 'json' in answer and 'Content-Type' not in headers:
            headers['Content-Type'] = 'application/json'
        for key, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                lines.append('%s: %s' % (key, one))
        if answer.get('header_line'):
            lines.append('x-long: ' + 'y' * answer['header_line'])
        for number in range(answer.get('header_fill', 0) // 200):
            lines.append('x-fill-%d: %s' % (number, 'y' * 186))
        if answer.get('chunked'):
            lines.append('Transfer-Encoding: chunked')
        elif answer.get('do') == 'drip' or answer.get('length') is False:
            lines.append('Connection: close')
        else:
            lines.append('Content-Length: %d' % (answer.get('fill') or len(body)))
        if answer.get('close'):
            lines.append('Connection: close')
        return ('\r\n'.join(lines) + '\r\n').encode('utf-8')

    def tunnel(self, target):
        far = socket.create_connection(('127.0.0.1', int(target.rpartition(':')[2])))
        self.sock.sendall(b'HTTP/1.1 200 whatever\r\n\r\n')
        if self.buffer:
            far.sendall(self.buffer)
        back = threading.Thread(target=copy, args=(far, self.sock), daemon=True)
        back.start()
        copy(self.sock, far)
        back.join()


def copy(source, sink):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            sink.sendall(data)
    except OSError:
        pass
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


# ---- listeners

class Server:
    def __init__(self, folder):
        self.folder = folder
        self.script, self.record = Script(folder), Record(folder)
        self.lock = threading.Lock()
        self.connections = 0

    def talk(self, listener, context_, sock):
        with self.lock:
            self.connections += 1
            number = self.connections
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if listener == 'silent':
                while sock.recv(65536):
                    pass
                return
            if context_:
                sock = context_.wrap_socket(sock, server_side=True)
            Connection(self, listener, sock, number).serve()
        except (Gone, OSError, ValueError):
            pass
        finally:
            sock.close()

    def accept(self, listener, context_, listening):
        while True:
            sock, _ = listening.accept()
            threading.Thread(target=self.talk, args=(listener, context_, sock),
                             daemon=True).start()

    def listen(self, listener, context_):
        """On ::1 too where that port is free there."""
        first = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        first.bind(('127.0.0.1', 0))
        port = first.getsockname()[1]
        sockets = [first]
        if listener in ('good', 'plain', 'proxy'):
            second = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            second.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                second.bind(('::1', port))
                sockets.append(second)
            except OSError:
                second.close()
        for listening in sockets:
            listening.listen(64)
            threading.Thread(target=self.accept, args=(listener, context_, listening),
                             daemon=True).start()
        return port


def main():
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        return
    folder = sys.argv[1]
    os.makedirs(folder, mode=0o700, exist_ok=True)
    server = Server(folder)
    listeners = contexts(folder)
    listeners.update({'plain': None, 'silent': None, 'proxy': None})
    ports = {name: server.listen(name, made) for name, made in listeners.items()}
    text = ''.join('%s=%d\n' % item for item in ports.items())
    write(os.path.join(folder, '.ports'), text.encode(), 0o644)
    os.rename(os.path.join(folder, '.ports'), os.path.join(folder, 'ports'))
    while sys.stdin.buffer.read(4096):
        pass


if __name__ == '__main__':
    main()
