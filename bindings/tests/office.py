#!/usr/bin/env python3
"""The office that every language's suite talks to: real servers, real devices, a slow line, a small disk.

A suite asks by POST with a form and gets lines `name=value`; SCENARIOS.md has the table. A value with line breaks
comes url-quoted, and its line reads `name*=value`. Anything but status 200 is a failure, of which the body is the
sentence: 400 for what makes no sense, 404 for what there is not, 409 for what a device or a server refused, 501 for
what this machine cannot do.

    office.py --outrider PROGRAM [--server PROGRAM] [--library FOLDER] [--port N] [--work FOLDER] [--stop-with-input]

The first line that it prints is its address. It ends on SIGTERM, on SIGINT, and with `--stop-with-input` when its
standard input does; what it started ends with it.
"""

import argparse
import http.server
import os
import shutil
import signal
import sys
import tempfile
import threading
import urllib.parse

from office_disk import Disks
from office_line import Line
from office_peers import PEERS, fill
from office_server import Refusal, Server


class Office:
    """What runs, by number. One question to a server or to a device is answered at a time."""

    def __init__(self, args: argparse.Namespace, work: str) -> None:
        self.args, self.work, self.disks = args, work, Disks(work)
        self.servers, self.peers, self.lines, self.locks = {}, {}, {}, {}
        self.lock, self.last = threading.Lock(), 0

    def number(self) -> str:
        with self.lock:
            self.last += 1
            return str(self.last)

    def of(self, things: dict, form: dict, what: str):
        number = need(form, what)
        if number not in things:
            raise Refusal(404, f"there is no {what} {number}")
        return things[number]

    def answer(self, path: str, form: dict) -> dict:
        if path not in ROUTES:
            raise Refusal(404, f"there is nothing at {path}; SCENARIOS.md has the table")
        whom = next((f"{name} {form[name]}" for name in ("peer", "office", "proxy") if name in form), path)
        with self.lock:
            lock = self.locks.setdefault(whom, threading.RLock())
        with lock:
            return ROUTES[path](self, form) or {}

    def open_office(self, form: dict) -> dict:
        number = self.number()
        server = Server(self.args.outrider, self.args.server, os.path.join(self.work, f"office-{number}"))
        self.servers[number] = server
        return {"office": number, "url": server.url}

    def open_peer(self, form: dict) -> dict:
        server, kind = self.of(self.servers, form, "office"), need(form, "kind")
        if kind not in PEERS:
            raise Refusal(400, f"a peer is one of: {', '.join(PEERS)}")
        number = self.number()
        home = os.path.join(server.folder, f"peer-{number}")
        self.peers[number] = PEERS[kind](self.args, server, need(form, "user"), home)
        return {"peer": number}

    def open_line(self, form: dict) -> dict:
        number, server = self.number(), self.of(self.servers, form, "office")
        line = self.lines[number] = Line(server.address, whole(form, "bytes_per_second"))
        return {"proxy": number, "url": line.url}

    def end(self) -> None:
        for thing in [*self.lines.values(), *self.peers.values(), *self.servers.values(), self.disks]:
            try:
                thing.end()
            except OSError as error:  # What has ended by itself must not keep the rest from ending.
                print(f"while ending: {error}", file=sys.stderr)


def need(form: dict, name: str) -> str:
    if name not in form:
        raise Refusal(400, f"the form lacks {name}")
    return form[name]


def whole(form: dict, name: str) -> int:
    if not need(form, name).isdecimal() or int(form[name]) == 0:
        raise Refusal(400, f"{name} is a whole number above 0")
    return int(form[name])


def fields(form: dict) -> dict:
    return {name: value for name, value in form.items() if name not in ("peer", "record", "entity")}


def server(office: Office, form: dict) -> Server:
    return office.of(office.servers, form, "office")


def peer(office: Office, form: dict):
    return office.of(office.peers, form, "peer")


def line(office: Office, form: dict) -> Line:
    return office.of(office.lines, form, "proxy")


ROUTES = {
    "/office": Office.open_office,
    "/code": lambda office, form: server(office, form).code(need(form, "user"), "approve" in form),
    "/approve": lambda office, form: server(office, form).approve(need(form, "user")),
    "/wipe": lambda office, form: server(office, form).wipe(need(form, "user")),
    "/role": lambda office, form: server(office, form).role(need(form, "user"), need(form, "role")),
    "/rules": lambda office, form: server(office, form).rules(),
    "/kill": lambda office, form: server(office, form).kill(),
    "/start": lambda office, form: server(office, form).start(),
    "/fill": lambda office, form: fill(office.args, server(office, form), whole(form, "customers")),
    "/peer": Office.open_peer,
    "/peer/create": lambda office, form: peer(office, form).create(need(form, "entity"), fields(form)),
    "/peer/edit": lambda office, form: peer(office, form).edit(need(form, "record"), fields(form)),
    "/peer/note": lambda office, form: peer(office, form).note(need(form, "record"), need(form, "line")),
    "/peer/get": lambda office, form: peer(office, form).get(need(form, "record")),
    "/peer/sync": lambda office, form: peer(office, form).sync(),
    "/slow": Office.open_line,
    "/cut": lambda office, form: line(office, form).cut("silent" in form),
    "/speed": lambda office, form: line(office, form).set_speed(whole(form, "bytes_per_second")),
    "/disk": lambda office, form: {"path": office.disks.make(whole(form, "bytes"))},
    "/end": lambda office, form: server(office, form).end(),
}


def told(answer: dict) -> bytes:
    """The lines of an answer."""
    lines = []
    for name, value in answer.items():
        quoted = "\n" in value or "\r" in value
        lines.append(f"{name}*={urllib.parse.quote(value)}\n" if quoted else f"{name}={value}\n")
    return "".join(lines).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    """One question."""

    protocol_version = "HTTP/1.1"
    office: Office

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        pairs = urllib.parse.parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True)
        try:
            status, body = 200, told(self.office.answer(self.path, dict(pairs)))
        except Refusal as refusal:
            status, body = refusal.status, f"{refusal}\n".encode()
        except Exception as error:  # The suite is told whatever went wrong here.
            status, body = 500, f"the office itself failed: {error!r}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads a log of questions."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outrider", required=True, type=os.path.abspath, help="the command line program")
    parser.add_argument("--server", type=os.path.abspath, help="the server's program, unless it is the same")
    parser.add_argument("--library", type=os.path.abspath, help="folder with outrider.py and liboutrider.so")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--work", help="folder for its data; a new one that goes with it unless given")
    parser.add_argument("--stop-with-input", action="store_true", help="end when standard input ends")
    return parser.parse_args()


def wait_for_end_of_input(ended: threading.Event) -> None:
    # Not by `sys.stdin`: its lock must be free when the process ends.
    while os.read(0, 4096):
        pass
    ended.set()


def main() -> None:
    args = arguments()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    if args.work:
        os.makedirs(args.work, exist_ok=True)
    work = tempfile.mkdtemp(prefix="office-", dir=args.work)
    Handler.office = Office(args, work)
    http_server = http.server.ThreadingHTTPServer(("127.0.0.1", args.port), Handler)
    http_server.daemon_threads = True
    threading.Thread(target=http_server.serve_forever, daemon=True).start()
    print(f"listening on http://127.0.0.1:{http_server.server_port}", flush=True)
    if args.stop_with_input:
        threading.Thread(target=wait_for_end_of_input, args=(ended,), daemon=True).start()
    try:
        ended.wait()
    finally:
        http_server.shutdown()
        Handler.office.end()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
