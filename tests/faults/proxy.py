"""A TCP proxy on the loopback between a client and a PostgreSQL server that breaks a connection at a chosen message."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Way = Literal["drop", "reset", "forward and drop", "swallow the reply", "half the reply"]
"""How a connection ends at a message of the client: before it reaches the server (closed, or reset), right
after, when the server has replied (so it has done what it was told), or in the middle of that reply."""

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: no time for what was not sent


@dataclass(slots=True)
class Cut:
    """Ends a connection at the ``number``-th message, from 1, that ``matches``; ``fired`` when it did."""

    number: int
    way: Way
    matches: Callable[[bytes], bool] = field(default=lambda message: True)
    fired: bool = False


def is_commit(message: bytes) -> bool:
    """Tell whether a message asks for a COMMIT."""
    return message[:1] in (b"Q", b"P") and b"COMMIT" in message


class Proxy:
    """Listens on ``port`` of 127.0.0.1 and passes everything on to a Unix socket, but for the ``cuts``."""

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts: list[Cut] = []
        self.messages = self.commits = 0
        """Messages and COMMITs of the clients since ``reset_counts``."""
        threading.Thread(target=self._accept, daemon=True).start()

    def reset_counts(self) -> None:
        """Count messages from 0 again, and forget all cuts."""
        with self._lock:
            self.cuts, self.messages, self.commits = [], 0, 0

    def close(self) -> None:
        """Take no more connections."""
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
            _Link(self, client, server).start()

    def cut_at(self, message: bytes) -> Cut | None:
        """Count a message of a client; return the cut that is due at it."""
        with self._lock:
            self.messages += 1
            self.commits += is_commit(message)
            for cut in self.cuts:
                if not cut.fired and cut.matches(message):
                    cut.number -= 1
                    if cut.number == 0:
                        cut.fired = True
                        return cut
        return None


class _Link:
    """One connection: two threads that pass on messages until one of both ends is closed."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._reply: Literal["pass", "swallow", "halve"] = "pass"

    def start(self) -> None:
        for pump in (self._upwards, self._downwards):
            threading.Thread(target=self._run, args=(pump,), daemon=True).start()

    def _run(self, pump: Callable[[], None]) -> None:
        with suppress(OSError):
            pump()
        self._close()

    def _upwards(self) -> None:
        for message in _messages(self._client, has_startup=True):
            cut = self._proxy.cut_at(message)
            way = cut.way if cut else None
            if way == "drop":
                return
            if way == "reset":
                self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                self._client.close()
                return
            if way == "swallow the reply":
                self._reply = "swallow"
            elif way == "half the reply":
                self._reply = "halve"
            self._server.sendall(message)
            if way == "forward and drop":
                return

    def _downwards(self) -> None:
        for message in _messages(self._server, has_startup=False):
            if self._reply == "halve":
                self._client.sendall(message[: len(message) // 2])
                return
            if self._reply == "pass":
                self._client.sendall(message)
            elif message[:1] == b"Z":  # ready for the next query: this one is done
                return

    def _close(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _messages(source: socket.socket, *, has_startup: bool) -> Iterator[bytes]:
    """Yield the messages of the protocol: a type (but for the first of a client), a length, a body."""
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
