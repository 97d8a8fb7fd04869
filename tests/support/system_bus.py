# SPDX-License-Identifier: Apache-2.0
"""A private system bus: a real dbus-daemon with the rules of the system bus and the shipped policy file."""

import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Optional

from support import process

NAME, PATH = "org.sonic.PortSync1", "/org/sonic/PortSync1"
DATA = Path(__file__).resolve().parents[2] / "portsyncd" / "data"
POLICY = DATA / f"{NAME}.conf"

# As /usr/share/dbus-1/system.conf, except that it listens elsewhere and changes to no other user.
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <policy user="root">
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/>
  </policy>
  <include ignore_missing="yes">{policy}</include>
</busconfig>
"""


class SystemBus:
    """Uses the shipped policy, with a user (and its group) that exists here in place of portsyncd's."""

    def __init__(self, directory: Path, user: str = "games") -> None:
        self.socket = directory / "system_bus"
        self.policy = directory / "policy.conf"
        self._config = directory / "bus.conf"
        self._log = directory / "bus.log"
        self._config.write_text(CONFIG.format(socket=self.socket, policy=self.policy))
        self._policy = POLICY.read_text().replace('user="portsyncd"', f'user="{user}"').replace(
            'group="portsyncd"', f'group="{user}"')
        directory.chmod(0o755)  # for other users
        self.environment = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.socket}"}
        self._process: Optional[subprocess.Popen] = None

    # --- life ---

    def start(self, policy: bool = True) -> None:
        if policy:
            self.policy.write_text(self._policy)
        self.socket.unlink(missing_ok=True)
        with open(self._log, "ab") as log:
            self._process = process.start(["dbus-daemon", f"--config-file={self._config}", "--nofork", "--nopidfile"],
                                          stdout=log, stderr=log)
        process.wait_for(self._accepts, 10, f"dbus-daemon listens; {self._log} has what it says")

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.socket)) == 0

    def allow(self) -> None:
        """Adds the policy, as a package does that is installed while the bus runs."""
        self.policy.write_text(self._policy)
        self.busctl("call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig")

    def freeze(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Does kill -9: the socket file stays."""
        process.end(self._process)
        self._process = None

    # --- queries ---

    def run(self, args: list[str], user: Optional[str] = None) -> subprocess.CompletedProcess:
        """Runs a command as another user, with that user's groups."""
        become = ["setpriv", "--reuid", user, "--regid", user if user != "nobody" else "nogroup", "--init-groups"]
        return subprocess.run([*(become if user else []), *args], env={**os.environ, **self.environment, "LANG": "C.UTF-8"},
                              capture_output=True, text=True, check=False, timeout=30 * process.PATIENCE)

    def busctl(self, *args: str, user: Optional[str] = None) -> str:
        done = self.run(["busctl", "--system", "--no-pager", *args], user)
        if done.returncode != 0:
            raise AssertionError(f"busctl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def call(self, method: str, *args: str, user: Optional[str] = None) -> Any:
        """Calls a method of our interface. Returns the reply as busctl decodes it."""
        answer = self.busctl("--json=short", "call", NAME, PATH, NAME, method, *args, user=user)
        return json.loads(answer)["data"] if answer.strip() else None

    def refusal(self, member: str, *args: str, user: Optional[str] = None, interface: str = NAME) -> str:
        """Returns the "NAME: TEXT" of the error reply to a call; the arguments are dbus-send's."""
        done = self.run(["dbus-send", "--system", "--print-reply", f"--dest={NAME}", PATH, f"{interface}.{member}", *args],
                        user)
        if done.returncode == 0:
            raise AssertionError(f"{member} {args} was answered: {done.stdout}")
        return done.stderr.strip().removeprefix("Error ")

    def property(self, name: str, user: Optional[str] = None) -> Any:
        return json.loads(self.busctl("--json=short", "get-property", NAME, PATH, NAME, name, user=user))["data"]

    def properties(self) -> dict[str, Any]:
        answer = self.busctl("--json=short", "call", NAME, PATH, "org.freedesktop.DBus.Properties", "GetAll", "s", NAME)
        return {name: value["data"] for name, value in json.loads(answer)["data"][0].items()}

    def owner(self) -> str:
        """Returns the unique name of the owner; "" if there is none."""
        done = self.run(["busctl", "--system", "--json=short", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus",
                         "org.freedesktop.DBus", "GetNameOwner", "s", NAME])
        return json.loads(done.stdout)["data"][0] if done.returncode == 0 else ""

    def wait_for_owner(self, limit: float = 10) -> str:
        return process.wait_for(self.owner, limit, f"a program owns the name {NAME}", 0.02)


class Signals:
    """The signals of our object since the construction."""

    def __init__(self, bus: SystemBus) -> None:
        self._process = process.start(
            ["busctl", "--system", "--json=short", "monitor", f"--match=type='signal',path='{PATH}'"],
            env={**os.environ, **bus.environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.received: list[tuple[float, str, Any]] = []
        self._listens = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        process.wait_for(lambda: self._marked(bus), 10, "busctl monitor listens", 0.05)

    def _marked(self, bus: SystemBus) -> bool:
        """Not every version of busctl prints when it has begun. It has when it shows a signal of the test."""
        if self._process.poll() is not None:
            assert self._process.stderr is not None
            raise AssertionError(f"busctl monitor has ended: {self._process.stderr.read()}")
        bus.run(["dbus-send", "--system", "--type=signal", PATH, f"{NAME}.Test.Mark"])
        return self._listens.is_set()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message["member"] == "Mark":
                self._listens.set()
                continue
            self.received.append((time.monotonic(), message["member"], message["payload"]["data"]))

    def of(self, member: str) -> list[Any]:
        return [data for _, name, data in list(self.received) if name == member]

    def wait_for(self, member: str, wanted: Any, limit: float = 10) -> None:
        try:
            process.wait_for(lambda: wanted in self.of(member), limit, f"{member} {wanted}")
        except process.TimedOut as e:
            raise AssertionError(f"{e}; there was {self.of(member)}") from None

    def close(self) -> None:
        process.end(self._process)


class RawClient:
    """For measuring: one connection, calls without arguments, and only the header is decoded."""

    def __init__(self, bus: SystemBus) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10 * process.PATIENCE)
        self._socket.connect(str(bus.socket))
        self._socket.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        if not self._socket.recv(4096).startswith(b"OK "):
            raise AssertionError("not authenticated")
        self._socket.sendall(b"BEGIN\r\n")
        self._serial = 0
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")

    def send(self, destination: str, path: str, interface: str, member: str) -> int:
        self._serial += 1
        fields = b""
        for code, kind, text in ((1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", destination)):
            fields += b"\0" * (-len(fields) % 8) + struct.pack("<BB", code, 1) + kind.encode() + b"\0"
            fields += struct.pack("<I", len(text)) + text.encode() + b"\0"
        header = struct.pack("<BBBBIII", ord("l"), 1, 0, 1, 0, self._serial, len(fields)) + fields
        self._socket.sendall(header + b"\0" * (-len(header) % 8))
        return self._serial

    def call(self, destination: str, path: str, interface: str, member: str) -> int:
        """Returns the number of bytes in the reply's body."""
        return self.answer(self.send(destination, path, interface, member))

    def answer(self, serial: int) -> int:
        """Waits for the reply to a call, reading over those before it."""
        while True:
            kind, answered, body = self._receive()
            if answered == serial and kind in (2, 3):
                if kind == 3:
                    raise AssertionError("an error")
                return body

    def _receive(self) -> tuple[int, int, int]:
        order, kind, _, _, body, _, fields = struct.unpack("<BBBBIII", self._exactly(16))
        assert order == ord("l")
        header = self._exactly(fields + -fields % 8)
        self._exactly(body)
        at = header.find(b"\x05\x01u\0")  # REPLY_SERIAL
        return kind, struct.unpack_from("<I", header, at + 4)[0] if at >= 0 else 0, body

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            some = self._socket.recv(size - len(data))
            if not some:
                raise AssertionError("the bus has closed the connection")
            data += some
        return bytes(data)

    def close(self) -> None:
        self._socket.close()
