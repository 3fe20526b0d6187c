"""Ctrl-C for calls that take long: it cancels them, waits until they have ended in good order, and goes on its way."""

import threading
import typing

from .native import Cancel

T = typing.TypeVar("T")


def interruptible(call: typing.Callable[[Cancel], T], cancel: "Cancel | None") -> T:
    """Makes a call with something that cancels it.

    Python hears Ctrl-C in the main thread alone, and only between two of its own steps: there the call runs beside it.
    """
    cancel = cancel or Cancel()
    if threading.current_thread() is not threading.main_thread():
        return call(cancel)
    given: "list[T]" = []
    thrown: "list[BaseException]" = []

    def run() -> None:
        try:
            given.append(call(cancel))
        except BaseException as error:  # Whoever called gets it, whatever it is.
            thrown.append(error)

    thread = threading.Thread(target=run, name="outrider-call", daemon=True)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        cancel.cancel()
        thread.join()
        raise
    if thrown:
        # Told once, and not kept alive by the frame that tells it.
        raise thrown.pop()
    return given.pop()
