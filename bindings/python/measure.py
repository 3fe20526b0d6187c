#!/usr/bin/env python3
"""What calls cost in Python: a line of JSON for each figure. `measure` runs it.

OUTRIDER_MEASURE_STORE is a folder with customers; a copy of it is measured. `measure.key` in it is its key, 64
hexadecimal digits, if it is encrypted.
"""

import json
import os
import shutil
import statistics
import tempfile
import threading
import time
import typing

import outrider
from outrider import CrmRecord, ListQuery, Replica, changes

REPETITIONS = 15
CALLS = 10_000
GETS = 1_000
UPDATES = 1_000
# Beyond it something is wrong rather than slow.
PATIENCE_SECONDS = 300
QUERY = ListQuery(entity="customer", sort="company_name", limit=50)


class KeyFile(outrider.SecretStore):
    """The key that lies in the store."""

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, "measure.key")

    def load(self) -> "bytes | None":
        if not os.path.exists(self.path):
            return None
        with open(self.path, encoding="ascii") as file:
            return bytes.fromhex(file.read().strip())

    def keep(self, secret: bytes) -> bytes:
        if not os.path.exists(self.path):
            with open(self.path, "w", encoding="ascii") as file:
                file.write(secret.hex())
        kept = self.load()
        assert kept is not None
        return kept

    def erase(self) -> bool:
        raise outrider.PlatformError.Failed("a store that is measured is not wiped")


class Heard(outrider.ListListener):
    """Waits for a value in a list."""

    def __init__(self, last: int) -> None:
        self.last, self.event = last, threading.Event()

    def on_change(self, change: outrider.ListChange) -> None:
        if any(placed.record.record.employees == self.last for placed in change.changed):  # type: ignore[union-attr]
            self.event.set()

    def on_error(self, error: outrider.CrmError) -> None:
        raise error


def median(repetitions: int, work: typing.Callable[[], object]) -> float:
    """Seconds of the middle one of several."""
    took = []
    for _ in range(repetitions):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


def live_updates(replica: Replica, records: "list[CrmRecord]") -> float:
    """Updates records of a watched list, one at a time, until the last of it was heard."""
    heard = Heard(10_000 + UPDATES - 1)
    live = replica.watch(QUERY, heard)
    begun = time.perf_counter()
    for at in range(UPDATES):
        replica.update(records[at % len(records)].record.id, changes("customer", employees=10_000 + at))
    if not heard.event.wait(PATIENCE_SECONDS):
        raise SystemExit("the last update was never heard")
    took = time.perf_counter() - begun
    live.end()
    return took


def tell(name: str, value: float, unit: str) -> None:
    print(json.dumps({"language": "python", "name": name, "value": round(value, 3), "unit": unit}), flush=True)


def measure(store: str) -> None:
    keys = KeyFile(store)
    platform = outrider.Platform(secrets=keys if keys.load() else None)
    # What has no key gets one of this user's now, where the library encrypts: that is not measured.
    replica = Replica.open(store, None, platform)
    tell("open", median(REPETITIONS, lambda: Replica.open(store, None, platform)) * 1e3, "ms")
    tell("first_list", median(REPETITIONS, lambda: replica.list(QUERY)) * 1e3, "ms")
    records = replica.list(QUERY).records
    first = records[0].record.id
    tell("call", median(5, lambda: [replica.is_locked() for _ in range(CALLS)]) * 1e6 / CALLS, "us")
    tell("get", median(5, lambda: [replica.get(first) for _ in range(GETS)]) * 1e6 / GETS, "us")
    tell("live_updates", live_updates(replica, records) * 1e3, "ms")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="outrider-") as folder:
        store = os.path.join(folder, "store")
        shutil.copytree(os.environ["OUTRIDER_MEASURE_STORE"], store)
        measure(store)


if __name__ == "__main__":
    main()
