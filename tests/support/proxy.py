# SPDX-License-Identifier: Apache-2.0
"""A unix-socket proxy in front of Redis that is slow, holds data back, half-closes or sends nonsense."""

import os
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional


@dataclass
class Pair:
    """A client's connection, and the proxy's one to Redis for it."""

    client: socket.socket
    server: socket.socket
    held: list[tuple[float, socket.socket, bytes]] = field(default_factory=list)  # when due, to which socket, what
    holding: bool = False        # the client's data is held back
    sent: bytearray = field(default_factory=bytearray)  # everything that the client has sent
    client_gone: bool = False
    server_gone: bool = False

    @property
    def held_bytes(self) -> int:
        return sum(len(data) for _, _, data in self.held)


class Proxy:
    """
    delay      seconds that each chunk waits, in both directions
    answer     these bytes are the reply to everything, instead of Redis' ("": no reply); None = be a proxy
    """

    def __init__(self, path: Path, server: str) -> None:
        self.path = str(path)
        self.delay = 0.0
        self.answer: Optional[bytes] = None
        self.pairs: list[Pair] = []
        self.accepted = 0
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(16)
        self._wake_read, self._wake_write = os.pipe()
        self._running = True
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._running = False
        self._poke()
        self._thread.join(5)
        for s in [self._listener] + [s for pair in self.pairs for s in (pair.client, pair.server)]:
            s.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _poke(self) -> None:
        os.write(self._wake_write, b".")

    def hold(self) -> Pair:
        """
        From now on holds back what the newest client sends. Lets a check for a second writer pass, which comes and
        goes.
        """
        newest = self._newest()
        newest.holding = True
        return newest

    def _newest(self) -> Pair:
        return next(pair for pair in reversed(self.pairs) if not pair.client_gone and b"-look\r\n" not in pair.sent)

    def release(self, pair: Pair) -> None:
        """Sends on what was held back, even if the client has gone."""
        pair.holding = False
        pair.held = [(0.0, to, data) for _, to, data in pair.held]
        self._poke()

    def half_close(self) -> None:
        """
        The newest client reads the end of the stream; its data still goes to Redis. Leaves out a check for a second
        writer.
        """
        self._newest().client.shutdown(socket.SHUT_WR)

    # --- the thread ---

    def _loop(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while self._running:
                now = time.monotonic()
                due = [at for pair in self.pairs if not pair.holding for at, _, _ in pair.held]
                timeout = max(0.0, min(due) - now) if due else None
                for key, _ in selector.select(timeout):
                    if key.fileobj is self._listener:
                        self._accept(selector)
                    elif key.fd == self._wake_read:
                        os.read(self._wake_read, 4096)
                    else:
                        self._receive(selector, key.data, key.fileobj)
                for pair in self.pairs:
                    self._send_due(pair)
                    if pair.client_gone and not pair.server_gone and not pair.held and not pair.holding:
                        pair.server.shutdown(socket.SHUT_RDWR)
                        pair.server_gone = True

    def _accept(self, selector: selectors.BaseSelector) -> None:
        client, _ = self._listener.accept()
        self.accepted += 1
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if self.answer is None:
            try:
                server.connect(self._server)
            except OSError:
                client.close()
                server.close()
                return
        pair = Pair(client, server)
        self.pairs.append(pair)
        selector.register(client, selectors.EVENT_READ, pair)
        if self.answer is None:
            selector.register(server, selectors.EVENT_READ, pair)

    def _receive(self, selector: selectors.BaseSelector, pair: Pair, source: socket.socket) -> None:
        if source.fileno() < 0:
            return  # an event of the same round has closed it
        try:
            data = source.recv(1 << 16)
        except OSError:
            data = b""
        from_client = source is pair.client
        if not data:
            selector.unregister(source)
            if from_client:
                pair.client_gone = True
            else:
                pair.server_gone = True
                if not pair.client_gone:
                    selector.unregister(pair.client)
                    pair.client.close()
            return
        if from_client and self.answer is not None:
            if self.answer:
                self._send(pair.client, self.answer)
            return
        if from_client:
            pair.sent += data
        target = pair.server if from_client else pair.client
        pair.held.append((time.monotonic() + self.delay, target, data))

    def _send_due(self, pair: Pair) -> None:
        now = time.monotonic()
        waiting = []
        for at, target, data in pair.held:
            if at > now or (pair.holding and target is pair.server):
                waiting.append((at, target, data))
            else:
                self._send(target, data)
        pair.held = waiting

    @staticmethod
    def _send(target: socket.socket, data: bytes) -> None:
        try:
            target.sendall(data)
        except OSError:
            pass  # the other side has gone, which some tests cause
