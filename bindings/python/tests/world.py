"""What scenarios stand on: an office (a real server), devices of this language and of another, folders that go away."""

import os
import shutil
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import outrider as crm

PATIENCE_SECONDS = 30


class Secrets(crm.SecretStore):
    """A secret store in memory, as a test looks at it."""

    def __init__(self, secret: "bytes | None" = None) -> None:
        self.secret, self.is_locked = secret, False

    def load(self) -> "bytes | None":
        if self.is_locked:
            raise crm.PlatformError.Locked("the keyring is locked")
        return self.secret

    def keep(self, secret: bytes) -> bytes:
        if self.is_locked:
            raise crm.PlatformError.Locked("the keyring is locked")
        self.secret = self.secret or secret
        return self.secret

    def erase(self) -> bool:
        had, self.secret = self.secret is not None, None
        return had


def ask(path: str, **form: object) -> "dict[str, str]":
    """Asks the office that runs beside the suites."""
    body = urllib.parse.urlencode({name: str(value) for name, value in form.items()}).encode()
    try:
        with urllib.request.urlopen(os.environ["OUTRIDER_OFFICE"] + path, body, timeout=300) as answer:
            lines = answer.read().decode().splitlines()
    except urllib.error.HTTPError as error:
        sentence = error.read().decode().strip()
        if error.code == 501:
            raise unittest.SkipTest(sentence) from error
        raise AssertionError(f"{path}: {sentence}") from error
    pairs = [line.split("=", 1) for line in lines]
    return {name.rstrip("*"): urllib.parse.unquote(value) if name.endswith("*") else value for name, value in pairs}


def until(holds, what: str) -> None:
    """Waits for something that another thread or process does."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"never happened: {what}")
        threading.Event().wait(0.01)


class Peer:
    """A device of another language."""

    def __init__(self, office: str, user: str, kind: str) -> None:
        self.number = ask("/peer", office=office, user=user, kind=kind)["peer"]

    def create(self, entity: str, **fields: str) -> crm.RecordId:
        return crm.RecordId(ask("/peer/create", peer=self.number, entity=entity, **fields)["record"])

    def edit(self, record: object, **fields: str) -> None:
        ask("/peer/edit", peer=self.number, record=record, **fields)

    def note(self, record: object, line: str) -> None:
        ask("/peer/note", peer=self.number, record=record, line=line)

    def get(self, record: object) -> "dict[str, str]":
        return ask("/peer/get", peer=self.number, record=record)

    def sync(self) -> None:
        ask("/peer/sync", peer=self.number)


class Scenario(unittest.TestCase):
    """A test with folders of its own; its office is started when it is first asked for."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="outrider-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self._office: dict[str, str] | None = None

    @property
    def started(self) -> "dict[str, str]":
        if self._office is None:
            self._office = ask("/office")
            self.addCleanup(ask, "/end", office=self._office["office"])
        return self._office

    @property
    def office(self) -> str:
        return self.started["office"]

    @property
    def url(self) -> str:
        return self.started["url"]

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def open(self, name: str = "records", language: crm.Language = crm.Language.ENGLISH, **platform: object) -> crm.Crm:
        platform.setdefault("secrets", Secrets())
        device = crm.open(self.path(name), language, crm.Platform(**platform))
        self.addCleanup(device.close)
        return device

    def code(self, user: str, url: "str | None" = None, **form: str) -> crm.EnrolCode:
        code = ask("/code", office=self.office, user=user, **form)["code"]
        return crm.EnrolCode(url=url or self.url, code=code, device_name="test")

    def device(self, user: str, url: "str | None" = None, name: "str | None" = None, **more: object) -> crm.Crm:
        """An enrolled device of a user."""
        device = self.open(name or user, **more)
        device.enrol(self.code(user, url))
        return device

    def peer(self, user: str, kind: str = "cli") -> Peer:
        return Peer(self.office, user, kind)

    def customer(self, device: crm.Replica, name: str, **fields: object) -> "crm.RecordId":
        return device.create(crm.changes("customer", company_name=name, **fields))

    def refused(self, kind: type, call, *args: object, **named: object) -> crm.CrmError:
        """The error of a call, of which the sentence is one."""
        with self.assertRaises(kind) as caught:
            call(*args, **named)
        self.assertTrue(str(caught.exception).strip())
        return caught.exception
