# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for portsyncd's neighbours on a switch: orchagent with syncd behind it, and subscribers to the rows."""

import threading
import time
from typing import Callable, Optional

from support import process, resp
from support.sonic_redis import SonicRedis

Row = dict[str, str]
CHANNEL = "PORT_TABLE_CHANNEL@0"

# As consumer_state_table_pops.lua of sonic-swss-common does it.
POP = """
local popped = {}
for _, key in ipairs(redis.call('SPOP', KEYS[1], ARGV[1])) do
  local deleted = redis.call('SREM', KEYS[3], key)
  if deleted == 1 then redis.call('DEL', KEYS[2] .. key) end
  local fields = redis.call('HGETALL', '_' .. KEYS[2] .. key)
  for i = 1, #fields, 2 do redis.call('HSET', KEYS[2] .. key, fields[i], fields[i + 1]) end
  redis.call('DEL', '_' .. KEYS[2] .. key)
  table.insert(popped, {key, fields})
end
return popped
"""


def produce(client: resp.Client, name: str, fields: Optional[Row]) -> None:
    """
    Sets a row by the producer protocol, or deletes it if there are no fields, as portmgrd does for ports at run time.
    """
    if fields is None:
        steps = [("SADD", "PORT_TABLE_KEY_SET", name), ("SADD", "PORT_TABLE_DEL_SET", name), ("DEL", f"_PORT_TABLE:{name}")]
    else:
        steps = [("SADD", "PORT_TABLE_KEY_SET", name),
                 ("HSET", f"_PORT_TABLE:{name}", *(word for pair in fields.items() for word in pair))]
    client.pipeline([("MULTI",), *steps, ("PUBLISH", CHANNEL, "G"), ("EXEC",)])


class _Thread:
    """Runs until stop(), and starts again when Redis goes away."""

    def __init__(self, redis: SonicRedis) -> None:
        self._redis = redis
        self._stop = threading.Event()
        self.problems: list[str] = []
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._listening.wait(10 * process.PATIENCE):
            raise process.TimedOut(f"{type(self).__name__} has not subscribed")

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10 * process.PATIENCE)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._serve()
            except (OSError, ValueError, resp.RedisError):
                self._stop.wait(0.02)  # Redis is away, which the test causes
            except Exception as e:  # pylint: disable=broad-except
                self.problems.append(repr(e))
                raise

    def _serve(self) -> None:
        raise NotImplementedError


class Orchagent(_Thread):
    """
    Pops PORT_TABLE `pop_after` seconds after a notification. For each popped port it calls `create` (syncd), once
    PortConfigDone was popped and `create_after` has passed; with `at_once`, when the port is popped. For a deleted port
    it calls `delete`. With `write_own` it writes what orchagent writes beside portsyncd's fields.
    """

    def __init__(self, redis: SonicRedis, create: Optional[Callable[[str], None]] = None,
                 delete: Optional[Callable[[str], None]] = None, pop_after: float = 0.0, create_after: float = 0.0,
                 at_once: bool = False, write_own: bool = True) -> None:
        self._create, self._delete = create, delete
        self._pop_after, self._create_after = pop_after, create_after
        self._at_once, self._write_own = at_once, write_own
        self._waiting: list[str] = []   # popped, not created
        self._created: set[str] = set()
        self._config_done = at_once
        self.pops: list[list[tuple[str, Row]]] = []
        super().__init__(redis)

    @property
    def popped(self) -> list[tuple[str, Row]]:
        return [entry for pop in list(self.pops) for entry in pop]

    def names(self) -> list[str]:
        return [name for name, _ in self.popped]

    def wait_popped(self, name: str, limit: float = 10) -> None:
        def popped() -> bool:
            if self.problems:
                raise AssertionError(f"orchagent's stand-in has ended: {self.problems}")
            return name in self.names()
        process.wait_for(popped, limit, f"orchagent has popped {name}")

    def out_of_order(self) -> list[str]:
        """
        Returns what was popped after PortConfigDone except PortInitDone. Within one pop there is no order, because it
        is a set.
        """
        done = next(i for i, pop in enumerate(self.pops) if "PortConfigDone" in (name for name, _ in pop))
        return [name for pop in self.pops[done + 1:] for name, _ in pop if name != "PortInitDone"]

    def _serve(self) -> None:
        with self._redis.connect() as subscriber, self._redis.connect() as client:
            subscriber.call("SUBSCRIBE", CHANNEL)
            self._listening.set()
            self._config_done |= bool(client.call("EXISTS", "PORT_TABLE:PortConfigDone"))
            notified = True  # for what is staged already
            while not self._stop.is_set():
                if notified:
                    self._stop.wait(self._pop_after)
                    while self._pop(client):
                        pass
                notified = subscriber.wait(0.05)
                while subscriber.wait(0):
                    subscriber.read()
                    notified = True

    def _pop(self, client: resp.Client) -> bool:
        if self._stop.is_set():
            return False
        found = client.call("EVAL", POP, 3, "PORT_TABLE_KEY_SET", "PORT_TABLE:", "PORT_TABLE_DEL_SET", 128)
        entries = [(name, resp.pairs(fields)) for name, fields in found]
        if entries:
            self.pops.append(entries)
        for name, fields in entries:
            self._take(client, name, fields)
        if self._config_done and self._waiting and self._create is not None:
            self._stop.wait(self._create_after)
            while self._waiting and not self._stop.is_set():
                self._created.add(self._waiting[0])
                self._create(self._waiting.pop(0))
        return bool(entries)

    def _take(self, client: resp.Client, name: str, fields: Row) -> None:
        if name == "PortConfigDone":
            self._config_done = True
        elif name == "PortInitDone":
            pass
        elif fields:
            if name not in self._created and name not in self._waiting:
                self._waiting.append(name)
            if self._write_own:
                client.call("HSET", f"PORT_TABLE:{name}", "oper_status", "down", "flap_count", "0")
        elif self._delete is not None:
            self._delete(name)
            self._created.discard(name)


class Subscriber(_Thread):
    """
    Subscribes to the rows of STATE_DB's PORT_TABLE as SubscriberStateTable does, which portmgrd, teammgrd and xcvrd
    use. seen: (port, event, the row as it was read then), in order.
    """

    PATTERN = "__keyspace@6__:PORT_TABLE|*"

    def __init__(self, redis: SonicRedis) -> None:
        self.seen: list[tuple[str, str, Row]] = []
        super().__init__(redis)

    def events(self, port: str) -> list[str]:
        return [event for name, event, _ in list(self.seen) if name == port]

    def wait_quiet(self) -> None:
        """Waits until it has read everything that was published before this call."""
        mark = f"__keyspace@6__:PORT_TABLE|mark-{time.monotonic_ns()}"
        with self._redis.connect() as client:
            client.call("PUBLISH", mark, "mark")
        name = mark.partition("|")[2]
        process.wait_for(lambda: any(seen[0] == name for seen in reversed(self.seen)), 10, "the subscriber has read all")
        self.seen = [seen for seen in self.seen if seen[0] != name]

    def _serve(self) -> None:
        with self._redis.connect() as subscriber, self._redis.connect(6) as client:
            subscriber.call("PSUBSCRIBE", self.PATTERN)
            self._listening.set()
            while not self._stop.is_set():
                if not subscriber.wait(0.05):
                    continue
                _, _, channel, event = subscriber.read()
                key = channel.partition(":")[2]
                self.seen.append((key.partition("|")[2], event, client.hash(key)))


class Portmgrd(Subscriber):
    """Sets MTU and admin state of a port again at every event of a row that is ok."""

    def applied(self, port: str) -> int:
        return sum(1 for name, event, row in list(self.seen) if name == port and event == "hset" and row.get("state") == "ok")


class Teammgrd(Subscriber):
    """Adds a member to its LAG again when its whole row returns after a removal: DEL, then a SET with state=ok."""

    def members_added(self, port: str) -> int:
        events = self.events(port)
        return sum(1 for before, event in zip(events, events[1:]) if (before, event) == ("del", "hset"))


class Xcvrd(Subscriber):
    """Needs the DEL of each old name of a breakout before the SET of the first new one."""

    def order(self) -> list[tuple[str, str]]:
        return [(name, event) for name, event, _ in list(self.seen)]
