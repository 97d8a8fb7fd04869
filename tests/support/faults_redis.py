# SPDX-License-Identifier: Apache-2.0
"""Redis' part of the random runs: it ends, stops, refuses commands, loses data, and restores old data."""

from typing import Callable, Optional

from support import resp
from support.faults_kernel import KernelFaults
from support.redis_server import STATE_DB
from support.refusals import REFUSALS
from support.row_watch import RowWatch, own_name

SPARE_DB = 15


class RedisFaults(KernelFaults):
    watch: Optional[RowWatch] = None
    refusing: Optional[str] = None
    redis_stopped = False
    renamed = False        # commands of Redis are renamed
    unrepaired = False     # rows were changed by others; an audit, or the next connection, finds it
    meddled = False        # the index no longer shows which rows are portsyncd's
    backup: Optional[dict[str, bytes]] = None
    saved = False          # the file is saved, too
    judged = 0

    # --- life and death ---

    def _start_redis(self, *options: str) -> None:
        """
        Starts Redis. Opens its TCP port, which portsyncd uses, once MONITOR shows every command. Keys have events, as in
        SONiC.
        """
        self.redis.start("--port", "0", "--notify-keyspace-events", "KEA", *options)
        self.watch = RowWatch(self.redis)
        self.plant()
        self.refill()
        self.redis.config("port", 6379)
        self.honesty.server("up")

    def refill(self) -> None:
        """CONFIG_DB is empty, so there is nothing to do."""

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
            self.honesty.server("down")
            self.redis.kill()
            if self.renamed:
                self.honesty.expect(refused="")
            self.renamed = False
        if empty:
            self.redis.forget()
            self.saved = False
            self.meddled = True

    def _redis_start(self) -> None:
        if self.watch is None:
            self._start_redis()

    def _redis_rename(self, command: str) -> None:
        """Restarts Redis with its data, and without this command."""
        if self._redis_up():
            self.redis.db.call("SAVE")
            self._redis_kill(0)
            self._start_redis("--rename-command", command, "")
            self.renamed = self.watch.may_repeat = True
            self.honesty.expect(refused=command)

    def _redis_stop(self) -> None:
        if self._redis_up():
            self.honesty.server("stopped")
            self.redis.stop_process()
            self.redis_stopped = True

    def _redis_continue(self) -> None:
        if self.redis_stopped:
            self.redis.continue_process()
            self.honesty.server("up")
        self.redis_stopped = False

    def _pause(self, milliseconds: int, what: str) -> None:
        if self._redis_up():
            self.watch.pause()
            self.redis.db.call("CLIENT", "PAUSE", milliseconds, what)

    def _client_kill(self) -> None:
        if self._redis_up():
            self.redis.kill_clients()

    def _idle_timeout(self, seconds: int) -> None:
        """The server closes clients that are silent for so long. The tests' own client is reopened if it was closed."""
        if self._redis_up():
            self.redis.config("timeout", seconds)

    def keep_connected(self) -> None:
        """Called before each fault, because an idle timeout may have closed our own client."""
        if self.watch and not self.redis_stopped:
            try:
                self.redis.db.call("PING")
            except resp.RedisError:
                pass  # it answers with a refusal
            except OSError:
                self.redis.reconnect()

    def _judge_writes(self) -> None:
        if self.watch and not self.redis_stopped:
            self.watch.read()
            self.judged += self.watch.judged
            self.watch.judged = 0
            if self.watch.wrong:
                raise AssertionError("; ".join(self.watch.wrong[:5]))

    # --- others write to our rows: an audit, or the next connection, finds it ---

    def _writable(self) -> bool:
        """Returns whether the test may write, whatever portsyncd may do."""
        return self.watch is not None and not self.redis_stopped and self.refusing in (None, *ONLY_PORTSYNCD)

    def _meddle(self, *names: str) -> None:
        self.unrepaired = self.meddled = True
        self.honesty.touch(list(names))

    def _delete_row(self, number: int) -> None:
        if self._writable():
            self._meddle(self.port(number))
            self.redis.db.call("DEL", f"PORT_TABLE|{self.port(number)}")
            self._plant_again(number)

    def may_be_ours(self, name: str) -> bool:
        """A row of no port without an index entry counts as ours by the filter alone."""
        return own_name(name)

    def _edit_row(self, number: int) -> None:
        if self._writable() and self.may_be_ours(self.port(number)):
            key = f"PORT_TABLE|{self.port(number)}"
            self._meddle(self.port(number))
            self.redis.db.call("HSET", key, "mtu", "1", "admin_status", "sideways")
            self.redis.db.call("HDEL", key, "state")

    def _edit_index(self, number: int) -> None:
        if self._writable() and self.refusing != "wrongtype_index":
            self._meddle(self.port(number))
            self.redis.db.call("HDEL", "PORT_TABLE", self.port(number))

    def _flushdb(self) -> None:
        if self._writable():
            self._meddle(*self.honesty.names)
            self.redis.db.call("FLUSHDB")
            self.plant()

    def _plant_again(self, number: int) -> None:
        key = f"PORT_TABLE|{self.port(number)}"
        self.plant_row(key, {"speed": "100000", "supported_speeds": f"{number}"})

    # --- old data, restored under an open connection ---

    def _keep(self) -> None:
        """Saves what a rollback restores."""
        if self._redis_up():
            keys = self.redis.db.scan("*")
            payloads = self.redis.raw(STATE_DB, [("DUMP", key) for key in keys])
            self.backup = {key: payload for key, payload in zip(keys, payloads) if payload is not None}
            self.redis.db.call("SAVE")
            self.saved = True

    def _rollback(self, how: str) -> None:
        if not self._redis_up() or self.backup is None or (how == "reload" and not self.saved):
            return
        self.watch.lose_sight()
        self._meddle()
        restore = [("RESTORE", key, 0, payload, "REPLACE") for key, payload in self.backup.items()]
        if how == "reload":
            self.redis.db.call("DEBUG", "RELOAD", "NOSAVE")
        elif how == "swap":
            self.redis.raw(SPARE_DB, [("FLUSHDB",), *restore, ("SWAPDB", STATE_DB, SPARE_DB), ("FLUSHDB",)])
        elif how == "flush":
            self.redis.raw(STATE_DB, [("FLUSHALL",), *restore])
            self.refill()
        else:
            self.redis.raw(STATE_DB, restore)
        self.plant()

    # --- error replies ---

    def _refuse(self, kind: str) -> None:
        if self._redis_up():
            self._judge_writes()
            self.watch.may_repeat |= kind not in READS
            self.watch.reads_refused = kind in READS
            if kind == "wrongtype":
                self._meddle(self.port(self.ports - 1))
            if kind == "wrongtype_index":
                self._meddle(*self.honesty.names)
            self._end_refusal = REFUSALS[kind](self.redis, f"PORT_TABLE|{self.port(self.ports - 1)}")
            self.refusing = kind
            if kind in INCOMPARABLE:
                self.honesty.expect(refused=kind)

    def _unrefuse(self) -> None:
        if self.refusing in INCOMPARABLE:
            self.honesty.expect(refused="")
        if self.refusing:
            self._end_refusal()
        if self.refusing == "wrongtype":
            self._plant_again(self.ports - 1)
        self.refusing = None

    _end_refusal: Callable[[], None]


# Refusals that affect only portsyncd's own user.
ONLY_PORTSYNCD = ("noperm", "noperm_key", "noperm_read", "noperm_scan", "noperm_index", "noauth", "wrongtype",
                  "wrongtype_index", "tls_only")
# A refused read does not count as an absent row: nothing is written because of it.
READS = ("noperm_read", "noperm_scan")
# While these last, rows cannot be compared; loading ends by itself. The others may have no effect while nothing
# changes.
INCOMPARABLE = ("noperm_read", "noperm_index", "noauth", "max_clients", "wrongtype_index", "busy", "masterdown",
                "tls_only")
