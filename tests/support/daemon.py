# SPDX-License-Identifier: Apache-2.0
"""The real portsyncd: started with a generated configuration, and observed from outside."""

import array
import contextlib
import ctypes
import errno
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, Any, Optional

from support import process
from support.netns import Netns

Config = dict[str, dict[str, Any]]

_libc = ctypes.CDLL(None, use_errno=True)
_PIDFD_GETFD = 438
_SO_ATTACH_FILTER = 26
_SOL_NETLINK, _NETLINK_LIST_MEMBERSHIPS = 270, 9
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer",
                   "Assertion `")


def toml(config: Config) -> str:
    def value(v: Any) -> str:
        if isinstance(v, bool):
            return str(v).lower()
        if isinstance(v, (list, tuple)):
            return "[" + ", ".join(value(x) for x in v) + "]"
        return f'"{v}"' if isinstance(v, (str, Path)) else str(v)

    return "".join(f"[{name}]\n" + "".join(f"{k} = {value(v)}\n" for k, v in keys.items()) + "\n"
                   for name, keys in config.items())


class Daemon:
    """One run of portsyncd. Everything is read from outside: notify socket, log, statistics line, /proc."""

    _runs = 0

    def __init__(self, program: str, directory: Path, namespace: Netns, config: Config,
                 options: tuple[str, ...] = (), environment: Optional[dict[str, str]] = None,
                 read_notifications: bool = True, stdout: Optional[IO[bytes]] = None) -> None:
        Daemon._runs += 1
        self.notifications: list[tuple[float, str]] = []
        self._log_path = directory / f"portsyncd.{Daemon._runs}.log"
        config_path = directory / f"portsyncd.{Daemon._runs}.conf"
        self.config_path = config_path
        self.configure(config)
        notify_path = directory / f"notify.{Daemon._runs}"
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(notify_path))
        self._reader = threading.Thread(target=self._read_notifications, daemon=True)
        if read_notifications:
            self._reader.start()
        not_ours = ("PORTSYNCD_", "REDIS_", "RUST_LOG", "MALLOC_PERTURB_")
        env = {k: v for k, v in os.environ.items() if not k.startswith(not_ours)}
        env["NOTIFY_SOCKET"] = str(notify_path)
        env["RUNTIME_DIRECTORY"] = str(directory)
        env["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent"  # tests do not use the machine's own bus
        env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
        env.setdefault("TSAN_OPTIONS", f"halt_on_error=1:suppressions={Path(__file__).parents[1] / 'tsan.supp'}")
        env.update(environment or {})
        self.started = time.monotonic()
        with open(self._log_path, "ab") as log:
            self._process = process.start([program, "--config", str(config_path), *options], namespace,
                                          # A core is written there.
                                          stdout=stdout or log, stderr=log, env=env, cwd=directory)

    # --- what it reports ---

    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    def wait_for_log(self, text: str, limit: float = 10) -> None:
        process.wait_for(lambda: text in self.log(), limit, f"the log contains {text!r}")

    def notified(self, text: str) -> Optional[float]:
        """
        Returns the seconds from the start to the first notification with a line that begins with `text`; None if there
        is none.
        """
        for at, message in list(self.notifications):
            if any(line.startswith(text) for line in message.splitlines()):
                return at - self.started
        return None

    def statuses(self) -> list[str]:
        """Returns every STATUS= so far, in order."""
        lines = [line for _, message in list(self.notifications) for line in message.splitlines()]
        return [line[len("STATUS="):] for line in lines if line.startswith("STATUS=")]

    def status(self) -> str:
        return (self.statuses() or [""])[-1]

    def _read_notifications(self) -> None:
        while message := self._notify.recv(8192).decode():
            self.notifications.append((time.monotonic(), message))

    def wait_ready(self, limit: float = 20) -> None:
        def ready() -> bool:
            if not self.alive():
                raise AssertionError(f"portsyncd ended with {self._process.returncode} before READY=1")
            return self.notified("READY=1") is not None
        process.wait_for(ready, limit, "READY=1")

    def wait_status(self, text: str, limit: float = 10) -> None:
        process.wait_for(lambda: text in self.status(), limit, f"STATUS has {text!r}, it is {self.status()!r}")

    def statistics(self) -> dict[str, int]:
        """
        Requests the counters with SIGUSR1 and returns them. Fails if the loop does not turn, because there is no answer
        then.
        """
        before = self.log().count("statistics ")
        self.signal(signal.SIGUSR1)
        process.wait_for(lambda: self._statistics_lines() > before, 10, "SIGUSR1 is answered by statistics")
        line = [line for line in self.log().splitlines() if "statistics " in line][-1]
        words = line.split("statistics ", 1)[1].split()
        pairs = (word.partition("=")[::2] for word in words)
        return {key: int(float(value)) for key, value in pairs if value.replace(".", "", 1).isdigit()}

    def _statistics_lines(self) -> int:
        whole = self.log().rpartition("\n")[0]
        return whole.count("statistics ")

    # --- its state ---

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def rss_bytes(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def complaints(self) -> list[str]:
        """Returns the log lines of sanitizers and assertions."""
        return [line for line in self.log().splitlines() if any(mark in line for mark in SANITIZER_MARKS)]

    # --- what the test does to it ---

    def configure(self, config: Config) -> None:
        """Writes another configuration file, which start and reload() read."""
        self.config_path.write_text(toml(config))

    def reload(self) -> str:
        """Sends SIGHUP. Returns what is logged about the reload."""
        before = len(self.log())
        self.signal(signal.SIGHUP)
        ends = ("Reload: nothing has changed", "Reload refused", "Reload: applied", "Reload: needs")
        process.wait_for(lambda: any(end in self.log()[before:] for end in ends), 10, "SIGHUP is answered")
        self.statistics()  # until all log lines of the reload have been written
        return self.log()[before:]

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.pid}/stat")
        process.wait_for(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", 5, "portsyncd is stopped")

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        process.end(self._process)

    def wait(self, limit: float = 10) -> int:
        """Waits until it has ended and all notifications have been read. Returns the exit code."""
        try:
            status = self._process.wait(limit * process.PATIENCE)
        except subprocess.TimeoutExpired:
            raise process.TimedOut(f"portsyncd did not end within {limit:g} s") from None
        self._end_reader()
        return status

    def terminate(self, limit: float = 10) -> int:
        """Sends SIGTERM. Returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(limit)

    def close(self) -> None:
        self.kill()
        self._end_reader()

    def _end_reader(self) -> None:
        with contextlib.suppress(OSError):
            self._notify.shutdown(socket.SHUT_RDWR)  # what is queued is read before the shutdown shows
        if self._reader.is_alive():
            self._reader.join(10)

    def deafen(self) -> int:
        """Attaches a filter that drops everything to its netlink sockets that are in a group. Returns their number."""
        class Program(ctypes.Structure):
            _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

        drop_all = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))  # BPF: ret 0
        program = bytes(Program(1, ctypes.addressof(drop_all)))
        found = 0
        for s in self._sockets(socket.AF_NETLINK):
            with s:
                if any(array.array("I", s.getsockopt(_SOL_NETLINK, _NETLINK_LIST_MEMBERSHIPS, 64))):
                    s.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
                    found += 1
        return found

    def netlink_receive_buffers(self) -> list[int]:
        """Returns the buffer sizes of its netlink sockets that are in a group."""
        sizes = []
        for s in self._sockets(socket.AF_NETLINK):
            with s:
                if any(array.array("I", s.getsockopt(_SOL_NETLINK, _NETLINK_LIST_MEMBERSHIPS, 64))):
                    sizes.append(s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
        return sizes

    def netlink_addresses(self) -> list[int]:
        """Returns the port ids of its netlink sockets."""
        addresses = []
        for s in self._sockets(socket.AF_NETLINK):
            with s:
                addresses.append(s.getsockname()[0])
        return addresses

    def connection_to(self, path: str) -> socket.socket:
        """Returns a duplicate of its connection to a unix socket."""
        found = None
        for s in self._sockets(socket.AF_UNIX):
            with contextlib.suppress(OSError):  # not connected
                if s.getpeername() == path:
                    found = s
                    continue
            s.close()
        assert found is not None, f"portsyncd has no connection to {path}"
        return found

    def _sockets(self, family: int) -> list[socket.socket]:
        sockets = []
        pidfd = os.pidfd_open(self.pid)
        try:
            for name in os.listdir(f"/proc/{self.pid}/fd"):
                try:
                    target = os.readlink(f"/proc/{self.pid}/fd/{name}")
                except FileNotFoundError:
                    continue  # closed since it was listed
                if not target.startswith("socket:"):
                    continue
                fd = _libc.syscall(_PIDFD_GETFD, pidfd, int(name), 0)
                if fd < 0:
                    if ctypes.get_errno() == errno.EBADF:
                        continue  # closed since
                    raise OSError(ctypes.get_errno(), "pidfd_getfd")
                s = socket.socket(fileno=fd)
                if s.family == family:
                    sockets.append(s)
                else:
                    s.close()
        finally:
            os.close(pidfd)
        return sockets
