# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to links, Redis and portsyncd: after it STATE_DB equals the kernel, and no write was in vain or astray.

A run is a list of operations: those of link_model, the faults below, and ("settle",), where trouble ends and everything is
checked. Like link operations, faults can be carried out in any order: what does not apply does nothing.
"""

import json
import math
import os
import random
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

from support import netns, process, resp
from support.case import FAR_INDEX, SANITIZED, Case
from support.link_model import Cable, LinkChooser, Links, Operation
from support.redis_server import STATE_DB
from support.row_watch import RowWatch
from support.shrink import shrink

STEADY = 8  # the first cables are the load generator's; they always exist
BUFFERS = (4096, 1 << 18, 16 << 20)
# Longer than a reconnect takes (a time-out of 1 s and a pause of 1 s), shorter than a probe, which would find after 10 s of
# silence what an overrun left wrong.
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
            self.assertEqual(self.daemon.terminate(), 0)
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

    REFUSALS = ("oom", "noreplicas", "readonly", "misconf", "noperm", "noperm_key", "noauth", "wrongtype", "wrongtype_index",
                "max_clients", "busy")

    def _refuse(self, kind: str) -> None:
        if self._redis_up():
            if kind in ("noperm_key", "wrongtype"):
                self._judge_writes()
                self.watch.index_may_repeat = True
            self._end_refusal = getattr(self, "_begin_" + kind)()
            self.refusing = kind

    def _unrefuse(self) -> None:
        if self.refusing:
            self._end_refusal()
        self.refusing = None

    def _setting(self, name: str, value: object, normal: object) -> Callable[[], None]:
        self.redis.config(name, value)
        return lambda: self.redis.config(name, normal)

    def _rule(self, rule: list[str], normal: list[str]) -> Callable[[], None]:
        self.redis.db.call("ACL", "SETUSER", "default", *rule)
        return lambda: self.redis.db.call("ACL", "SETUSER", "default", *normal)

    def _begin_oom(self) -> Callable[[], None]:
        return self._setting("maxmemory", 1, 0)

    def _begin_noreplicas(self) -> Callable[[], None]:
        return self._setting("min-replicas-to-write", 1, 0)

    def _begin_readonly(self) -> Callable[[], None]:
        self.redis.db.call("REPLICAOF", "127.0.0.1", 1)
        return lambda: self.redis.db.call("REPLICAOF", "NO", "ONE")

    def _begin_misconf(self) -> Callable[[], None]:
        def failed() -> bool:
            return self.redis.info("persistence")["rdb_last_bgsave_status"] == "err"

        def end() -> None:
            dump.rmdir()
            self.redis.config("save", "")
            self.redis.db.call("SAVE")

        dump = self.redis.directory / "dump.rdb"
        dump.unlink(missing_ok=True)
        dump.mkdir()  # where the snapshot would go
        self.redis.config("save", "3600 1000000")
        self.redis.db.call("BGSAVE")
        process.wait_for(failed, 10, "BGSAVE fails")
        return end

    def _begin_noperm(self) -> Callable[[], None]:
        return self._rule(["-hset", "-hdel"], ["+@all"])

    def _begin_noperm_key(self) -> Callable[[], None]:
        return self._rule(["resetkeys", "~PORT_TABLE|Ethernet1*", "~PORT_TABLE"], ["allkeys"])

    def _begin_noauth(self) -> Callable[[], None]:
        self.redis.config("requirepass", "a password that portsyncd does not have")
        self.redis.kill_clients()
        return lambda: self.redis.config("requirepass", "")

    def _begin_wrongtype(self) -> Callable[[], None]:
        number = self.ports - 1

        def end() -> None:
            self.redis.db.call("DEL", f"PORT_TABLE|{self.port(number)}")
            self._plant_again(number)

        self.redis.db.call("SET", f"PORT_TABLE|{self.port(number)}", "not a hash")
        self.unrepaired = True
        return end

    def _begin_wrongtype_index(self) -> Callable[[], None]:
        self.redis.db.call("SET", "PORT_TABLE", "not a hash")
        self.unrepaired = True
        return lambda: self.redis.db.call("DEL", "PORT_TABLE")

    def _begin_max_clients(self) -> Callable[[], None]:
        end = self._setting("maxclients", 1, 100)
        self.redis.kill_clients()
        return end

    def _begin_busy(self) -> Callable[[], None]:
        script, killer = self.redis.connect(), self.redis.connect()

        def busy() -> bool:
            try:
                killer.call("PING")
                return False
            except resp.RedisError as e:
                return str(e).startswith("BUSY")

        def end() -> None:
            killer.call("SCRIPT", "KILL")
            process.wait_for(lambda: not busy(), 10, "the script has ended")
            script.close()
            killer.close()

        script.send("EVAL", "while true do end", 0)
        process.wait_for(busy, 10, "Redis is busy")
        return end

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
        self.assertEqual(self.links.names(), {name for name in self.dut.links() if not name.startswith(("lo", "br"))
                                              and "." not in name}, "the test's own model of the links")
        self.watch.check()
        self._judge_writes()
        self.watch.index_may_repeat = False
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


def choose_run(seed: int, ports: int, count: int) -> list[Operation]:
    """`count` link operations in bursts, with faults between them, settled every now and then; by the seed alone."""
    choose = random.Random(seed)
    links = LinkChooser(choose, STEADY, ports)
    run: list[Operation] = []
    done = 0
    while done < count:
        left = min(count - done, choose.choice((20, 60, 150, 400)))
        done += left
        pieces = [list(piece) for piece in _faults_of_a_round(choose, ports)]
        while any(pieces) or left > 0:
            size = min(left, choose.randrange(1, 80))
            left -= size
            run += links.burst(size)
            open_pieces = [piece for piece in pieces if piece]
            if open_pieces:
                run.append(choose.choice(open_pieces).pop(0))
            if choose.random() < 0.3:
                run.append(("nap", choose.randrange(1, 20)))
        run.append(("settle",))
    return run


def _faults_of_a_round(choose: random.Random, ports: int) -> Iterator[list[Operation]]:
    pick = choose.randrange
    any_number = lambda: pick(ports)  # noqa: E731
    faults: list[Callable[[], list[Operation]]] = [
        lambda: [("freeze",), ("thaw",)],
        lambda: [("freeze",), ("overrun", 3000), ("thaw",)],
        lambda: [("freeze",), ("overrun", 3000), ("load", "mixed"), ("thaw",)],
        lambda: [("load", choose.choice(("mixed", "mtu", "alias", "churn"))), ("unload",)],
        lambda: [("daemon_kill", pick(2)), ("daemon_start", pick(2), pick(len(BUFFERS)))],
        lambda: [("redis_save",), ("redis_kill", pick(2)), ("redis_start",)],
        lambda: [("redis_kill", pick(2)), ("redis_start",)],
        lambda: [("redis_stop",), ("nap", choose.choice((50, 1500))), ("redis_continue",)],
        lambda: [("pause", choose.choice((50, 600)), choose.choice(("ALL", "WRITE")))],
        lambda: [("client_kill",)] * (1 + pick(3)),
        lambda: [("refuse", choose.choice(World.REFUSALS)), ("nap", 100), ("unrefuse",)],
        lambda: [(choose.choice(("delete_row", "edit_row", "edit_index")), any_number()) for _ in range(1 + pick(8))],
        lambda: [("flushdb",)],
        lambda: [("spoof", any_number())],
    ]
    for _ in range(choose.choice((0, 1, 1, 1, 2, 3))):
        yield choose.choice(faults)()


def carry_out(ports: int, operations: list[Operation], end: float = math.inf) -> World:
    """In namespaces of its own; Failed when something was wrong. It ends early when the time is up."""
    world = World()
    world.ports = ports
    try:
        world.setUp()
        world.carry_out(operations, end)
    except Failed as e:
        last = "\n".join(world.daemon.log().splitlines()[-25:]) if world.daemon else ""
        raise Failed(e.operation, f"{e}\n--- portsyncd's last lines:\n{last}") from None
    finally:
        world.doCleanups()
    return world


class Run:
    """A run that is written to a file when it fails, and made short."""

    def __init__(self, ports: int, operations: list[Operation], seed: Optional[int] = None) -> None:
        self.ports, self.operations, self.seed = ports, operations, seed

    @staticmethod
    def of_seed(seed: int, ports: int, count: int) -> "Run":
        return Run(ports, choose_run(seed, ports, count), seed)

    @staticmethod
    def of_file(path: Path) -> "Run":
        data = json.loads(path.read_text())
        return Run(data["ports"], [tuple(operation) for operation in data["operations"]], data["seed"])

    def write(self, path: Path, failure: str) -> None:
        lines = ",\n".join("  " + json.dumps(operation) for operation in self.operations)
        head = json.dumps({"seed": self.seed, "ports": self.ports, "failure": failure.splitlines()[0]})
        path.write_text(f'{head[:-1]}, "operations": [\n{lines}\n]}}\n')

    def carry_out(self, shrink_seconds: float, end: float = math.inf) -> World:
        """An AssertionError with the shortest run that fails as well, which is in a file too."""
        try:
            return carry_out(self.ports, self.operations, end)
        except Failed as e:
            failure = e
        path = Path(os.environ["PORTSYNC_BUILD"], f"convergence-{self.seed}.json")
        self.write(path, str(failure))
        print(f"seed {self.seed}: {str(failure).splitlines()[0]}\nall of it is in {path}; making it shorter", flush=True)
        short, failure = self._shrink(failure, shrink_seconds)
        short_path = path.with_suffix(".short.json")
        short.write(short_path, str(failure))
        listing = "\n".join(f"  {operation}" for operation in short.operations[:200])
        raise AssertionError(f"seed {self.seed}, {self.ports} ports: {failure}\n{len(short.operations)} of "
                             f"{len(self.operations)} operations fail as well (tests/run.sh --replay {short_path}):\n{listing}")

    def _shrink(self, failure: Failed, seconds: float) -> tuple["Run", Failed]:
        end = time.monotonic() + seconds
        tried = 0

        def fails(operations: list[Operation]) -> bool:
            nonlocal failure, tried
            tried += 1
            try:
                carry_out(self.ports, operations)
            except Failed as e:
                failure = e
                return True
            return False

        # Nothing after the failure matters; in most cases nothing before its round does.
        operations = self.operations[:failure.operation + 1]
        rounds = [i + 1 for i, operation in enumerate(operations[:-1]) if operation[0] == "settle"]
        for begin in rounds[-1:] + rounds[-2:-1] + rounds[-5:-4]:
            some = operations[begin:]
            if time.monotonic() < end and fails(some + ([] if some[-1] == ("settle",) else [("settle",)])):
                operations = some
                break
        operations = shrink(operations, fails, lambda: time.monotonic() < end)
        print(f"{tried} shorter runs tried", flush=True)
        return Run(self.ports, operations, self.seed), failure
