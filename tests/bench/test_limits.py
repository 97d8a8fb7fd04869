# SPDX-License-Identifier: Apache-2.0
"""The limits on what an event costs in Redis commands, system calls and allocations. Release builds only."""

import signal
import struct
import subprocess
import time
import unittest
from pathlib import Path
from typing import Callable

from support import limits, process
from support.case import DUT_INDEX, Case
from support.netns import IFLA_MTU, NLM_F_ACK, NLM_F_REQUEST, RTM_NEWLINK, attribute, link_message

# The commands that the test sends to Redis; all others are the daemon's.
ASKED_BY_THE_TEST = {"info", "hget", "hgetall", "scan", "get", "exists", "select", "auth"}
EVENTS = 3000
IFLA_ADDRESS = 1


class Limits(Case):
    ports = 64
    # Each log line would be a write, and each look for a bus a thread.
    config = {"logging": {"level": "warning"}, "sync": {"audit_interval_secs": 0}, "dbus": {"enabled": "false"}}

    def setUp(self) -> None:
        super().setUp()
        self.requests = self.dut.netlink()
        self.addCleanup(self.requests.close)
        self.mtu = 1500

    def commands(self) -> int:
        counts = self.redis.info("commandstats")
        return sum(int(limits.number(r"calls=(\d+)", stat)) for name, stat in counts.items()
                   if name[len("cmdstat_"):].partition("|")[0] not in ASKED_BY_THE_TEST)

    def wait_field(self, port: int, field: str, value: str) -> None:
        key = f"PORT_TABLE|{self.port(port)}"
        process.wait_for(lambda: self.redis.db.call("HGET", key, field) == value, 10, f"{key} has {field} {value}",
                         0.001)

    def request(self, port: int, kind: int, value: bytes) -> None:
        attrs = attribute(kind, value)
        self.requests.send(link_message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, DUT_INDEX + port, attrs=attrs))
        answer = self.requests.recv(4096)
        self.assertEqual(struct.unpack_from("=i", answer, 16), (0,), "the kernel refused a change")

    def change_mtu(self, port: int) -> None:
        """Makes one change and waits for its row."""
        self.mtu = 1400 + (self.mtu + 1) % 100
        self.request(port, IFLA_MTU, struct.pack("=I", self.mtu))
        self.wait_field(port, "mtu", str(self.mtu))

    def settle_commands(self) -> None:
        """Waits until the replies to earlier commands have been read: when a later change has its row."""
        self.change_mtu(self.ports - 1)
        self.change_mtu(self.ports - 1)


class RedisCommands(Limits):
    config = {**Limits.config, "logging": {"level": "info"}}  # for the statistics

    def test_redis_commands_per_change(self) -> None:
        self.settle_commands()
        before = self.commands()
        for port in range(20):
            self.change_mtu(port)
        limits.check(self, "Redis commands per mtu change", (self.commands() - before) / 20)
        before = self.commands()
        for port in range(20):
            self.far.ip(f"link set p{port} down")
            self.wait_field(port, "netdev_oper_status", "down")
        limits.check(self, "Redis commands per carrier change", (self.commands() - before) / 20)

    def test_redis_commands_per_change_that_no_row_shows(self) -> None:
        self.settle_commands()
        before = self.commands()
        unchanged = self.daemon.statistics()["unchanged"]
        self.finish(self.load("alias", EVENTS))
        self.finish(self.load("group", EVENTS))
        for port in range(self.ports):
            self.request(port, IFLA_ADDRESS, bytes([2, 0, 0, 0, 1, port]))
        self.settle_commands()
        own = 2  # the two mtu changes of settle_commands()
        limits.check(self, "Redis commands per change that no row shows", self.commands() - before - own)
        self.assertGreater(self.daemon.statistics()["unchanged"], unchanged)  # the daemon has read the address changes

    def test_redis_commands_of_a_drain(self) -> None:
        self.settle_commands()
        batches, commands = self.daemon.statistics()["batches"], self.commands()
        self.daemon.freeze()
        self.finish(self.load("mtu", EVENTS))
        self.daemon.thaw()
        self.wait_equal()
        sent, made = self.commands() - commands, self.daemon.statistics()["batches"] - batches
        limits.check(self, "Redis commands beyond the rows per batch, drain of 3,000 events",
                     max(sent - made * self.ports, 0) / made)
        # The events must come in a handful of batches, because otherwise the figure above means nothing.
        self.assertLess(sent, EVENTS / 4)


class SystemCalls(Limits):
    def system_calls(self, action: Callable[[], None]) -> int:
        summary = self.directory / "strace"
        strace = subprocess.Popen([limits.need("strace"), "-f", "-c", "-qq", "-o", str(summary), "-p",
                                   str(self.daemon.pid)], stderr=subprocess.DEVNULL)
        self.addCleanup(process.end, strace)
        status = Path(f"/proc/{self.daemon.pid}/status")

        def traced() -> bool:
            if strace.poll() is not None:
                self.skipTest("strace may not trace here")
            return "TracerPid:\t0\n" not in status.read_text()

        process.wait_for(traced, 10, "strace has attached")
        action()
        strace.send_signal(signal.SIGINT)
        strace.wait(10)
        rows = (line.split() for line in summary.read_text().splitlines())
        return sum(int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit() and row[-1] != "total")

    def test_system_calls_per_change(self) -> None:
        self.settle_commands()
        changes = 200

        def change() -> None:
            for i in range(changes):
                self.change_mtu(i % self.ports)

        began = time.monotonic()
        calls = self.system_calls(change)
        # Once a second the daemon does housekeeping, whatever there is to do.
        housekeeping = 15 * (time.monotonic() - began)
        limits.check(self, "system calls per change, one at a time", max(calls - housekeeping, 0) / changes)
        self.assertGreaterEqual(calls, 2 * changes)

    def test_system_calls_of_a_drain(self) -> None:
        self.daemon.freeze()
        self.finish(self.load("mtu", EVENTS))

        def drain() -> None:
            self.daemon.thaw()
            self.wait_equal()

        limits.check(self, "system calls per event, drain of 3,000 events", self.system_calls(drain) / EVENTS)


class Allocations(unittest.TestCase):
    def test_allocations_per_event(self) -> None:
        for what, name in (("decode", "decode"), ("coalesce", "decode and coalesce")):
            limits.check(self, f"allocations per event, {name}", limits.allocations(what))
