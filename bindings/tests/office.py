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
import tempfile
import threading
import urllib.parse

from office_desk import Office
from office_server import Refusal


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
