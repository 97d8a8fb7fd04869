# SPDX-License-Identifier: Apache-2.0
"""
Judges everything that portsyncd does to a Redis server in sonic mode, as MONITOR shows it.

portsyncd connects by the unix socket; the tests' own clients connect by TCP (sonic_redis.py).
"""

import re
from dataclasses import dataclass
from typing import Optional

from support import resp
from support.case import OWN_FIELDS
from support.redis_server import CONFIG_DB, STATE_DB, MonitorLines, Redis

APPL_DB = 0
READS = {"auth", "client", "discard", "echo", "eval", "evalsha", "exec", "exists", "get", "hello", "hexists", "hget",
         "hgetall", "hkeys", "hlen", "hmget", "info", "multi", "ping", "psubscribe", "pubsub", "punsubscribe", "scan", "scard",
         "script", "select", "sismember", "smembers", "subscribe", "type", "unsubscribe", "unwatch", "watch"}
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"')
Row = dict[str, str]


@dataclass(frozen=True)
class Command:
    at: float
    database: int
    ours: bool      # portsyncd's
    by_lua: bool    # from inside a script, whose EVAL comes before it
    words: tuple[str, ...]


def parse(line: str) -> Optional[Command]:
    """Parses one line of MONITOR; None if it is none. `ours` is not known for a command of a script."""
    head, _, rest = line.lstrip("+").partition(" [")
    where, _, text = rest.partition("] ")
    words = WORD.findall(text)
    if not words:
        return None
    database, _, source = where.partition(" ")
    return Command(float(head), int(database), source.startswith("unix:"), source == "lua",
                   (words[0].lower(), *words[1:]))


class Watch:
    """
    Keeps a replica of the hashes of all databases. Checks each write of portsyncd: does it concern only its own keys
    and fields (row guide.redis.row of tests/contract.tsv), does it follow the producer protocol where required, does it
    change anything? And PortInitDone: is it true, and the first? Create the watch while portsyncd is not connected.
    """

    def __init__(self, redis: Redis) -> None:
        self._lines = MonitorLines(redis)
        self._ours = False
        self._commands: list[Command] = []
        self.wrong: list[str] = []
        self.management = False  # sonic.mgmt_port is set
        self.odd_ports: set[str] = set()  # names of ports that do not begin with Ethernet
        self.without_row: list[str] = []  # the ports that had no row when PortInitDone was written
        self.replica: dict[int, dict[str, Row]] = {number: dump(redis, number) for number in (0, 4, 6)}
        self.bounced: set[str] = set()  # ports whose row may be written whole although it is the same
        # To be set to False before a warm start.
        self.init_done = bool(self._fields(APPL_DB, "PORT_TABLE:PortInitDone"))

    def close(self) -> None:
        self._lines.close()

    def commands(self) -> list[Command]:
        """Returns all commands so far, judged."""
        for line in self._lines.take():
            command = parse(line)
            if command is not None:
                self._ours = self._ours if command.by_lua else command.ours
                command = Command(command.at, command.database, self._ours, command.by_lua, command.words)
                self._commands.append(command)
                self._take(command, line)
        return list(self._commands)

    def clear(self) -> None:
        """Forgets the commands so far, and keeps the replica."""
        self.commands()
        self._commands.clear()

    def ours(self) -> list[Command]:
        """Returns what portsyncd sent to the server, counting a script as one command."""
        return [command for command in self.commands() if command.ours and not command.by_lua]

    def writes(self, database: Optional[int] = None) -> list[tuple[str, ...]]:
        """Returns what portsyncd wrote, directly or in a script."""
        return [command.words for command in self.commands() if command.ours and command.words[0] not in READS
                and database in (None, command.database)]

    # --- judgement ---

    def _complain(self, text: str, line: str) -> None:
        self.wrong.append(f"portsyncd {text}: {line}")

    def _fields(self, database: int, key: str) -> Row:
        return self.replica[database].get(key, {})

    def _take(self, command: Command, line: str) -> None:
        name, args = command.words[0], command.words[1:]
        if command.ours and name not in READS:
            complaint = self._judge(command.database, name, args)
            if complaint:
                self._complain(complaint, line)
        if command.ours and name == "script" and args[0].lower() not in ("load", "exists"):
            self._complain("uses SCRIPT for something else", line)
        self._apply(command.database, name, args)

    def _judge(self, database: int, name: str, args: tuple[str, ...]) -> str:
        judge = {APPL_DB: self._judge_appl, CONFIG_DB: self._judge_config, STATE_DB: self._judge_state}.get(database)
        if name in ("keys", "flushdb", "flushall", "config", "rename", "expire"):
            return f"uses {name.upper()}"
        return "writes to another database" if judge is None else judge(name, args)

    def _judge_config(self, name: str, args: tuple[str, ...]) -> str:
        if name != "hset" or args[0] != "LOGGER|portsyncd" or not set(args[1::2]) <= {"LOGLEVEL", "LOGOUTPUT"}:
            return "writes into CONFIG_DB what is not its own"
        stored = self._fields(CONFIG_DB, args[0])
        over = [field for field, value in zip(args[1::2], args[2::2]) if stored.get(field, value) != value]
        return "writes over another program's LOGGER" if over else ""

    def _judge_appl(self, name: str, args: tuple[str, ...]) -> str:
        if name == "publish":
            return "" if args == ("PORT_TABLE_CHANNEL@0", "G") else "publishes something else"
        if name == "sadd" and args[0] == "PORT_TABLE_KEY_SET":
            return ""
        if name != "hset" or not args[0].startswith("_PORT_TABLE:"):
            return "writes into APPL_DB other than by the producer protocol"
        row, fields = args[0][len("_PORT_TABLE:"):], dict(zip(args[1::2], args[2::2]))
        if row == "PortConfigDone":
            return "" if fields.keys() == {"count"} else "writes something else into PortConfigDone"
        if row == "PortInitDone":
            return self._judge_init_done(fields)
        configured = {field.partition("@")[0]: value for field, value in self._fields(CONFIG_DB, f"PORT|{row}").items()}
        return "" if fields.items() <= configured.items() else "writes into a port what CONFIG_DB does not have"

    def _judge_init_done(self, fields: Row) -> str:
        if fields != {"lanes": "0"}:
            return "writes something else into PortInitDone"
        if self.init_done:
            return "writes PortInitDone twice"
        self.init_done = True
        ports = [key[len("PORT|"):] for key in self.replica[CONFIG_DB] if key.startswith("PORT|")]
        self.without_row = [port for port in ports if "state" not in self._fields(STATE_DB, f"PORT_TABLE|{port}")]
        early = [port for port in ports if not self._fields(APPL_DB, f"PORT_TABLE:{port}")]
        return f"writes PortInitDone without {early[:6]} in APPL_DB" if early else ""

    def _judge_state(self, name: str, args: tuple[str, ...]) -> str:
        key = args[0]
        fields = dict(zip(args[1::2], args[2::2])) if name == "hset" else {}
        if key == "WARM_RESTART_TABLE|portsyncd":
            return "" if name == "hset" and fields.keys() == {"restore_count"} else "writes another field than restore_count"
        if self.management and re.fullmatch(r"MGMT_PORT_TABLE\|eth[0-9]+", key):
            is_change = fields.items() - self._fields(STATE_DB, key).items()
            return "" if is_change and fields.keys() == {"oper_status"} else "writes something else of a management port"
        table, _, row = key.partition("|")
        is_port = re.fullmatch(r"Ethernet[^.|]*", row) or row in self.odd_ports
        if table != "PORT_TABLE" or not is_port or name not in ("hset", "del", "unlink"):
            return "writes into STATE_DB what is not its own"
        if len(args) > 1 and name != "hset":
            return "removes several keys at once"  # each may have its own event all the same, but so do the checks here
        stored = self._fields(STATE_DB, key)
        if not fields.keys() <= set(OWN_FIELDS):
            return "writes a field that is not its own"
        bounce = fields.keys() == set(OWN_FIELDS) and key.partition("|")[2] in self.bounced
        if name == "hset" and fields.items() <= stored.items() and not bounce:
            return f"writes values that are stored already, {stored}"
        if name == "hset" and "state" not in stored and fields.keys() != set(OWN_FIELDS):
            return "writes a part of a row that does not exist"
        return "" if name == "hset" or stored else "removes what does not exist"

    def _apply(self, database: int, name: str, args: tuple[str, ...]) -> None:
        rows = self.replica.setdefault(database, {})
        if name in ("hset", "hmset"):
            rows.setdefault(args[0], {}).update(zip(args[1::2], args[2::2]))
        elif name == "hdel":
            for field in args[1:]:
                rows.get(args[0], {}).pop(field, None)
            if not rows.get(args[0], {"": ""}):
                del rows[args[0]]
        elif name in ("del", "unlink"):
            for key in args:
                rows.pop(key, None)
        elif name == "flushdb":
            rows.clear()
        elif name == "flushall":
            self.replica = {number: {} for number in self.replica}


def dump(redis: Redis, database: int) -> dict[str, Row]:
    """Returns the hashes of a database."""
    with redis.connect(database) as client:
        keys = client.scan("*")
        kinds = client.pipeline([("TYPE", key) for key in keys])
        hashes = [key for key, kind in zip(keys, kinds) if kind == "hash"]
        return dict(zip(hashes, map(resp.pairs, client.pipeline([("HGETALL", key) for key in hashes]))))
