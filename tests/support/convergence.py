# SPDX-License-Identifier: Apache-2.0
"""Whatever happens: in the end STATE_DB equals the kernel, and no write was in vain or astray.

A run is a list of operations: those of link_model, the faults below, and ("settle",), where trouble ends and everything
is checked. Like link operations, faults can be carried out in any order: what does not apply does nothing.
"""

import math
import time
from typing import Any, Callable, Optional

from support import netns, process, resp
from support.case import FAR_INDEX, SANITIZED, Case
from support.link_model import Cable, Links, Operation
from support.refusals import REFUSALS
from support.row_watch import RowWatch

STEADY = 8  # the first cables are the load generator's; they always exist
BUFFERS = (4096, 1 << 18, 16 << 20)
# Longer than a reconnect takes (a time-out of 1 s and a pause of 1 s), shorter than the 10 s of silence after which a
# probe would find what an overrun left wrong.
SETTLE_LIMIT = 7.0
RSS_GROWTH = 2 << 20  # what a daemon may grow by between its second settle and any later one


class World(Case):
    """One run: namespaces, a Redis and a portsyncd of its own."""

    dut_index = 1_000_000  # out of the way of the indexes that the kernel gives by itself
    settle_limit = SETTLE_LIMIT
    autostart = False

    def runTest(self) -> None:
        pass

    def setUp(self) -> None:
        super().setUp()
        self.redis.kill()
        self.addCleanup(self._close)
        self.watch: Optional[RowWatch] = None
        self.running: Optional[Any] = None   # the load generator
        self.refusing: Optional[str] = None
        self.frozen = self.redis_stopped = self.unrepaired = False
        self.edited: set[str] = set()  # rows that may be of no port: a scan finds them, not an audit
        self.judged = self.settles = 0
        cables = [Cable(i, self.dut_index + i, self.port(i)) for i in range(self.ports)]
        self.links = Links(self.dut, self.far, cables, self.dut_index + 10 * self.ports, FAR_INDEX + 10 * self.ports)
        self._start_redis()
        self._daemon_start(0, 1)

    def _close(self) -> None:
        self.links.close()
        if self.watch:
            self.watch.close()

    def carry_out(self, operations: list[Operation], end: float) -> None:
        for number, (kind, *args) in enumerate(operations):
            try:
                fault = getattr(self, "_" + kind, None)
                if fault:
                    fault(*args)
                else:
                    self.links.apply((kind, *args))
                if kind == "settle" and time.monotonic() > end:
                    return
            except (AssertionError, RuntimeError, OSError, resp.RedisError) as e:
                raise Failed(number, f"{type(e).__name__} at operation {number}, {kind} {args}: {e}") from e

    # --- portsyncd ---

    def _daemon_start(self, audit: int, buffer: int) -> None:
        """Audits every second, or never: then nothing puts right what a lost message or answer left wrong."""
        if self.daemon and self.daemon.alive():
            return
        self.audited = bool(audit)
        self.levels: list[tuple[int, int]] = []
        self.start({"database": {"redis_host": "127.0.0.1", "redis_socket": "", "connection_timeout_secs": 1},
                    "sync": {"audit_interval_secs": int(audit)},
                    "netlink": {"receive_buffer_bytes": BUFFERS[buffer]}}, ready=False)

    def _daemon_kill(self, gently: int) -> None:
        self._thaw()
        if not self.daemon.alive():
            return
        if gently:
            code = self.daemon.terminate()
            if self.daemon.log():  # else it had only just begun, and signals did what they do by themselves
                self.assertEqual(code, 0)
        else:
            self.daemon.kill()
        self.daemon.close()

    def _freeze(self) -> None:
        if self.daemon.alive():
            self.daemon.freeze()
            self.frozen = True

    def _thaw(self) -> None:
        if self.frozen:
            self.daemon.thaw()
        self.frozen = False

    # --- the kernel's messages ---

    def _overrun(self, changes: int) -> None:
        self._unload()
        self.finish(self.load("mixed", changes))

    def load(self, kind: str, count: int = 0, first: int = 0) -> Any:
        whole, self.ports = self.ports, STEADY
        try:
            return super().load(kind, count, first)
        finally:
            self.ports = whole

    def _load(self, kind: str) -> None:
        self.running = self.running or self.load(kind)

    def _unload(self) -> None:
        if self.running:
            self.finish(self.running)
        self.running = None

    def _spoof(self, number: int) -> None:
        index = self.links.cables[number].index
        lie = netns.attribute(netns.IFLA_IFNAME, b"Ethernet0\0") + netns.attribute(netns.IFLA_MTU, b"\x9a\2\0\0")
        with self.dut.netlink() as forger:
            forger.sendto(netns.link_message(netns.RTM_NEWLINK, 0, index, attrs=lie), (0, 1))
            forger.sendto(netns.link_message(netns.RTM_DELLINK, 0, self.dut_index), (0, 1))

    def _nap(self, milliseconds: int) -> None:
        """Lets the daemon get somewhere between two bursts: a different interleaving, not a hope."""
        time.sleep(milliseconds / 1000)

    # --- Redis ---

    def _start_redis(self, *options: str) -> None:
        """portsyncd, which comes by TCP, is let in when every command is watched."""
        self.redis.start("--port", "0", *options)
        self.watch = RowWatch(self.redis)
        self.plant()
        self.redis.config("port", 6379)

    def _redis_up(self) -> bool:
        return self.watch is not None and not self.redis_stopped and self.refusing is None

    def _redis_save(self) -> None:
        if self._redis_up():
            self.redis.db.call("SAVE")

    def _redis_kill(self, empty: int) -> None:
        self._unrefuse()
        self._redis_continue()
        if self.watch:
            self._judge_writes()
            self.watch.close()
            self.watch = None
            self.redis.kill()
        if empty:
            self.redis.forget()

    def _redis_start(self) -> None:
        if self.watch is None:
            self._start_redis()

    def _redis_stop(self) -> None:
        if self._redis_up():
            self.redis.stop_process()
            self.redis_stopped = True

    def _redis_continue(self) -> None:
        if self.redis_stopped:
            self.redis.continue_process()
        self.redis_stopped = False

    def _pause(self, milliseconds: int, what: str) -> None:
        if self._redis_up():
            if self.watch:
                self.watch.lose_sight()
            self.redis.db.call("CLIENT", "PAUSE", milliseconds, what)

    def _client_kill(self) -> None:
        if self._redis_up():
            self.redis.kill_clients()

    def _judge_writes(self) -> None:
        if self.watch and not self.redis_stopped:
            self.watch.read()
            self.judged += self.watch.judged
            self.watch.judged = 0
            if self.watch.wrong:
                raise AssertionError("; ".join(self.watch.wrong[:5]))

    # --- others write to our rows: an audit, or the next connection, finds it ---

    def _delete_row(self, number: int) -> None:
        if self._redis_up():
            self.redis.db.call("DEL", f"PORT_TABLE|{self.port(number)}")
            self._plant_again(number)
            self.unrepaired = True

    def _edit_row(self, number: int) -> None:
        if self._redis_up():
            key = f"PORT_TABLE|{self.port(number)}"
            self.redis.db.call("HSET", key, "mtu", "1", "admin_status", "sideways")
            self.redis.db.call("HDEL", key, "state")
            self.unrepaired = True
            self.edited.add(self.port(number))

    def _edit_index(self, number: int) -> None:
        if self._redis_up():
            if self.redis.db.call("HDEL", "PORT_TABLE", self.port(number)):
                self.unrepaired = True

    def _flushdb(self) -> None:
        if self._redis_up():
            self.redis.db.call("FLUSHDB")
            self.plant()
            self.unrepaired = True

    def _plant_again(self, number: int) -> None:
        key = f"PORT_TABLE|{self.port(number)}"
        self.plant_row(key, {"speed": "100000", "supported_speeds": f"{number}"})

    # --- error replies ---

    def _refuse(self, kind: str) -> None:
        if self._redis_up():
            self._judge_writes()
            self.watch.may_repeat = True
            self.unrepaired = self.unrepaired or kind.startswith("wrongtype")
            self._end_refusal = REFUSALS[kind](self.redis, f"PORT_TABLE|{self.port(self.ports - 1)}")
            self.refusing = kind

    def _unrefuse(self) -> None:
        if self.refusing:
            self._end_refusal()
        if self.refusing == "wrongtype":
            self._plant_again(self.ports - 1)
        self.refusing = None

    # --- the end of trouble ---

    def _settle(self) -> None:
        self._thaw()
        self._unload()
        self._unrefuse()
        self._redis_continue()
        self._redis_start()
        self._daemon_start(0, 1)
        old: set[int] = set()
        if (self.unrepaired and not self.audited) or not self.edited <= self.links.names():
            old = set(self.redis.client_ids())
            self.redis.kill_clients()
        self.unrepaired = False
        self.edited.clear()
        process.wait_for(lambda: set(self.redis.client_ids()) - old, self.settle_limit, "portsyncd is connected")
        self.wait_equal()
        there = {name for name in self.dut.links() if not name.startswith(("lo", "br")) and "." not in name}
        self.assertEqual(self.links.names(), there, "the test's own model of the links")
        self.watch.check()
        self._judge_writes()
        self.watch.may_repeat = False
        self.assertEqual(self.daemon.complaints(), [])
        self.assertTrue(self.daemon.alive(), "portsyncd has ended")
        self._check_levels()
        self.settles += 1

    def _check_levels(self) -> None:
        """The first settle of a daemon is warming up; the second is what the later ones are compared with."""
        self.levels.append((self.daemon.descriptors(), self.daemon.rss_bytes()))
        if len(self.levels) < 3:
            return
        descriptors, rss = self.levels[1]
        process.wait_for(lambda: self.daemon.descriptors() <= descriptors, 5, f"no more than {descriptors} descriptors")
        if not SANITIZED:
            self.assertLess(self.daemon.rss_bytes() - rss, RSS_GROWTH, f"RSS was {rss}")


class Failed(Exception):
    """A run failed at an operation of this number."""

    def __init__(self, operation: int, text: str) -> None:
        super().__init__(text)
        self.operation = operation


def carry_out(ports: int, operations: list[Operation], end: float = math.inf) -> World:
    """In namespaces of its own; Failed when something was wrong. It ends early when the time is up."""
    world = World()
    world.ports = ports
    try:
        world.setUp()
        world.carry_out(operations, end)
    except Failed as e:
        last = "\n".join(world.daemon.log().splitlines()[-25:]) if world.daemon else ""
        raise Failed(e.operation, f"{e}\n--- the last lines of portsyncd's log:\n{last}") from None
    finally:
        world.doCleanups()
    return world
