# SPDX-License-Identifier: Apache-2.0
"""
In the end STATE_DB equals the kernel, no write was redundant or of other writers' data, and the verdict was true.

A run is a list of operations: those of link_model, the faults of faults_kernel, faults_redis, faults_config and of
this file, and ("settle",), which ends all trouble and checks everything. Faults, like link operations, can be carried
out in any order: an operation that does not apply does nothing.
"""

import json
import math
import socket
import time
from collections import Counter
from typing import Any

from support import process, resp
from support.case import FAR_INDEX, SANITIZED
from support.faults_config import FILTERS, NOTHING, ConfigFaults
from support.faults_kernel import CHURNED
from support.honesty import Honesty
from support.link_model import Cable, Links, Operation

BUFFERS = (4096, 1 << 18, 16 << 20)
# Longer than a reconnect takes (a timeout of 1 s and a pause of 1 s), and shorter than the 10 s of silence after which
# a probe would find what an overrun left wrong.
SETTLE_LIMIT = 7.0
RSS_GROWTH = 2 << 20  # how much a daemon may grow between its second settle and any later one


class World(ConfigFaults):
    """One run: namespaces, a Redis and a portsyncd of its own."""

    dut_index = 1_000_000  # above the indexes that the kernel chooses by itself
    settle_limit = SETTLE_LIMIT
    autostart = False

    def runTest(self) -> None:
        pass

    def setUp(self) -> None:
        super().setUp()
        self.redis.kill()
        self.settles = 0
        self.faults: Counter[str] = Counter()
        cables = [Cable(i, self.dut_index + i, self.port(i)) for i in range(self.ports)]
        self.links = Links(self.dut, self.far, cables, self.dut_index + 10 * self.ports, FAR_INDEX + 10 * self.ports)
        self.honesty = Honesty(self.dut, self.redis, [self.port(i) for i in range(2 * self.ports)] + CHURNED)
        self.addCleanup(self._close)
        self._start_redis()

    def _close(self) -> None:
        self._await_lock()
        self.honesty.close()
        self.links.close()
        if self.watch:
            self.watch.close()

    def carry_out(self, operations: list[Operation], end: float) -> None:
        for number, (kind, *args) in enumerate(operations):
            try:
                fault = getattr(self, "_" + kind, None)
                if fault:
                    self.keep_connected()
                    fault(*args)
                    self.faults[" ".join([kind, *(x for x in args if isinstance(x, str))])] += 1
                else:
                    self.links.apply((kind, *args))
                if self.honesty.wrong:
                    raise AssertionError("; ".join(self.honesty.wrong[:5]))
                if kind == "settle" and time.monotonic() > end:
                    return
            except (AssertionError, RuntimeError, OSError, resp.RedisError) as e:
                raise Failed(number, f"{type(e).__name__} at operation {number}, {kind} {args}: {e}") from e

    # --- portsyncd ---

    def _daemon_start(self, audit: int, buffer: int, full_audit_every: int = 1, scope: int = 0) -> None:
        """
        Starts portsyncd with audits every `audit` seconds, or none (0). Without them, nothing corrects what a loss left
        wrong.
        """
        if self.alive():
            return
        self.audited, self.scope = bool(audit), scope
        self.levels: list[tuple[int, int]] = []
        if scope and not self._known_by_config_db():
            self.configured = None
        self.start({"database": {"redis_host": "127.0.0.1", "redis_socket": "", "connection_timeout_secs": 1},
                    "ports": {"match": FILTERS[self.filter], "scope": ("all", "configured")[scope]},
                    "sync": {"audit_interval_secs": int(audit), "full_audit_every": full_audit_every},
                    "netlink": {"receive_buffer_bytes": BUFFERS[buffer]},
                    # No judgement over the last minute: a verdict that is not Healthy for long would hide one that
                    # should not be.
                    "performance": {"max_latency_us": 60_000_000, "min_success_rate": 0.0},
                    "health": {"max_failure_rate_percent": 100.0}}, ready=False)
        self.honesty.expect(daemon=self.daemon, audit=audit, full_audit_every=full_audit_every,
                            match=tuple(FILTERS[self.filter]), configured=self.configured if scope else None,
                            known=not scope or self.configured is not None)

    def _known_by_config_db(self) -> bool:
        return self._writable() and self._config("GET", "CONFIG_DB_INITIALIZED") == "1"

    def _daemon_kill(self, gently: int) -> None:
        self._thaw()
        if not self.alive():
            return
        self.honesty.expect(daemon=None)
        if gently:
            code = self.daemon.terminate()
            if self.daemon.log():  # otherwise portsyncd had not handled signals yet
                self.assertEqual(code, 0)
        else:
            self.daemon.kill()
        self.daemon.close()

    def _freeze(self) -> None:
        if self.alive():
            self.honesty.expect(daemon=None)
            self.daemon.freeze()
            self.frozen = True

    def _thaw(self) -> None:
        if self.frozen:
            self.daemon.thaw()
            self.honesty.expect(daemon=self.daemon)
        self.frozen = False

    def _linger(self) -> None:
        """Waits for as long as a row may differ while the verdict is Healthy, and one more second."""
        if self.alive() and self.audited:
            time.sleep(self.honesty.allowed() + 1)

    # --- the end of trouble ---

    def _settle(self) -> None:
        self._end_trouble()
        old: set[int] = set()
        if self.unrepaired and not self.audited:
            old = set(self.redis.client_ids())
            self.redis.kill_clients()
        self.unrepaired = self.meddled = False
        self.honesty.expect(disowned=frozenset())
        process.wait_for(lambda: set(self.redis.client_ids()) - old, self.settle_limit, "portsyncd is connected")
        self.wait_equal()
        there = {name for name in self.dut.links() if not name.startswith(("lo", "br")) and "." not in name}
        self.assertEqual(self.links.names(), there, "the links of the test's own model")
        self.watch.check()
        self._judge_writes()
        self.watch.may_repeat = self.watch.reads_refused = False
        self.daemon.wait_status("Healthy", self.settle_limit)
        self.assertEqual(self._asked_verdict(), "Healthy")
        self.assertEqual(self.daemon.complaints(), [])
        self.assertTrue(self.daemon.alive(), "portsyncd has ended")
        self._check_levels()
        self.settles += 1

    def _end_trouble(self) -> None:
        self._thaw()
        self._unload()
        self._await_lock()
        self._redis_continue()
        self.keep_connected()
        self._unrefuse()
        if self.renamed:
            self._redis_kill(0)
        self._redis_start()
        self._idle_timeout(0)
        if self.links.cables[0].name.startswith("away"):
            self._all_home()
        if self.scope:
            if self.meddled or self._config("GET", "CONFIG_DB_INITIALIZED") != "1":
                self._config_fill(0)
            self._config_ready()
        if self.filter == NOTHING or self.meddled:
            self._filter(0)
        self._daemon_start(0, 1)

    def _asked_verdict(self) -> str:
        """Returns the verdict, as the control socket reports it."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(self.directory / "control.sock"))
            client.sendall(b'{"method":"health"}\n')
            with client.makefile("rb") as answer:
                return str(json.loads(answer.readline())["result"]["verdict"])

    def _check_levels(self) -> None:
        """Compares with the second settle of a daemon; until the first one it warms up."""
        self.levels.append((self.daemon.descriptors(), self.daemon.rss_bytes()))
        if len(self.levels) < 3:
            return
        descriptors, rss = self.levels[1]
        process.wait_for(lambda: self.daemon.descriptors() <= descriptors, 5, f"no more than {descriptors} descriptors")
        if not SANITIZED:
            self.assertLess(self.daemon.rss_bytes() - rss, RSS_GROWTH, f"RSS was {rss}")


class Failed(Exception):
    """A run that failed at the operation with this number."""

    def __init__(self, operation: int, text: str) -> None:
        super().__init__(text)
        self.operation = operation


def carry_out(ports: int, operations: list[Operation], end: float = math.inf) -> World:
    """Carries a run out in its own namespaces. Raises Failed if a check fails. Stops early when the time is over."""
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
