# SPDX-License-Identifier: Apache-2.0
"""
A redis-server as on a switch, with keyspace events. The tests' own clients connect by TCP, portsyncd by the unix
socket.
"""

import socket
from pathlib import Path

from support import resp
from support.netns import Netns
from support.redis_server import ADMIN, Redis


class SonicRedis(Redis):
    def __init__(self, directory: Path, namespace: Netns, port: int = 6379) -> None:
        directory.mkdir(exist_ok=True)
        super().__init__(directory, namespace)
        self._in = namespace
        self.port = port

    def start(self, *options: str, wait: bool = True) -> None:
        super().start("--port", str(self.port), "--notify-keyspace-events", "AKE", *options, wait=wait)

    def connect(self, database: int = 0, timeout: float = 10.0) -> resp.Client:
        connected = self._in.call(lambda: socket.create_connection(("127.0.0.1", self.port), timeout))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return resp.Client(connected, database, timeout, ADMIN, ADMIN)

    def restart(self, keep: bool) -> None:
        """Starts another server process, with the data of the one before or without it."""
        if keep:
            with self.connect() as client:
                client.call("SAVE")
        self.kill()
        if not keep:
            self.forget()
        self.start()
