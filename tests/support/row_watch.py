# SPDX-License-Identifier: Apache-2.0
"""
Judges every write of portsyncd, as MONITOR shows it, against a replica of STATE_DB that is built from the same stream.
"""

import fnmatch
from collections import deque
from typing import Callable, Union

from support import process, resp
from support.case import OWN_FIELDS
from support.redis_server import STATE_DB, Redis

Value = Union[str, dict[str, str]]
INDEX = "PORT_TABLE"
WRITES = {"hset", "hmset", "hsetnx", "hdel", "del", "unlink", "set", "flushdb", "rename", "expire", "hincrby"}


class RowWatch:
    """
    portsyncd connects by TCP; the tests' own clients connect by the unix socket. Create the watch before portsyncd can
    connect. On each connection portsyncd reads all rows before it writes, so it never has to write an existing value.

    Each write must concern portsyncd's own names and fields. An HSET of a row must change a value, an HSET of the index
    each value, and an HDEL must remove something. Exceptions are an HDEL of what the test itself removed, and of the
    index entry of a row that the test made up.

    While rows are refused, `may_repeat` is set: a part of a row may be stored, so portsyncd writes or removes the whole
    row again. The same applies after lose_sight(), until check() has read all rows. While `reads_refused`, nothing may
    be written because of the refusal, except by a connection that is opened meanwhile: it cannot know the rows.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._client = redis.connect()
        self._client.call("MONITOR")
        self._marks = 0
        self._meddled: set[tuple[str, str]] = set()  # fields that the test removed
        self.replica: dict[str, Value] = dump(redis)
        self._expect_halves()
        self.wrong: list[str] = []
        self.judged = 0
        self.may_repeat = False
        self.reads_refused = False
        self._lost_sight = False
        self._recent: deque[str] = deque(maxlen=3000)

    def _expect_halves(self) -> None:
        """
        Redis may have been started with halves of rows: an index entry without its row, or a row without its entry.
        portsyncd removes both halves, one of which is not there.
        """
        index = self.replica.get(INDEX, {})
        rows = {key[len(INDEX) + 1:] for key, value in self.replica.items()
                if key.startswith(INDEX + "|") and isinstance(value, dict) and not value.keys().isdisjoint(OWN_FIELDS)}
        entries = set(index) if isinstance(index, dict) else set()
        for name in entries - rows:
            self._meddled |= {(f"{INDEX}|{name}", field) for field in OWN_FIELDS}
        for name in rows - entries:
            self._meddled.add((INDEX, name))

    def close(self) -> None:
        self._client.close()

    def read(self) -> None:
        """Judges everything that was written so far."""
        self._marks += 1
        mark = f'"monitor-mark-{self._marks}"'
        for _ in range(2):  # MONITOR may not show a command that a pause postpones
            self._redis.db.call("ECHO", mark.strip('"'))
        seen = False
        while not seen:
            for line in self._client.lines():
                if b'"HGETALL"' in line and b"unix:" in line:
                    continue  # of support/honesty.py, which sends most of them
                text = line.decode(errors="replace")
                seen = seen or mark in text
                self._take(text)

    def pause(self) -> None:
        """
        To be called before a CLIENT PAUSE. MONITOR of Redis 7.2 and later does not show the commands that it postpones.
        """
        version = self._redis.info("server")["redis_version"].split(".")
        if [int(part) for part in version[:2]] >= [7, 2]:
            self.lose_sight()

    def lose_sight(self) -> None:
        """To be called before changes whose effect MONITOR does not show: SWAPDB, RESTORE, DEBUG RELOAD."""
        self.read()
        self._lost_sight = self.may_repeat = True

    def check(self) -> list[str]:
        """Returns what was wrong with the writes so far. Also compares the replica with the stored rows."""
        def same() -> bool:
            stored = dump(self._redis)
            self.read()
            if self._lost_sight:
                self._lost_sight = False
                self.replica = stored
                return False  # once more, because of writes during the dump
            return self.replica == stored
        try:
            process.wait_for(same, 3, "the replica equals STATE_DB")
        except process.TimedOut as e:
            self.wrong.append(str(e))
        return self.wrong

    def _take(self, line: str) -> None:
        self._recent.append(line)
        where = line[line.find("[") + 1:line.find("]")]
        database, _, source = where.partition(" ")
        words = line.split('"')[1::2]
        if self.reads_refused and "SETNAME" in words and not source.startswith("unix:"):
            self.may_repeat = True
        if not words or words[0].lower() not in WRITES:
            return
        command, args = words[0].lower(), words[1:]
        by_test = source.startswith("unix:")
        judge: Callable[[str], None] = (lambda text: None) if by_test else (lambda text: self._complain(text, line))
        if database != str(STATE_DB):
            return judge("writes to another database")
        if by_test:
            return self._meddle(command, args)
        self.judged += 1
        self._judge(command, args, judge)

    def _complain(self, text: str, line: str) -> None:
        """Adds the earlier commands on the same connection and of the same rows."""
        connection = line[line.find("[") + 1:line.find("]")]
        words = {f'{word}"' for word in line.split('"')[1::2] if "Ethernet" in word}
        before = [old for old in self._recent if any(word in old for word in words)
                  or (connection in old and '"HMGET"' not in old)]
        command = line[line.find("]") + 2:]
        self.wrong.append(f"portsyncd {text}: {command}\n--- earlier commands:\n" + "\n".join(before[-25:]))

    def _judge(self, command: str, args: list[str], judge: Callable[[str], None]) -> None:
        if command not in ("hset", "hdel"):
            return judge("uses a command that is not for shared rows")
        key, rest = args[0], args[1:]
        stored = self.replica.get(key, {})
        if isinstance(stored, str):
            return None  # Redis replied with WRONGTYPE
        fields = dict(zip(rest[::2], rest[1::2])) if command == "hset" else dict.fromkeys(rest, "")
        if key == INDEX and command == "hdel" and rest == ["/"]:
            return None  # no link has that name: portsyncd finds out whether the index accepts writes again
        if key == INDEX:
            if not all(own_name(name) for name in fields):
                judge("writes another's name into the index")
        elif not (key.startswith(INDEX + "|") and own_name(key[len(INDEX) + 1:])):
            judge("writes a key that is not its own")
        elif not fields.keys() <= set(OWN_FIELDS):
            judge("writes a field that is not its own")
        if command == "hset":
            news = [name for name, value in fields.items() if stored.get(name) != value]
            self._meddled -= {(key, name) for name in fields}
        else:
            news = [name for name in fields if name in stored or (key, name) in self._meddled]
        if len(news) < (len(fields) if key == INDEX else 1) and not self.may_repeat:
            judge(f"writes values that are stored already, {({name: stored.get(name) for name in fields})}")
        self._apply(command, key, rest)
        return None

    def _meddle(self, command: str, args: list[str]) -> None:
        if command == "flushdb":
            self._forget(list(self.replica))
        elif command in ("del", "unlink", "set"):
            self._forget(args[:1] if command == "set" else args)
            if command == "set":
                self.replica[args[0]] = args[1]
        else:
            if command == "hdel":
                self._meddled |= {(args[0], name) for name in args[1:]}
            elif args[0].startswith(INDEX + "|"):  # if it is of no port, it has no index entry
                self._meddled.add((INDEX, args[0][len(INDEX) + 1:]))
            self._apply(command, args[0], args[1:])

    def _forget(self, keys: list[str]) -> None:
        for key in keys:
            value = self.replica.pop(key, {})
            if isinstance(value, dict):
                self._meddled |= {(key, name) for name in value}

    def _apply(self, command: str, key: str, rest: list[str]) -> None:
        fields = self.replica.setdefault(key, {})
        if isinstance(fields, str):
            return
        if command == "hdel":
            for name in rest:
                fields.pop(name, None)
        else:
            fields.update(zip(rest[::2], rest[1::2]))
        if not fields:
            del self.replica[key]


def own_name(name: str) -> bool:
    return "." not in name and fnmatch.fnmatchcase(name, "Ethernet*")


def dump(redis: Redis) -> dict[str, Value]:
    """Returns all of STATE_DB."""
    keys = redis.db.scan("*")
    kinds = redis.db.pipeline([("TYPE", key) for key in keys])
    values = redis.db.pipeline([("HGETALL" if kind == "hash" else "GET", key) for key, kind in zip(keys, kinds)])
    return {key: value if isinstance(value, str) else resp.pairs(value)
            for key, value in zip(keys, values) if isinstance(value, (str, list))}
