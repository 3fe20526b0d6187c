"""The records of one device, as Python has them: `with`, `for`, and Ctrl-C do what one expects."""

import copy
import os
import typing

from . import native
from .interrupt import interruptible
from .watching import Watching
from .writing import field_value

T = typing.TypeVar("T")
PAGE = 500


class Crm(native.Replica):
    """All that a `Replica` can do; see there. `open` gives one."""

    def __enter__(self) -> typing.Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends lists and calls that run, and lets go of the files. `unlock` opens them again."""
        self.lock()

    def each(self, query: "native.ListQuery | str", **equals: object) -> "typing.Iterator[native.CrmRecord]":
        """All records that a query finds, page by page; of an entity those that have these values.

        What is written meanwhile may be among them or not, but none comes twice.
        """
        page = self._query(query, equals, PAGE)
        while True:
            found = self.list(page)
            yield from found.records
            if found.next is None:
                return
            page.after = found.next

    def find(self, text: str, *entities: str, limit: int = 20) -> "list[native.SearchHit]":
        """What a search finds, the best hits first."""
        return self.search(native.SearchQuery(text=text, entities=list(entities), limit=limit)).hits

    def watching(self, query: "native.ListQuery | str", **equals: object) -> Watching:
        """A list that stays up to date, of at most 500 records; close it, or use `with`."""
        return Watching(self, self._query(query, equals, PAGE))

    # What takes long can be ended by Ctrl-C. A listener may be a plain function.

    def enrol(self, code: native.EnrolCode, cancel: "native.Cancel | None" = None) -> native.Enrolment:
        return interruptible(lambda stop: super(Crm, self).enrol(code, stop), cancel)

    def check_enrolment(self, cancel: "native.Cancel | None" = None) -> native.Enrolment:
        return interruptible(lambda stop: super(Crm, self).check_enrolment(stop), cancel)

    def sync(
        self,
        listener: "native.SyncListener | typing.Callable[[native.SyncProgress], object] | None" = None,
        cancel: "native.Cancel | None" = None,
    ) -> native.SyncReport:
        return interruptible(lambda stop: super(Crm, self).sync(_of_sync(listener), stop), cancel)

    def sync_for(
        self,
        budget: native.SyncBudget,
        listener: "native.SyncListener | typing.Callable[[native.SyncProgress], object] | None" = None,
        cancel: "native.Cancel | None" = None,
    ) -> native.SyncReport:
        return interruptible(lambda stop: super(Crm, self).sync_for(budget, _of_sync(listener), stop), cancel)

    def import_file(
        self,
        file: "str | os.PathLike[str]",
        mapping: str,
        is_dry_run: bool = False,
        listener: "native.ProgressListener | typing.Callable[[int, int | None], object] | None" = None,
        cancel: "native.Cancel | None" = None,
    ) -> native.ImportSummary:
        told, path = _of_progress(listener), os.fspath(file)
        return interruptible(lambda stop: super(Crm, self).import_file(path, mapping, is_dry_run, told, stop), cancel)

    def undo_import(self, number: int, cancel: "native.Cancel | None" = None) -> native.ImportUndone:
        return interruptible(lambda stop: super(Crm, self).undo_import(number, stop), cancel)

    def export_file(
        self,
        file: "str | os.PathLike[str]",
        format: native.FileFormat,
        query: native.ListQuery,
        listener: "native.ProgressListener | typing.Callable[[int, int | None], object] | None" = None,
        cancel: "native.Cancel | None" = None,
    ) -> native.Exported:
        told, path = _of_progress(listener), os.fspath(file)
        return interruptible(lambda stop: super(Crm, self).export_file(path, format, query, told, stop), cancel)

    def import_exported(
        self,
        file: "str | os.PathLike[str]",
        listener: "native.ProgressListener | typing.Callable[[int, int | None], object] | None" = None,
        cancel: "native.Cancel | None" = None,
    ) -> native.ImportSummary:
        told, path = _of_progress(listener), os.fspath(file)
        return interruptible(lambda stop: super(Crm, self).import_exported(path, told, stop), cancel)

    def export_store(
        self, file: "str | os.PathLike[str]", plain: bool = False, cancel: "native.Cancel | None" = None
    ) -> None:
        path = os.fspath(file)
        return interruptible(lambda stop: super(Crm, self).export_store(path, plain, stop), cancel)

    def diagnose(self, cancel: "native.Cancel | None" = None) -> "list[native.Finding]":
        return interruptible(lambda stop: super(Crm, self).diagnose(stop), cancel)

    def repair(self, fix: str, cancel: "native.Cancel | None" = None) -> int:
        return interruptible(lambda stop: super(Crm, self).repair(fix, stop), cancel)

    def write_support_bundle(
        self, file: "str | os.PathLike[str]", log: "str | None" = None, cancel: "native.Cancel | None" = None
    ) -> native.SupportBundle:
        path = os.fspath(file)
        return interruptible(lambda stop: super(Crm, self).write_support_bundle(path, log, stop), cancel)

    def _query(self, query: "native.ListQuery | str", equals: "dict[str, object]", limit: int) -> native.ListQuery:
        query = native.ListQuery(entity=query, limit=limit) if isinstance(query, str) else copy.copy(query)
        query.filters = [
            *query.filters,
            *(
                native.Filter(field=name, compare=native.Compare.IS, value=field_value(value))
                for name, value in equals.items()
            ),
        ]
        return query


class _OfSync(native.SyncListener):
    def __init__(self, told: "typing.Callable[[native.SyncProgress], object]") -> None:
        self.told = told

    def on_progress(self, progress: native.SyncProgress) -> None:
        self.told(progress)


class _OfProgress(native.ProgressListener):
    def __init__(self, told: "typing.Callable[[int, int | None], object]") -> None:
        self.told = told

    def on_progress(self, done: int, total: "int | None") -> None:
        self.told(done, total)


def _of_sync(listener: typing.Any) -> "native.SyncListener | None":
    return listener if listener is None or isinstance(listener, native.SyncListener) else _OfSync(listener)


def _of_progress(listener: typing.Any) -> "native.ProgressListener | None":
    return listener if listener is None or isinstance(listener, native.ProgressListener) else _OfProgress(listener)


def open(
    folder: "str | os.PathLike[str]",
    language: "native.Language | None" = None,
    platform: "native.Platform | None" = None,
) -> Crm:
    """Opens the records in a folder, or begins with none; `with` closes them.

    The language is that of the system unless given. Without a platform the key of the records is kept with the user's
    settings, and HTTP, clock and the rest are those of this machine.
    """
    return Crm.open(os.fspath(folder), language, platform)
