"""A list that stays up to date, as Python waits for things."""

import threading
import typing

from .native import CrmError, CrmRecord, ListChange, ListListener, ListQuery, LiveList, Replica


class _Mirror(ListListener):
    """The list as the changes make it. It knows nothing of who reads it, so that a list nobody holds can go."""

    def __init__(self) -> None:
        self.news = threading.Condition()
        self.records: list[CrmRecord] = []
        self.early: list[ListChange] | None = []
        self.version, self.is_ended = 0, False
        self.next: str | None = None
        self.error: CrmError | None = None

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
            # Locked or wiped: nothing follows.
            self.is_ended = self.is_ended or isinstance(error, CrmError.Closed)
            self.news.notify_all()

    def end(self) -> None:
        with self.news:
            self.is_ended = True
            self.news.notify_all()

    def apply(self, change: ListChange) -> None:
        records = [] if change.is_reset else list(self.records)
        for index in change.removed:
            del records[index]
        for move in change.moved:
            records.insert(move.put, records.pop(move.taken))
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
        self._mirror, self._seen = _Mirror(), -1
        self._live = replica.watch(query, self._mirror)
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
        """Whether it goes on: nobody has closed it, and the records are not locked."""
        return not self._mirror.is_ended

    def wait(self, timeout_seconds: "float | None" = None) -> "list[CrmRecord] | None":
        """The list, once there is one that was not given yet; nothing when the time is over, or the list ended."""
        mirror = self._mirror
        with mirror.news:
            mirror.news.wait_for(lambda: mirror.is_ended or mirror.version != self._seen, timeout_seconds)
            if mirror.is_ended or mirror.version == self._seen:
                return None
            self._seen = mirror.version
            return mirror.records

    def close(self) -> None:
        """Ends it; whoever waits for the next list goes on."""
        self._live.end()
        self._mirror.end()

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
