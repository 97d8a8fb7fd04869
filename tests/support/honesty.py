# SPDX-License-Identifier: Apache-2.0
"""
The verdict is true: while a row differs from the kernel for longer than the audit interval + 1 s, it is not Healthy.

Nor is it Healthy while Redis refuses what comparing rows needs, or while no link is a port.

The reader is independent of the test's and of portsyncd's. It is a thread that samples, four times a second, the kernel
with ioctl(2), which waits for no lock of the kernel, and STATE_DB with HGETALL. The verdicts are every STATUS= of the
notify socket with the time at which it came, so that none is missed.

So that no race counts as a wrong verdict, a difference counts only under these conditions:
- it is of one row, which has the same wrong value in each sample from the first to the last, at least five;
- it begins when the first sample was complete, and ends before the last one was begun;
- the time for which this thread did not run is added to what is allowed;
- a stopped process has no verdict: freezing, killing, starting and reloading portsyncd begin the observation again;
- a row that the test itself writes begins again, too.
"""

import ctypes
import fcntl
import fnmatch
import socket
import struct
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Optional

from support import process, resp
from support.case import OWN_FIELDS
from support.daemon import Daemon
from support.netns import IFF_RUNNING, IFF_UP, Netns
from support.redis_server import STATE_DB, Redis

PAUSE = 0.25
SAMPLES = 5          # fewer show nothing about the time between them
GRACE = 0.5          # for a timer of portsyncd, a datagram and a thread, which the verdict passes through
SIOCGIFFLAGS, SIOCGIFMTU = 0x8913, 0x8921
Row = Optional[tuple[str, ...]]

_libc = ctypes.CDLL(None, use_errno=True)
_CAPABILITY_VERSION_3 = 0x20080522


def _drop_capabilities() -> None:
    """
    Drops this thread's capabilities. With CAP_NET_ADMIN, the kernel would look for a module named like a missing link.
    """
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    if _libc.capset(header, bytes(24)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


@dataclass
class _Difference:
    key: str
    row: object          # its value in STATE_DB
    text: str
    ghost: bool = False  # a row of no port, which only a full audit finds
    since: float = 0
    samples: int = 1


@dataclass
class Expectation:
    """What the rows should be, as far as the test decides it."""

    daemon: Optional[Daemon] = None     # None: none runs, or it is stopped
    audit: float = 0                    # seconds; 0: no audits, so nothing is promised
    full_audit_every: int = 1           # every n-th audit finds the rows of no port
    match: tuple[str, ...] = ("Ethernet*",)
    configured: Optional[frozenset[str]] = None   # None: every port, whatever CONFIG_DB contains
    known: bool = True                  # False: the contents of CONFIG_DB are unknown
    disowned: frozenset[str] = frozenset()        # rows whose index entries the test has removed
    refused: str = ""                   # what the server refuses, so that rows cannot be compared
    server: str = "up"                  # or "stopped": the rows stay as they were; or "down": there are none


@dataclass
class Honesty:
    """`names`: all names that ports may have. `wrong`: what was found. Close it before the namespace and the server."""

    namespace: Netns
    redis: Redis
    names: list[str]
    wrong: list[str] = field(default_factory=list)
    samples: int = 0
    longest: float = 0    # seconds, beyond what is allowed, that a row differed

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._expect = Expectation()
        self._generation = 0
        self._differences: dict[str, _Difference] = {}
        self._late: list[tuple[float, float]] = []
        self._client: Optional[resp.Client] = None
        self._requests = [struct.pack("=16s24x", name.encode()) for name in self.names]
        self._pipeline = b"".join(resp.encode(("HGETALL", f"PORT_TABLE|{name}")) for name in self.names)
        self._pipeline += resp.encode(("HGETALL", "PORT_TABLE"))
        self._socket = self.namespace.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join(30)
        self._socket.close()

    def expect(self, **changes: object) -> None:
        """Sets what is true from now on. All differences begin again."""
        with self._lock:
            for name, value in changes.items():
                setattr(self._expect, name, value)
            self._generation += 1
            self._differences.clear()

    def server(self, state: str) -> None:
        """
        Sets the server's state. Differences continue: a row that is wrong before and after a pause was wrong all the
        time.
        """
        with self._lock:
            self._expect.server = state
            self._generation += 1

    def touch(self, names: list[str]) -> None:
        """Called before the test writes to these rows."""
        with self._lock:
            self._generation += 1
            self._expect.disowned |= set(names)
            for name in names:
                self._differences.pop(name, None)
                self._differences.pop(f"index {name}", None)

    def allowed(self, audits: int = 1) -> float:
        """Returns the seconds that a row may differ while the verdict is Healthy."""
        return audits * self._expect.audit + 1 + GRACE * process.PATIENCE

    # --- the thread ---

    def _run(self) -> None:
        _drop_capabilities()
        pause = PAUSE
        while True:
            began = time.monotonic()
            if self._end.wait(pause):
                break
            at = time.monotonic()
            self._late.append((at, at - began - pause))
            self._late = self._late[-400:]
            try:
                self._sample()
            except Exception as e:  # pylint: disable=broad-except
                self.wrong.append(f"the reader itself failed: {e!r}")
                break
            pause = min(max(PAUSE, 5 * (time.monotonic() - at)), 1)
        self._forget_client()

    def _sample(self) -> None:
        with self._lock:
            expect, generation = replace(self._expect), self._generation
        if expect.daemon is None or not expect.audit:
            return
        before = time.monotonic()
        found = self._rows(expect.server)
        if found is None:
            return  # a gap: the server does not answer, so no writes arrive either
        rows, index = found
        wanted = self._wanted()
        after = time.monotonic()
        with self._lock:
            if generation != self._generation or not expect.daemon.alive():
                return
            self.samples += 1
            now = self._different(expect, rows, index, wanted)
            self._differences = {new.key: self._judge(expect, new, before, after) for new in now}

    def _different(self, expect: Expectation, rows: dict[str, object], index: object,
                   wanted: dict[str, Row]) -> list[_Difference]:
        compared = self._compared(expect, wanted)
        now: list[_Difference] = []
        for name, row in compared:
            if rows[name] != row and not (row is None and isinstance(rows[name], str)):  # a key that is no row
                text = f"PORT_TABLE|{name} is {rows[name]}, the kernel's is {row}"
                now.append(_Difference(name, rows[name], text, ghost=row is None))
            if isinstance(index, dict) and index.get(name) != (row[1] if row else None):
                text = f"the index has {index.get(name)} for {name}, the kernel's is {row}"
                now.append(_Difference(f"index {name}", index.get(name), text, ghost=row is None))
        if not isinstance(index, dict):
            now.append(_Difference("index", index, f"the index is {index}"))
        if expect.refused:
            now.append(_Difference("refused", "", f"{expect.refused} is refused"))
        if expect.known and not any(row for _, row in compared):
            now.append(_Difference("no port", "", "no link is a port"))
        return now

    def _judge(self, expect: Expectation, new: _Difference, before: float, after: float) -> _Difference:
        """
        Returns the difference with the time of the first sample that had it. Reports it if it has lasted too long.
        """
        old = self._differences.get(new.key)
        if old is None or old.row != new.row:
            new.since = after
            return new
        old.samples += 1
        late = sum(overshoot for at, overshoot in self._late if at >= old.since)
        allowed = self.allowed(expect.full_audit_every if new.ghost else 1) + late
        if old.samples < SAMPLES or before < old.since + allowed:
            return old
        if len(self.wrong) < 20 and self._healthy(expect.daemon, old.since + allowed, before):
            self.wrong.append(f"{new.text}, for {before - old.since:.2f} s ({allowed:.2f} are allowed, {late:.2f} of them "
                              f"for a slow machine), and the verdict was Healthy")
        self.longest = max(self.longest, before - old.since)
        return old

    @staticmethod
    def _healthy(daemon: Optional[Daemon], begin: float, end: float) -> bool:
        """Returns whether the verdict was Healthy at any time within [begin, end]."""
        assert daemon is not None
        verdict = ""
        for at, message in list(daemon.notifications):
            if at > end:
                break
            for line in message.splitlines():
                if line.startswith("STATUS="):
                    if at > begin and verdict == "STATUS=Healthy":
                        return True
                    verdict = line
        return verdict == "STATUS=Healthy"

    # --- what is wanted ---

    def _wanted(self) -> dict[str, Row]:
        """Returns the kernel's links as rows; None for a link that does not exist."""
        fd = self._socket.fileno()
        found: dict[str, Row] = {}
        for name, request in zip(self.names, self._requests):
            try:
                flags = struct.unpack_from("=H", fcntl.ioctl(fd, SIOCGIFFLAGS, request), 16)[0]
                mtu = struct.unpack_from("=i", fcntl.ioctl(fd, SIOCGIFMTU, request), 16)[0]
            except OSError:
                found[name] = None
                continue
            found[name] = ("ok", "up" if flags & IFF_RUNNING else "down", "up" if flags & IFF_UP else "down", str(mtu))
        return found

    @staticmethod
    def _compared(expect: Expectation, wanted: dict[str, Row]) -> list[tuple[str, Row]]:
        """
        Leaves out rows outside of the filter: they are other writers', or were ours, and settle() checks them. A row of
        a port that is no longer configured must go if the index has it and the test did not remove it there.
        """
        compared: list[tuple[str, Row]] = []
        for name, row in wanted.items():
            if not expect.known or not any(fnmatch.fnmatchcase(name, glob) for glob in expect.match):
                continue
            if expect.configured is None or name in expect.configured:
                compared.append((name, row))
            elif name not in expect.disowned:
                compared.append((name, None))
        return compared

    # --- what is stored ---

    def _rows(self, server: str) -> Optional[tuple[dict[str, object], object]]:
        """
        Returns the rows by name, and the index. An error reply stands for its value. None: the server does not answer.
        """
        if server == "stopped":
            return None
        if server == "down":
            self._forget_client()
            return dict.fromkeys(self.names), {}
        try:
            if self._client is None:
                self._client = self.redis.connect(STATE_DB, timeout=5)
            values = self._client.hashes(self._pipeline, len(self.names) + 1)
        except (OSError, ValueError, resp.RedisError):
            self._forget_client()
            return None
        if all(isinstance(value, str) for value in values):
            return None  # only errors: MASTERDOWN, LOADING, BUSY
        rows: dict[str, object] = {}
        for name, value in zip(self.names, values):
            own = value if isinstance(value, str) else tuple(value.get(key) for key in OWN_FIELDS)
            rows[name] = None if own == (None,) * len(OWN_FIELDS) else own
        return rows, values[-1]

    def _forget_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
