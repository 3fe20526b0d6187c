"""Devices of other languages, which a suite asks to do something beside its own."""

import argparse
import json
import os
import subprocess
import sys

from office_server import Refusal, Server, run

FILLER = "Filler"


def told(values: dict) -> dict:
    """Values as the answer has them: text as it is, anything else as JSON."""
    found = {name: value for name, value in values.items() if value is not None}
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in found.items()
    }


class Cli:
    """A device in the shell, every command a process of its own."""

    def __init__(self, args: argparse.Namespace, server: Server, user: str, home: str) -> None:
        self.start = [args.outrider, "--home", home, "--key-file", "plain", "--json"]
        self.run("init")
        self.run("enroll", server.url, server.code(user)["code"], "--name", "shell")

    def run(self, *words: str) -> dict:
        return json.loads(run([*self.start, *words]) or "{}")

    def create(self, entity: str, fields: dict) -> dict:
        return {"record": self.run("create", entity, *pairs(fields))["record"]}

    def edit(self, record: str, fields: dict) -> None:
        self.run("edit", record, *pairs(fields))

    def note(self, record: str, line: str) -> None:
        self.run("note", record, "--append", line)

    def get(self, record: str) -> dict:
        found = self.run("get", record)
        for field in self.run("schema", found["entity"]).get("fields", []):
            if field["kind"] == "text":
                found[field["name"]] = self.run("note", record, "--field", field["name"])["text"] or None
        return told(found)

    def sync(self) -> None:
        self.run("sync")

    def end(self) -> None:
        """Nothing runs between two commands."""


class Python:
    """A replica of the Python library in a process of its own, which reads commands and answers them."""

    def __init__(self, args: argparse.Namespace, server: Server, user: str, home: str) -> None:
        if not args.library:
            raise Refusal(501, "a peer of this kind needs --library")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer.py")
        self.process = subprocess.Popen(
            [sys.executable, script, home],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": args.library},
        )
        self.ask("enrol", url=server.url, code=server.code(user)["code"])

    def ask(self, command: str, **values: object) -> dict:
        try:
            self.process.stdin.write(json.dumps({"do": command, **values}) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            raise Refusal(500, f"the peer has crashed: it ended with {self.process.wait()}")
        answer = json.loads(answer)
        if "error" in answer:
            raise Refusal(409, f"python peer, {command}: {answer['error']}")
        return answer

    def create(self, entity: str, fields: dict) -> dict:
        return self.ask("create", entity=entity, fields=fields)

    def edit(self, record: str, fields: dict) -> None:
        self.ask("edit", record=record, fields=fields)

    def note(self, record: str, line: str) -> None:
        self.ask("note", record=record, line=line)

    def get(self, record: str) -> dict:
        return told(self.ask("get", record=record))

    def sync(self) -> None:
        self.ask("sync")

    def end(self) -> None:
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # It has crashed, and whoever asked it was told.
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


PEERS = {"cli": Cli, "python": Python}


def pairs(fields: dict) -> list:
    return [f"{name}={value}" for name, value in fields.items()]


def fill(args: argparse.Namespace, server: Server, customers: int) -> None:
    """Puts customers into the office by a device of its own, in one process."""
    home = os.path.join(server.folder, "filler")
    if not os.path.exists(home):
        # Whoever fills may do so also when the rules are on.
        server.role(FILLER, "administrator")
        Cli(args, server, FILLER, home)
    lines = []
    for number in range(1, customers + 1):
        fields = {
            "company_name": f"Customer {number:05} 客户",
            "phone": f"+86 10 {60000000 + number}",
            "tags": ["filled"],
            "website": f"https://customer-{number:05}.example.com",
            "address": {"country": "CN", "city": "上海", "street": f"延安路 {number} 号"},
        }
        lines.append(json.dumps({"do": "create", "entity": "customer", "fields": fields}, ensure_ascii=False))
    command = [args.outrider, "--home", home, "--key-file", "plain", "batch"]
    done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True)
    if done.returncode != 0:
        wrong = next((line for line in done.stdout.splitlines() if '"ok":false' in line), done.stderr.strip())
        raise Refusal(409, f"outrider batch: {wrong}")
    run([args.outrider, "--home", home, "--key-file", "plain", "sync"])
