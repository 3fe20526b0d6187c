"""What the office does for whom: its servers, devices, lines and disks by number, and a row for each question."""

import argparse
import os
import sys
import threading

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
        folder = os.path.join(self.work, f"office-{number}")
        server = Server(self.args.outrider, self.args.server, folder, "tls" in form)
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
