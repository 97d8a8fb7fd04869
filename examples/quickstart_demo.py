# SPDX-License-Identifier: Apache-2.0
"""Plays link changes to a portsyncd and shows the rows that follow. Started by quickstart.sh; needs the rights to make
network namespaces (root, or `unshare -Ur`). Namespaces and children die with this process, whatever ends it."""

import argparse
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Callable, NamedTuple, Optional

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
STEP_LIMIT = 10.0  # seconds until a step counts as failed
QUIET = 0.05       # seconds without an event after which rows and kernel are compared
STATE_DB = 6
PORTS = [f"Ethernet{4 * i}" for i in range(8)]

Row = Optional[dict[str, str]]  # admin, oper, mtu; None: there is no such port


class Failed(Exception):
    pass


def coloured(text: str, code: int) -> str:
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


# --- network namespaces ---

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


class Namespace:
    """A network namespace held open by a descriptor: no name, no holder process, gone with us."""

    def __init__(self) -> None:
        self.fd = self._in_thread(self._make)
        self.path = f"/proc/{os.getpid()}/fd/{self.fd}"

    @staticmethod
    def _make() -> int:
        if _libc.unshare(_CLONE_NEWNET) != 0:
            raise Failed(f"cannot make a network namespace: {os.strerror(ctypes.get_errno())}")
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    @staticmethod
    def _in_thread(function: Callable[[], object]) -> object:
        """unshare() and setns() move the calling thread alone."""
        results: list = []

        def body() -> None:
            try:
                results.append((function(), None))
            except Exception as error:  # handed to the caller
                results.append((None, error))

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        value, error = results[0]
        if error:
            raise error
        return value

    def command(self, *args: str) -> list[str]:
        return ["setpriv", "--pdeathsig", "KILL", "nsenter", "--net=" + self.path, *args]

    def run(self, *args: str, text: str = "") -> str:
        done = subprocess.run(self.command(*args), input=text, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def ip(self, *commands: str) -> None:
        self.run("ip", "-batch", "-", text="".join(command + "\n" for command in commands))

    def listener(self) -> socket.socket:
        """Returns a socket that receives the kernel's notifications about this namespace's links."""
        def inside() -> socket.socket:
            if _libc.setns(self.fd, _CLONE_NEWNET) != 0:
                raise Failed(f"setns: {os.strerror(ctypes.get_errno())}")
            s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            s.bind((0, 1))  # RTMGRP_LINK
            s.setblocking(False)
            return s
        return self._in_thread(inside)

    def ports(self) -> dict[str, Row]:
        """Returns the ports as `ip -j link` lists them: the reference for the rows."""
        rows: dict[str, Row] = {}
        for link in json.loads(self.run("ip", "-j", "link") or "[]"):
            if link["ifname"].startswith("Ethernet"):
                up = "UP" in link["flags"]
                running = up and "NO-CARRIER" not in link["flags"]
                rows[link["ifname"]] = {"admin": word(up), "oper": word(running), "mtu": str(link["mtu"])}
        return rows


def word(up: bool) -> str:
    return "up" if up else "down"


class LinkNotifications:
    """Reads RTM_NEWLINK and RTM_DELLINK, and returns the new state of the ports."""

    def __init__(self, namespace: Namespace) -> None:
        self.socket = namespace.listener()
        self._names: dict[int, str] = {}

    def read(self) -> list[tuple[str, Row]]:
        changes: list[tuple[str, Row]] = []
        while True:
            try:
                data = self.socket.recv(65536)
            except BlockingIOError:
                return changes
            at = 0
            while at + 16 <= len(data):
                size, kind = struct.unpack_from("=IH", data, at)
                changes += self._change(kind, data[at + 16:at + size])
                at += (size + 3) & ~3

    def _change(self, kind: int, payload: bytes) -> list[tuple[str, Row]]:
        if kind not in (16, 17) or payload[0] != socket.AF_UNSPEC:
            return []
        _, _, _, index, flags, _ = struct.unpack_from("=BBHiII", payload)
        name, mtu, at = "", 0, 16
        while at + 4 <= len(payload):
            size, attribute = struct.unpack_from("=HH", payload, at)
            value = payload[at + 4:at + size]
            if attribute == 3:
                name = value.rstrip(b"\0").decode()
            elif attribute == 4:
                mtu = struct.unpack("=I", value)[0]
            at += max(4, (size + 3) & ~3)
        before = self._names.pop(index, name)
        gone: list[tuple[str, Row]] = [(before, None)] if kind == 17 or before != name else []
        if kind == 17:
            return gone
        self._names[index] = name
        return gone + [(name, {"admin": word(bool(flags & 1)), "oper": word(bool(flags & 0x40)), "mtu": str(mtu)})]


# --- where the rows are ---

class Connection:
    """As much of Redis' protocol as this needs."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(path)
        self._buffer = b""

    def call(self, *words: str) -> object:
        parts = [f"*{len(words)}\r\n".encode()]
        for w in words:
            parts.append(f"${len(w.encode())}\r\n{w}\r\n".encode())
        self.socket.sendall(b"".join(parts))
        return self.reply()

    def reply(self) -> object:
        line = self._take(self._until(b"\r\n"))[:-2].decode()
        kind, rest = line[0], line[1:]
        if kind == "-":
            raise Failed(f"Redis: {rest}")
        if kind == "$":
            return None if rest == "-1" else self._take(int(rest) + 2)[:-2].decode()
        if kind == "*":
            return [self.reply() for _ in range(int(rest))]
        return int(rest) if kind == ":" else rest

    def pending(self) -> bool:
        return bool(self._buffer) or bool(select.select([self.socket], [], [], 0)[0])

    def hash(self, key: str) -> dict[str, str]:
        flat = self.call("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def _until(self, mark: bytes) -> int:
        while mark not in self._buffer:
            self._fill()
        return self._buffer.index(mark) + len(mark)

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _fill(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise Failed("Redis closed the connection")
        self._buffer += data


class RedisRows:
    """STATE_DB of a private redis-server, whose keyspace events report changed rows."""

    what = "a subscriber of Redis had read the right row"

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "redis.sock")
        if not shutil.which("redis-server"):
            raise Failed("redis-server is missing")
        args = ["redis-server", "--port", "0", "--unixsocket", self.path, "--save", "", "--appendonly", "no", "--dir",
                str(folder), "--notify-keyspace-events", "Kgh"]
        with open(folder / "redis.log", "wb") as log:
            self.server = start(["setpriv", "--pdeathsig", "KILL", *args], stdout=log, stderr=log)
        wait_for(lambda: self.server.poll() is not None or self._answers(), "redis-server answers")
        self.rows_db, self.subscriber = Connection(self.path), Connection(self.path)
        self.rows_db.call("SELECT", str(STATE_DB))
        self.subscriber.call("PSUBSCRIBE", f"__keyspace@{STATE_DB}__:PORT_TABLE|*")
        # Another program's field, which must survive.
        self.rows_db.call("HSET", "PORT_TABLE|Ethernet0", "speed", "100000")
        self.socket = self.subscriber.socket

    def _answers(self) -> bool:
        try:
            return Connection(self.path).call("PING") == "PONG"
        except (OSError, Failed):
            return False

    def config(self) -> str:
        return f'[database]\nredis_socket = "{self.path}"\nstate_db_number = {STATE_DB}\n'

    def options(self) -> list[str]:
        return []

    def read(self) -> list[tuple[str, Row]]:
        """Rows that have changed, as they are now."""
        ports = []
        while self.subscriber.pending():
            ports.append(self.subscriber.reply()[2].split("|", 1)[1])
        return [(port, self.row(port)) for port in dict.fromkeys(ports)]

    def row(self, port: str) -> Row:
        fields = self.rows_db.hash("PORT_TABLE|" + port)
        if "state" not in fields:
            return None
        return {"admin": fields.get("admin_status", "?"), "oper": fields.get("netdev_oper_status", "?"),
                "mtu": fields.get("mtu", "?")}

    def differences(self, kernel: dict[str, Row]) -> list[str]:
        names = {key.split("|", 1)[1] for key in self.rows_db.call("KEYS", "PORT_TABLE|*")} | kernel.keys()
        rows = {name: self.row(name) for name in sorted(names)}
        found = [f"{name}: kernel {text(kernel.get(name))}, row {text(row)}"
                 for name, row in rows.items() if row != kernel.get(name)]
        index = {name: row["oper"] for name, row in kernel.items()}
        if self.rows_db.hash("PORT_TABLE") != index:
            found.append("the hash PORT_TABLE differs")
        if self.rows_db.hash("PORT_TABLE|Ethernet0").get("speed") != "100000":
            found.append("somebody else's field of Ethernet0 is gone")
        return found

    def attach(self, daemon: subprocess.Popen) -> None:
        pass

    def close(self) -> None:
        end(self.server)


class JsonRows:
    """The rows that portsyncd --json-lines writes to a pipe."""

    what = "the reader of portsyncd's output had the right JSON line"

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._buffer = b""
        self.socket = None

    def config(self) -> str:
        return ""

    def options(self) -> list[str]:
        return ["--json-lines"]

    def attach(self, daemon: subprocess.Popen) -> None:
        self.socket = daemon.stdout
        os.set_blocking(self.socket.fileno(), False)

    def read(self) -> list[tuple[str, Row]]:
        changes: list[tuple[str, Row]] = []
        while True:
            data = self.socket.read(65536)
            if not data:
                self._rows.update(changes)
                return changes
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            for line in map(json.loads, lines):
                row = {"admin": line["admin_status"], "oper": line["netdev_oper_status"], "mtu": str(line["mtu"])} \
                    if line["event"] == "put" else None
                changes.append((line["port"], row))

    def row(self, port: str) -> Row:
        return self._rows.get(port)

    def differences(self, kernel: dict[str, Row]) -> list[str]:
        return [f"{name}: kernel {text(kernel.get(name))}, row {text(self._rows.get(name))}"
                for name in sorted(self._rows.keys() | kernel.keys()) if self._rows.get(name) != kernel.get(name)]

    def close(self) -> None:
        pass


# --- processes ---

def start(args: list[str], **options: object) -> subprocess.Popen:
    # In a session of its own, so that Ctrl-C reaches only this program, which then ends the others in order.
    return subprocess.Popen(args, stdin=subprocess.DEVNULL, start_new_session=True, **options)


def end(process: Optional[subprocess.Popen]) -> None:
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + STEP_LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"not within {STEP_LIMIT:g} s: {what}")
        time.sleep(0.01)


# --- the play ---

class Step(NamedTuple):
    title: str
    commands: tuple[str, ...]        # as after `ip`, in the namespace of the ports
    expected: dict[str, Row]         # what the kernel has to show in the end
    far_commands: tuple[str, ...] = ()  # in the namespace of the far ends


def row(admin: str, oper: str, mtu: int = 1500) -> Row:
    return {"admin": admin, "oper": oper, "mtu": str(mtu)}


UP, DOWN, NO_CARRIER = row("up", "up"), row("down", "down"), row("up", "down")


def create(number: int, index: int, far: Namespace) -> str:
    # Port and far end never share an ifindex: the kernel would report at most 100 carrier changes a second.
    return (f"link add name Ethernet{4 * number} index {index} type veth "
            f"peer name far{4 * number} index {20000 + index} netns {far.path}")


def steps(far: Namespace) -> list[Step]:
    # Kernels before 6.2 rename links only while they are down.
    return [
        Step("admin down", ("link set Ethernet0 down",), {"Ethernet0": DOWN}),
        Step("admin up", ("link set Ethernet0 up",), {"Ethernet0": UP}),
        Step("carrier lost", (), {"Ethernet4": NO_CARRIER}, ("link set far4 down",)),
        Step("carrier back", (), {"Ethernet4": UP}, ("link set far4 up",)),
        Step("MTU", ("link set Ethernet8 mtu 9100",), {"Ethernet8": row("up", "up", 9100)}),
        Step("renamed away", ("link set Ethernet12 down", "link set Ethernet12 name uplink"), {"Ethernet12": None}),
        Step("renamed back", ("link set uplink name Ethernet12", "link set Ethernet12 up"), {"Ethernet12": UP}),
        Step("deleted", ("link del Ethernet16",), {"Ethernet16": None}),
        Step("created again", (create(4, 300, far), "link set Ethernet16 up"), {"Ethernet16": UP}, ("link set far16 up",)),
        Step("all carriers lost", (), {p: row("up", "down", 9100 if p == "Ethernet8" else 1500) for p in PORTS},
             tuple(f"link set far{4 * i} down" for i in range(8))),
        Step("all carriers back", (), {p: row("up", "up", 9100 if p == "Ethernet8" else 1500) for p in PORTS},
             tuple(f"link set far{4 * i} up" for i in range(8))),
    ]


def text(of: Row) -> str:
    return "no row" if of is None else f"admin={of['admin']:<4} oper={of['oper']:<4} mtu={of['mtu']}"


class Play:
    def __init__(self, program: str, rows: object, folder: Path) -> None:
        self.rows = rows
        self.dut, self.far = Namespace(), Namespace()
        self.dut.ip("link set lo up", *(create(i, 100 + i, self.far) for i in range(8)))
        self.dut.ip(*(f"link set {port} up" for port in PORTS))
        self.far.ip(*(f"link set far{4 * i} up" for i in range(8)))
        self.links = LinkNotifications(self.dut)
        self.log = folder / "portsyncd.log"
        config = folder / "portsyncd.conf"
        config.write_text(rows.config())
        self.started = time.monotonic()
        with open(self.log, "wb") as log:
            self.daemon = start(self.dut.command(program, "--config", str(config), *rows.options()),
                                stdout=subprocess.PIPE, stderr=log)
        rows.attach(self.daemon)
        self.equal = True

    def run(self) -> bool:
        _, differences = self._watch({port: UP for port in PORTS})
        if differences:
            raise Failed("the first rows differ from the kernel:\n" + "\n".join(differences) + "\n" + self.log.read_text())
        print(f"portsyncd runs; its first rows equalled the kernel's 8 links {time.monotonic() - self.started:.2f} s "
              "after its start\n")
        self._print("step", "command", "row that followed", "latency", "", code=1)
        for step in steps(self.far):
            self._play(step)
            if not self.equal:
                return False
        self._stop()
        return self.equal

    def _play(self, step: Step) -> None:
        self._collect(0)  # what came late from the step before
        began = time.monotonic()
        if step.commands:
            self.dut.ip(*step.commands)
        if step.far_commands:
            self.far.ip(*step.far_commands)
        latency, differences = self._watch(step.expected)
        shown = [("ip " + c) for c in step.commands] + [f"ip {c} (far end)" for c in step.far_commands]
        shown = [c.split(" netns ")[0].replace(" type veth", "").split(" peer ")[0] for c in shown]
        port = next(iter(step.expected))
        more = f" and {len(step.expected) - 1} more" if len(step.expected) > 1 else ""
        if len(step.far_commands) > 1:
            shown = [shown[0], f"and {len(step.far_commands) - 1} more"]
        measured = "" if latency is None else f"{latency * 1000:.2f} ms"
        verdict = coloured("DIFFERS", 31) if differences else coloured("equal", 32)
        self._print(step.title, shown[0], f"{port} {text(self.rows.row(port))}{more}", measured, verdict)
        for command in shown[1:]:
            self._print("", command, "", "", "")
        for difference in differences:
            print(f"    after {time.monotonic() - began:.1f} s {difference}")
        self.equal = self.equal and not differences

    @staticmethod
    def _print(title: str, command: str, followed: str, latency: str, verdict: str, code: int = 0) -> None:
        print(coloured(f"{title:<17} {command:<38} {followed:<50} {latency:>8}", code).rstrip() +
              (f"  {verdict}" if verdict else ""), flush=True)

    def _watch(self, expected: dict[str, Row]) -> tuple[Optional[float], list[str]]:
        """Waits until the kernel is as expected and every row equals it; the slowest row's latency, what differs."""
        reported: dict[str, list[tuple[float, Row]]] = {}
        seen: dict[str, list[tuple[float, Row]]] = {}
        deadline = time.monotonic() + STEP_LIMIT
        while True:
            if self._collect(QUIET, reported, seen):
                continue
            kernel = self.dut.ports()
            differences = self.rows.differences(kernel)
            differences += [f"{port}: expected {text(row)}, kernel {text(kernel.get(port))}"
                            for port, row in expected.items() if kernel.get(port) != row]
            if not differences or time.monotonic() > deadline:
                break
            self._check_daemon()
        self._collect(0, reported, seen)  # a row that was stored during the comparison
        pairs = [(final_since(seen.get(port, []), row), final_since(reported.get(port, []), row))
                 for port, row in expected.items()]
        latencies = [max(0.0, row_at - link_at) for row_at, link_at in pairs if row_at is not None and link_at is not None]
        return (max(latencies) if latencies else None), differences

    def _collect(self, patience: float, reported: Optional[dict] = None, seen: Optional[dict] = None) -> bool:
        """Notes what kernel and rows have said; False when neither has said anything."""
        ready = select.select([self.links.socket, self.rows.socket], [], [], patience)[0]
        # The kernel's side first: a row never comes before what it answers.
        for source, reader, into in ((self.links.socket, self.links, reported), (self.rows.socket, self.rows, seen)):
            if source in ready:
                for port, row in reader.read():
                    if into is not None:
                        into.setdefault(port, []).append((time.monotonic(), row))
        self._check_daemon()
        return bool(ready)

    def _check_daemon(self) -> None:
        if self.daemon.poll() is not None:
            raise Failed(f"portsyncd ended with {self.daemon.returncode}:\n{self.log.read_text()}")

    def _stop(self) -> None:
        self.daemon.send_signal(signal.SIGTERM)
        try:
            status = self.daemon.wait(STEP_LIMIT)
        except subprocess.TimeoutExpired:
            raise Failed("portsyncd did not end on SIGTERM") from None
        if status != 0:
            raise Failed(f"portsyncd ended with {status}:\n{self.log.read_text()}")

    def statistics(self) -> dict[str, str]:
        lines = [line for line in self.log.read_text().splitlines() if " statistics " in line]
        return dict(pair.split("=", 1) for pair in lines[-1].split() if "=" in pair) if lines else {}

    def close(self) -> None:
        end(self.daemon)


def final_since(history: list[tuple[float, Row]], final: Row) -> Optional[float]:
    """Since when the history has stayed at its final state."""
    since = None
    for at, row_then in history:
        if row_then != final:
            since = None
        elif since is None:
            since = at
    return since


def play(program: str, no_redis: bool, folder: Path) -> bool:
    rows = JsonRows() if no_redis else RedisRows(folder)
    try:
        it = Play(program, rows, folder)
        try:
            equal = it.run()
        finally:
            it.close()
    finally:
        rows.close()
    if not equal:
        print(coloured("\nRows and kernel differed. What portsyncd said:", 31))
        print(it.log.read_text())
        return False
    counted = it.statistics()
    print(f"\nLatency: from when an independent listener read the kernel's message to when {rows.what}.\n"
          "Both are this Python program, whose own share is in it. portsyncd's own count, message read to row\n"
          f"acknowledged: p50 {counted['latency_us_p50']} us, p99 {counted['latency_us_p99']} us; {counted['writes']} rows "
          f"written, {counted['erases']} removed.")
    print(coloured("Every row equalled the kernel after every step.", 32))
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-redis", action="store_true", help="rows as JSON lines")
    parser.add_argument("portsyncd", help="the program")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    folder = Path(tempfile.mkdtemp(prefix="portsync-quickstart-"))
    os.environ["RUNTIME_DIRECTORY"] = str(folder)  # portsyncd's control socket: not the one of the machine's own
    try:
        return 0 if play(args.portsyncd, args.no_redis, folder) else 1
    except KeyboardInterrupt:
        print("\ninterrupted; everything is cleaned up", file=sys.stderr)
        return 130
    except (Failed, OSError) as error:
        print(f"quickstart: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
