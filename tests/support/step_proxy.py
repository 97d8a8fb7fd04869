# SPDX-License-Identifier: Apache-2.0
"""A unix-socket proxy in front of Redis that lets commands through one by one and can stop before any of them."""

import socket
import threading
from pathlib import Path
from typing import Callable, Optional

from support import process, resp

Words = list[str]


class StepProxy:
    """
    stop_before: called with the number of commands that have passed and with the next command. After it returned True,
    nothing passes on any connection until go_on(). `passed` has all commands that passed.
    """

    def __init__(self, path: Path, server: str) -> None:
        self.path = str(path)
        self.passed: list[Words] = []
        self.next: Words = []  # the command that it stopped before
        self.stop_before: Optional[Callable[[int, Words], bool]] = None
        self._server = server
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self._stopped = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(32)
        threading.Thread(target=self._accept, daemon=True).start()

    def wait_stopped(self, limit: float = 10) -> None:
        process.wait_for(self._stopped.is_set, limit, "the command comes before which the proxy stops")

    def stopped(self) -> bool:
        return self._stopped.is_set()

    def go_on(self) -> None:
        self.stop_before = None
        self._stopped.clear()
        self._open.set()

    def close(self) -> None:
        self.go_on()
        for s in [self._listener, *self._sockets]:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                server.connect(self._server)
            except OSError:
                client.close()
                continue
            self._sockets += [client, server]
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._backward, args=(server, client), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        rest = b""
        try:
            while data := client.recv(1 << 16):
                rest += data
                while (end := command_end(rest)) is not None:
                    self._step(resp.decode(rest[:end])[0])
                    server.sendall(rest[:end])
                    rest = rest[end:]
        except OSError:
            pass
        _end(client, server)

    def _step(self, words: Words) -> None:
        while True:
            self._open.wait()
            with self._lock:
                if not self._open.is_set():
                    continue
                if self.stop_before is None or not self.stop_before(len(self.passed), words):
                    self.passed.append(words)
                    return
                self.next = words
                self._open.clear()
                self._stopped.set()

    @staticmethod
    def _backward(server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(1 << 16):
                client.sendall(data)
        except OSError:
            pass
        _end(client, server)


def _end(*sockets: socket.socket) -> None:
    for s in sockets:
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def command_end(data: bytes) -> Optional[int]:
    """Returns where the first command in data ends; None while it is not complete."""
    end = data.find(b"\r\n")
    if end < 0:
        return None
    at = end + 2
    for _ in range(int(data[1:end])):
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        at = end + 2 + int(data[at + 1:end]) + 2
        if len(data) < at:
            return None
    return at
