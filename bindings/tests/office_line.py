"""A slow line to a server: a relay of TCP with a rate limit that can be cut, silenced, and made faster."""

import socket
import struct
import threading
import time

# Pieces are small beside a second's worth, so that a slow line is slow from its first byte on.
PIECES_PER_SECOND = 20


class Line:
    """One line; both directions share its rate."""

    def __init__(self, server: tuple, bytes_per_second: int) -> None:
        self.server, self.bytes_per_second = server, bytes_per_second
        self.lock, self.open, self.free_at = threading.Condition(), set(), 0.0
        self.is_cut = self.is_silent = self.is_ended = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                device, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay, args=(device,), daemon=True).start()

    def relay(self, device: socket.socket) -> None:
        if self.is_cut:
            hang_up(device)
            return
        try:
            server = socket.create_connection(self.server, timeout=10)
        except OSError:
            hang_up(device)
            return
        server.settimeout(None)
        with self.lock:
            self.open |= {device, server}
        back = threading.Thread(target=self.pump, args=(server, device), daemon=True)
        back.start()
        self.pump(device, server)
        back.join()
        with self.lock:
            self.open -= {device, server}
        device.close()
        server.close()

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while piece := source.recv(max(1, self.bytes_per_second // PIECES_PER_SECOND)):
                self.wait_for_turn(len(piece))
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            hang_up(source)
            hang_up(target)

    def wait_for_turn(self, size: int) -> None:
        """Waits as long as these bytes take on the line, and as long as it is silent."""
        with self.lock:
            begun = max(time.monotonic(), self.free_at)
            self.free_at = begun + size / self.bytes_per_second
            while self.is_silent or time.monotonic() < self.free_at:
                if self.is_cut or self.is_ended:
                    raise ConnectionResetError
                until = begun + size / self.bytes_per_second
                if not self.is_silent and time.monotonic() >= until:
                    return
                self.lock.wait(None if self.is_silent else max(0.001, until - time.monotonic()))

    def cut(self, silently: bool) -> None:
        """Ends all connections and takes no new ones until `set_speed`; silently, nothing arrives any more."""
        with self.lock:
            self.is_cut, self.is_silent = not silently, silently
            open_now = [] if silently else list(self.open)
            self.lock.notify_all()
        for connection in open_now:
            hang_up(connection)

    def set_speed(self, bytes_per_second: int) -> None:
        """Makes it slower or faster, and whole again."""
        with self.lock:
            self.bytes_per_second, self.free_at = bytes_per_second, 0.0
            self.is_cut = self.is_silent = False
            self.lock.notify_all()

    def end(self) -> None:
        self.is_ended = True
        self.cut(False)
        self.listener.close()


def hang_up(connection: socket.socket) -> None:
    """Resets a connection; whoever waits on it wakes up."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # It was closed from the other side.
