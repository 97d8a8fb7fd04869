# SPDX-License-Identifier: Apache-2.0
"""A small Redis client: blocking, pipelined, errors as values or exceptions."""

import select
import socket
from typing import Any, Optional, Union

Argument = Union[str, int, bytes]


class RedisError(Exception):
    """An error reply."""


def encode(args: tuple[Argument, ...]) -> bytes:
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = arg if isinstance(arg, bytes) else str(arg).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def decode(data: bytes) -> list[list[str]]:
    """Returns the commands that a client has sent, without one that is not complete."""
    commands: list[list[str]] = []
    while data.startswith(b"*") and b"\r\n" in data:
        count, data = data[1:].split(b"\r\n", 1)
        words = []
        for _ in range(int(count)):
            size, _, data = data.partition(b"\r\n")
            if len(data) < int(size[1:] or 0) + 2:
                return commands
            words.append(data[:int(size[1:])].decode(errors="replace"))
            data = data[int(size[1:]) + 2:]
        commands.append(words)
    return commands


class Client:
    """One connection. Replies: str, int, None, list; an error reply is raised by call(), returned by pipeline()."""

    def __init__(self, path: Union[str, socket.socket], database: int = 0, timeout: float = 10.0, user: str = "",
                 password: str = "") -> None:
        """`path` is a unix socket's path, or a connected socket, which is closed with the client."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) if isinstance(path, str) else path
        self._socket.settimeout(timeout)
        self._buffer = b""
        self.binary = False  # True: strings are bytes
        try:
            if isinstance(path, str):
                self._socket.connect(path)
            if password:
                self.call("AUTH", *([user] if user else []), password)
            if database:
                self.call("SELECT", database)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, *args: Argument) -> None:
        self._socket.sendall(encode(args))

    def call(self, *args: Argument) -> Any:
        self.send(*args)
        reply = self.read()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def pipeline(self, commands: list[tuple[Argument, ...]]) -> list[Any]:
        replies: list[Any] = []
        for first in range(0, len(commands), 500):
            some = commands[first:first + 500]
            self._socket.sendall(b"".join(encode(c) for c in some))
            replies += [self.read() for _ in some]
        return replies

    def hash(self, key: str) -> dict[str, str]:
        return pairs(self.call("HGETALL", key))

    def hashes(self, requests: bytes, count: int) -> list[Union[dict[str, str], str]]:
        """
        Returns the replies to `count` encoded HGETALLs, quickly; an error's text is a reply. No value may contain an
        end of line.
        """
        self._socket.sendall(requests)
        while True:
            self._fill()
            if not self._buffer.endswith(b"\r\n"):
                continue
            found = _hashes(self._buffer.decode(errors="replace").split("\r\n")[:-1], count)
            if found is not None:
                self._buffer = b""
                return found

    def lines(self) -> list[bytes]:
        """Returns all complete lines that have come; at least one."""
        while b"\r\n" not in self._buffer:
            self._fill()
        *lines, self._buffer = self._buffer.split(b"\r\n")
        return lines

    def scan(self, pattern: str) -> list[str]:
        keys: set[str] = set()
        cursor = "0"
        while True:
            cursor, some = self.call("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            keys.update(some)
            if cursor == "0":
                return sorted(keys)

    def wait(self, seconds: float) -> bool:
        """Returns whether something can be read within this time."""
        return bool(self._buffer) or bool(select.select([self._socket], [], [], seconds)[0])

    def line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._fill()
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        return line

    def _fill(self) -> None:
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("Redis closed the connection")
        self._buffer += data

    def read(self) -> Any:
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            while len(self._buffer) < size + 2:
                self._fill()
            data, self._buffer = self._buffer[:size], self._buffer[size + 2:]
            return data if self.binary else data.decode(errors="replace")
        if kind == b"*":
            return [self.read() for _ in range(int(rest))] if int(rest) >= 0 else None
        raise ValueError(f"not RESP: {line[:80]!r}")


def pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2]))


def _hashes(lines: list[str], count: int) -> Optional[list[Union[dict[str, str], str]]]:
    """Returns None if they are not complete."""
    found: list[Union[dict[str, str], str]] = []
    at = 0
    while len(found) < count:
        if at >= len(lines):
            return None
        end = at + 1
        if lines[at].startswith("-"):
            found.append(lines[at])
        else:
            end += 2 * int(lines[at][1:])
            words = lines[at + 2:end:2]
            found.append(dict(zip(words[::2], words[1::2])))
        if end > len(lines):
            return None
        at = end
    return found
