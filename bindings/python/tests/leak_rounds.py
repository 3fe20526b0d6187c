"""Rounds of what an app does all day, in a process of its own.

leak_rounds.py FOLDER ROUNDS     prints kilobytes, threads and open files, early and late
"""

import gc
import os
import sys
import threading

import outrider as crm
from world import PATIENCE_SECONDS, Secrets, until

# Pools, caches and the interpreter's own tables have their size after these.
WARM_UP = 60


def held() -> "tuple[int, int, int]":
    """What the process holds when nothing runs."""
    gc.collect()
    until(lambda: len(os.listdir("/proc/self/task")) == 1, "the threads of listeners go")
    with open("/proc/self/statm", encoding="ascii") as file:
        resident_kb = int(file.read().split()[1]) * 4
    return resident_kb, len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


class Heard(crm.ListListener):
    def __init__(self) -> None:
        self.event = threading.Event()

    def on_change(self, change: crm.ListChange) -> None:
        self.event.set()

    def on_error(self, error: crm.CrmError) -> None:
        pass


def one_round(folder: str, secrets: Secrets, record: "crm.RecordId", number: int) -> None:
    query = crm.ListQuery(entity="customer")
    with crm.open(folder, crm.Language.ENGLISH, crm.Platform(secrets=secrets)) as device:
        assert len(list(device.each("customer"))) == 50
        assert device.count(query) == 50 and device.find("三川")
        heard, cancel = Heard(), crm.Cancel()
        live = device.watch(query, heard)
        watching = device.watching("customer")
        device.update(record, crm.changes("customer", phone=f"+86 10 {number}"))
        assert heard.event.wait(PATIENCE_SECONDS), "a change is heard"
        try:
            device.update(record, crm.changes("customer", company_name=None))
        except crm.CrmError.Invalid:
            cancel.cancel()
        if number % 2:
            live.end()
            watching.close()


def main() -> None:
    folder, rounds = sys.argv[1], int(sys.argv[2])
    secrets = Secrets()
    with crm.open(folder, crm.Language.ENGLISH, crm.Platform(secrets=secrets)) as device:
        records = [device.create(crm.changes("customer", company_name=f"三川 {number}")) for number in range(50)]
    early = ()
    for number in range(WARM_UP + rounds):
        if number == WARM_UP:
            early = held()
        one_round(folder, secrets, records[number % 50], number)
    print(*early, *held())


if __name__ == "__main__":
    main()
