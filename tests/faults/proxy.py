"""A TCP proxy between a client and a PostgreSQL server that breaks a connection at a chosen message."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Way = Literal["drop", "reset", "forward and drop", "swallow the reply", "half the reply"]
"""How a connection ends at a message of the client: before it reaches the server (closed, or reset), right after it,
when the server has replied (so it has done what it was told), or in the middle of that reply."""

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: no time for what was not sent


def is_commit(message: bytes) -> bool:
    """Tell whether a message asks for a COMMIT."""
    return message[:1] in (b"Q", b"P") and b"COMMIT" in message


def is_any(message: bytes) -> bool:
    return True


@dataclass(slots=True)
class Cut:
    """Ends a connection at the ``number``-th message, from 1, that ``matches``; ``fired`` once it has."""

    number: int
    way: Way
    matches: Callable[[bytes], bool] = is_any
    fired: bool = False


class Proxy:
    """Listens on ``port`` of 127.0.0.1 and passes everything on to a Unix socket, except for the ``cuts``."""

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.reset_counts()
        threading.Thread(target=self._accept, daemon=True).start()

    def reset_counts(self) -> None:
        """Count messages and COMMITs of the clients from 0 again, and forget all cuts."""
        with self._lock:
            self.cuts: list[Cut] = []
            self.messages = self.commits = 0

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._target)
            except OSError:  # the server is away
                client.close()
                continue
            link = _Link(self, client, server)
            for pump in (link.upwards, link.downwards):
                threading.Thread(target=link.run, args=(pump,), daemon=True).start()

    def way_at(self, message: bytes) -> Way | None:
        """Count a message of a client; return how the connection ends at it, if it does."""
        with self._lock:
            self.messages += 1
            self.commits += is_commit(message)
            for cut in self.cuts:
                if not cut.fired and cut.matches(message):
                    cut.number -= 1
                    if cut.number == 0:
                        cut.fired = True
                        return cut.way
        return None


class _Link:
    """One connection: two threads that pass on messages until either end is closed."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._way: Way | None = None

    def run(self, pump: Callable[[], None]) -> None:
        with suppress(OSError):
            pump()
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def upwards(self) -> None:
        for message in _messages(self._client, has_startup=True):
            way = self._proxy.way_at(message)
            if way == "reset":
                self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                self._client.close()
            if way in ("drop", "reset"):
                return
            self._way = way or self._way
            self._server.sendall(message)
            if way == "forward and drop":
                return

    def downwards(self) -> None:
        for message in _messages(self._server, has_startup=False):
            if self._way == "half the reply":
                self._client.sendall(message[: len(message) // 2])
                return
            if self._way != "swallow the reply":
                self._client.sendall(message)
            elif message[:1] == b"Z":  # ready for the next query: this one is done
                return


def _messages(source: socket.socket, *, has_startup: bool) -> Iterator[bytes]:
    """Yield the messages of the protocol: a type (except for the first of a client), a length, a body."""
    buffer = b""
    kind = 0 if has_startup else 1
    while True:
        while len(buffer) < kind + 4 or len(buffer) < (size := kind + int.from_bytes(buffer[kind : kind + 4])):
            received = source.recv(1 << 16)
            if not received:
                return
            buffer += received
        yield buffer[:size]
        buffer, kind = buffer[size:], 1
