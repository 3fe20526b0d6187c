"""A server of an office: a process of its own, with its data in a folder."""

import json
import os
import subprocess

SETTINGS = [
    "--stop-with-input",
    "--requests-per-second",
    "1000",
    "--requests-burst",
    "10000",
    "--enrolments-per-minute",
    "600",
    "--enrolment-tries",
    "1000",
]


class Refusal(Exception):
    """Why a question is not answered: a status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def run(command: list, **more: object) -> str:
    """What a command says; its own words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)
    if done.returncode != 0:
        name = " ".join(word for word in command[1:] if not word.startswith("/"))
        raise Refusal(409, f"outrider {name}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Server:
    """It is started at once."""

    def __init__(self, outrider: str, program: "str | None", folder: str, with_tls: bool = False) -> None:
        # The command line program has the server's commands under `server`.
        self.program = [program] if program else [outrider, "server"]
        self.folder, self.data = folder, os.path.join(folder, "server")
        self.scheme, self.settings = ("https", [*SETTINGS, "--tls", "auto"]) if with_tls else ("http", SETTINGS)
        self.process: subprocess.Popen | None = None
        self.address = ("127.0.0.1", 0)
        os.makedirs(folder)
        self.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.address[0]}:{self.address[1]}"

    def start(self) -> dict:
        """Starts it, where it was before."""
        if self.process:
            raise Refusal(409, "the server runs")
        with open(os.path.join(self.folder, "server.log"), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [
                    *self.program,
                    "serve",
                    *self.settings,
                    "--listen",
                    f"127.0.0.1:{self.address[1]}",
                    "--data",
                    self.data,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self.process.stdout.readline()
        if not line.startswith(f"listening on {self.scheme}://"):
            self.end()
            raise Refusal(500, f"the server did not start; its log is in {self.folder}")
        host, port = line.rsplit("://", 1)[1].strip().rsplit(":", 1)
        self.address = (host, int(port))
        return {"url": self.url}

    def kill(self) -> None:
        """Ends it as a power cut would."""
        if not self.process:
            raise Refusal(409, "the server does not run")
        self.process.kill()
        self.leave()

    def end(self) -> None:
        """Ends it in good order: its input ends."""
        if not self.process:
            return
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.leave()

    def leave(self) -> None:
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = None

    def command(self, *words: str) -> str:
        return run([*self.program, *words], env={**os.environ, "OUTRIDER_DATA": self.data})

    def code(self, user: str, needs_approval: bool = False) -> dict:
        """A code that enrols a device; with approval the office lets it in afterwards, by `approve`."""
        more = ["--approve"] if needs_approval else []
        made = json.loads(self.command("code", "--json", "--user", user, *more))
        return {name: made[name] for name in ("code", "ca_fingerprint") if made.get(name)}

    def devices(self, user: str) -> list:
        found = json.loads(self.command("device", "--json", "list"))
        found = [device for device in found if device["user"] == user]
        if not found:
            raise Refusal(404, f"{user} has no device")
        return found

    def approve(self, user: str) -> None:
        for device in self.devices(user):
            if device["standing"] == "pending":
                self.command("device", "approve", device["device"])

    def wipe(self, user: str) -> None:
        for device in self.devices(user):
            self.command("device", "wipe", device["device"])

    def role(self, user: str, role: str) -> None:
        self.command("role", "--user", user, "--role", role)

    def rules(self) -> None:
        # Somebody must be able to change them again.
        self.role("Office", "administrator")
        self.command("rules", "on")
