# SPDX-License-Identifier: Apache-2.0
"""Waits until a program has opened a file: the proof that it has looked, without a guess at how long that takes."""

import ctypes
import os
import select
import struct
import time
from pathlib import Path

from support import process

_IN_CLOSE_NOWRITE, _IN_NONBLOCK = 0x10, 0o4000
_libc = ctypes.CDLL(None, use_errno=True)


class FileWatch:
    """Counts how often the file was opened for reading and closed again, from when this is made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = _libc.inotify_init1(_IN_NONBLOCK)
        # The file may be replaced, so its folder is watched.
        if self._fd < 0 or _libc.inotify_add_watch(self._fd, str(path.parent).encode(), _IN_CLOSE_NOWRITE) < 0:
            raise OSError(ctypes.get_errno(), f"inotify of {path.parent}")

    def wait_read(self, times: int, limit: float = 20) -> None:
        """Waits until the file has been read so many times more."""
        deadline = time.monotonic() + limit * process.PATIENCE
        while times > 0:
            if not select.select([self._fd], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise process.TimedOut(f"not within {limit:g} s: {self._path} is read {times} times more")
            times -= self._events()

    def forget(self) -> None:
        """Drops what has been counted."""
        self._events()

    def _events(self) -> int:
        count, at = 0, 0
        try:
            data = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return 0
        while at < len(data):
            size = struct.unpack_from("I", data, at + 12)[0]
            name = data[at + 16:at + 16 + size].rstrip(b"\0").decode()
            count += name == self._path.name
            at += 16 + size
        return count

    def close(self) -> None:
        os.close(self._fd)
