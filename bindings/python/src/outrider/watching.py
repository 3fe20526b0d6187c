"""A list that stays up to date, as Python waits for things."""

import threading
import time
import typing

from .native import CrmError, CrmRecord, ListChange, ListListener, ListQuery, LiveList, Replica

# How often is looked whether the records were locked or wiped meanwhile: that ends a list without a word.
LOOK_EVERY_SECONDS = 0.5


class _Mirror(ListListener):
    """The list as the changes make it. It knows nothing of who reads it, so that a list nobody holds can go."""

    def __init__(self) -> None:
        self.news = threading.Condition()
        self.records: "list[CrmRecord]" = []
        self.early: "list[ListChange] | None" = []
        self.version, self.next, self.error = 0, None, None  # type: int, str | None, CrmError | None

    def begin(self, live: LiveList) -> None:
        with self.news:
            first = live.first()
            self.records, self.next = first.records, first.next
            early, self.early = self.early or [], None
            for change in early:
                self.apply(change)

    def on_change(self, change: ListChange) -> None:
        with self.news:
            if self.early is None:
                self.apply(change)
            else:
                # It was faster than the call that opens the list.
                self.early.append(change)

    def on_error(self, error: CrmError) -> None:
        with self.news:
            self.error = error

    def apply(self, change: ListChange) -> None:
        records = [] if change.is_reset else list(self.records)
        for index in change.removed:
            del records[index]
        for move in change.moved:
            records.insert(move.to, records.pop(getattr(move, "_from")))
        for placed in change.inserted:
            records.insert(placed.index, placed.record)
        for placed in change.changed:
            records[placed.index] = placed.record
        self.records, self.next, self.error = records, change.next, None
        self.version += 1
        self.news.notify_all()


class Watching:
    """A list that is watched: iterating gives it at once, and again whenever it has changed, until it is closed.

    Whoever is slower than the changes gets the newest list only. Each list is a new one and may be kept.
    """

    def __init__(self, replica: Replica, query: ListQuery) -> None:
        self._replica, self._mirror, self._seen = replica, _Mirror(), -1
        self._live: "LiveList | None" = replica.watch(query, self._mirror)
        self._mirror.begin(self._live)

    @property
    def records(self) -> "list[CrmRecord]":
        """The list as it is now."""
        return self._mirror.records

    @property
    def has_more(self) -> bool:
        """Whether the query finds more than the list has room for."""
        return self._mirror.next is not None

    @property
    def error(self) -> "CrmError | None":
        """Why the list cannot be kept up to date now, if it cannot; it goes on when it can."""
        return self._mirror.error

    @property
    def is_open(self) -> bool:
        return self._live is not None

    def wait(self, timeout_seconds: "float | None" = None) -> "list[CrmRecord] | None":
        """The list, once there is one that was not given yet; nothing when the time is over, or the list ended."""
        mirror = self._mirror
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        with mirror.news:
            while self._live is not None and mirror.version == self._seen:
                left = LOOK_EVERY_SECONDS if until is None else min(LOOK_EVERY_SECONDS, until - time.monotonic())
                if left <= 0:
                    return None
                if not mirror.news.wait(left) and self._replica.is_locked():
                    self._live = None
            if self._live is None:
                return None
            self._seen = mirror.version
            return mirror.records

    def close(self) -> None:
        """Ends it; whoever waits for the next list goes on."""
        live, self._live = self._live, None
        if live is not None:
            live.close()
        with self._mirror.news:
            self._mirror.news.notify_all()

    def __iter__(self) -> "typing.Iterator[list[CrmRecord]]":
        return self

    def __next__(self) -> "list[CrmRecord]":
        records = self.wait()
        if records is None:
            raise StopIteration
        return records

    def __enter__(self) -> "Watching":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
