"""The end of the process: whoever is being told something then must have heard it before Python goes.

The library tells lists and progress in threads of its own. Until 3.14 Python ends a foreign thread that comes to it
while it goes, in a way that the library's frames do not survive: the process would crash instead of ending.
"""

import atexit
import functools
import threading
import time
import types
import typing
import weakref

# A call that is cancelled ends within two.
CANCELLED_SECONDS = 3.0
# A listener that takes longer holds up nobody's exit.
TOLD_SECONDS = 3.0
# Whoever is to be told something on closing is being told by then.
QUIET_SECONDS = 0.05
# What may run in another thread when the process ends.
LONG = (
    "sync sync_for enrol check_enrolment import_file import_exported undo_import export_file export_store "
    "propose_import diagnose storage repair write_support_bundle"
).split()


class _Calls:
    """Calls that run."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running, self.last = 0, 0.0

    def counted(self, call: typing.Callable[..., object]) -> typing.Callable[..., object]:
        @functools.wraps(call)
        def count(*args: typing.Any, **named: typing.Any) -> object:
            with self.lock:
                self.running += 1
                self.last = time.monotonic()
            try:
                return call(*args, **named)
            finally:
                with self.lock:
                    self.running -= 1
                    self.last = time.monotonic()

        return count

    def wait(self, patience_seconds: float) -> None:
        """Until none runs, and for a moment none did."""
        end = time.monotonic() + patience_seconds
        while time.monotonic() < end:
            with self.lock:
                if self.running == 0 and time.monotonic() - self.last >= QUIET_SECONDS:
                    return
            time.sleep(QUIET_SECONDS / 5)


def look_after(module: types.ModuleType) -> None:
    """Closes the replicas of the generated module when the process ends."""
    told, asked, replicas = _Calls(), _Calls(), weakref.WeakSet[typing.Any]()
    for name in ("_uniffi_trait_interface_call", "_uniffi_trait_interface_call_with_error"):
        setattr(module, name, told.counted(getattr(module, name)))
    for name in LONG:
        setattr(module.Replica, name, asked.counted(getattr(module.Replica, name)))
    make = module.Replica._uniffi_make_instance.__func__

    def made(cls: type, handle: int) -> typing.Any:
        replica = make(cls, handle)
        replicas.add(replica)
        return replica

    module.Replica._uniffi_make_instance = classmethod(made)

    def end() -> None:
        were_open = [replica for replica in list(replicas) if not replica.is_locked()]
        for replica in were_open:
            replica.lock()
        asked.wait(CANCELLED_SECONDS)
        if were_open or told.running:
            told.last = time.monotonic()
            told.wait(TOLD_SECONDS)

    atexit.register(end)
