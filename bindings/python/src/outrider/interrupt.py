"""Ctrl-C for calls that take long: it cancels them, waits until they have ended in good order, and goes on its way."""

import threading
import typing

from .native import Cancel

T = typing.TypeVar("T")
LOOK_EVERY_SECONDS = 0.1


def interruptible(call: typing.Callable[[Cancel], T], cancel: "Cancel | None") -> T:
    """Makes a call with something that cancels it.

    Python hears Ctrl-C in the main thread alone, and only between two of its own steps: there the call runs beside it.
    """
    cancel = cancel or Cancel()
    if threading.current_thread() is not threading.main_thread():
        return call(cancel)
    given: list[T] = []
    thrown: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        try:
            given.append(call(cancel))
        except BaseException as error:  # Whoever called gets it, whatever it is.
            thrown.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=run, name="outrider-call", daemon=True)
    try:
        thread.start()
        # Not one long wait: where another thread gets the signal, nothing would end it.
        while not ended.wait(LOOK_EVERY_SECONDS):
            pass
    except KeyboardInterrupt:
        cancel.cancel()
        # What has not begun yet ends at once when it does.
        if thread.ident is not None:
            ended.wait()
        raise
    if thrown:
        raise thrown.pop()
    return given.pop()
