"""Listeners of lists, as tests need them: one that keeps the list by its changes alone, and some that misbehave."""

import threading

import outrider as crm


class Mirror(crm.ListListener):
    """Makes the list of what it began with and of the changes, as any screen would."""

    def __init__(self) -> None:
        self.heard: list[crm.ListChange] = []
        self.errors: list[crm.CrmError] = []
        self.records: list[crm.CrmRecord] | None = None
        self.lock = threading.Lock()

    def begin(self, live: crm.LiveList) -> crm.LiveList:
        with self.lock:
            self.records = live.first().records
            for change in self.heard:
                self.apply(change)
        return live

    def on_change(self, change: crm.ListChange) -> None:
        with self.lock:
            self.heard.append(change)
            if self.records is not None:
                self.apply(change)

    def on_error(self, error: crm.CrmError) -> None:
        self.errors.append(error)

    def apply(self, change: crm.ListChange) -> None:
        if change.is_reset:
            self.records = []
        for index in change.removed:
            del self.records[index]
        for move in change.moved:
            self.records.insert(move.put, self.records.pop(move.taken))
        for placed in change.inserted:
            self.records.insert(placed.index, placed.record)
        for placed in change.changed:
            self.records[placed.index] = placed.record


class Does(crm.ListListener):
    """Does something whenever the list changes."""

    def __init__(self, act) -> None:
        self.act, self.called = act, threading.Event()

    def on_change(self, change: crm.ListChange) -> None:
        self.called.set()
        self.act(change)

    def on_error(self, error: crm.CrmError) -> None:
        self.act(error)
