# SPDX-License-Identifier: Apache-2.0
"""A real redis-server on a private socket, and its faults."""

import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any, Optional

from support import process, resp
from support.netns import Netns

CONFIG_DB = 4
STATE_DB = 6
ADMIN = "test-admin"  # a user of the tests, so that the default user can be restricted


class Redis:
    """Listens on a unix socket, and on 127.0.0.1:6379 inside the given namespace."""

    def __init__(self, directory: Path, namespace: Netns) -> None:
        self.directory = directory / "redis"
        self.directory.mkdir()
        self.socket = str(directory / "redis.sock")
        self._namespace = namespace
        self._process: Optional[subprocess.Popen] = None
        self._client: Optional[resp.Client] = None

    # --- life ---

    def start(self, *options: str, wait: bool = True) -> None:
        """`wait=False` waits only until the socket exists, not until the dataset is loaded."""
        base = ["redis-server", "--port", "6379", "--bind", "127.0.0.1", "--unixsocket", self.socket,
                "--unixsocketperm", "777", "--save", "", "--appendonly", "no", "--dir", str(self.directory),
                "--enable-debug-command", "yes", "--lua-time-limit", "100", "--loglevel", "notice",
                "--user", ADMIN, "on", f">{ADMIN}", "~*", "&*", "+@all", "--tcp-backlog", "128"]
        with open(self.directory / "log", "ab") as log:
            self._process = process.start([*base, *options], self._namespace, stdout=log, stderr=log)
        process.wait_for(lambda: self._answers(wait), 30, "redis-server answers")

    def _answers(self, loaded: bool) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError("redis-server ended: " + (self.directory / "log").read_text()[-2000:])
        try:
            with self.connect() as client:
                if loaded:
                    client.call("PING")
            return True
        except (OSError, resp.RedisError):
            return False

    def kill(self) -> None:
        """Does kill -9: leaves the socket file, and saves nothing."""
        if self._client is not None:
            self._client.close()
            self._client = None
        process.end(self._process)
        self._process = None

    def forget(self) -> None:
        """Removes the saved data, so that the next start is empty."""
        shutil.rmtree(self.directory)
        self.directory.mkdir()

    def stop_process(self) -> None:
        self._signal(signal.SIGSTOP)

    def continue_process(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def close(self) -> None:
        self.kill()

    # --- clients ---

    def connect(self, database: int = 0, timeout: float = 10.0) -> resp.Client:
        return resp.Client(self.socket, database, timeout, ADMIN, ADMIN)

    def raw(self, database: int, commands: list[tuple[resp.Argument, ...]]) -> list[Any]:
        """Runs commands on a separate connection. Strings are bytes, and an error is raised."""
        with self.connect(database) as client:
            client.binary = True
            replies = client.pipeline(commands)
        for reply in replies:
            if isinstance(reply, resp.RedisError):
                raise reply
        return replies

    @property
    def db(self) -> resp.Client:
        """Returns a client of STATE_DB. It is reopened after kill()."""
        if self._client is None:
            self._client = self.connect(STATE_DB)
        return self._client

    def reconnect(self) -> None:
        """To be called after a fault that closed this client, too."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def config(self, name: str, value: object) -> None:
        self.db.call("CONFIG", "SET", name, str(value))

    def info(self, section: str) -> dict[str, str]:
        lines = self.db.call("INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def error_count(self, name: str) -> int:
        """
        Returns how many error replies of this name the server has sent, by its own count, whatever the daemon reports.
        """
        return int(self.info("errorstats").get("errorstat_" + name, "count=0").split("=")[1])

    def client_ids(self, name: str = r"portsyncd-(mirror|sonic)-\d+-[0-9a-f]{8}") -> list[int]:
        """Returns the ids of the connections with such a name; by default those that portsyncd uses for its rows."""
        found = []
        for line in self.db.call("CLIENT", "LIST").splitlines():
            words = dict(word.split("=", 1) for word in line.split(" ") if "=" in word)
            if re.fullmatch(name, words.get("name", "")):
                found.append(int(words["id"]))
        return found

    def kill_clients(self) -> int:
        """CLIENT KILL of every connection except the tests' own."""
        return self.db.call("CLIENT", "KILL", "USER", "default")

    def monitor(self) -> "Monitor":
        return Monitor(self)


class MonitorLines:
    """The output of MONITOR, line by line."""

    def __init__(self, server: Redis) -> None:
        self._server = server
        self._client = server.connect(timeout=3600)  # there may be no output for a long time
        self._client.call("MONITOR")
        self._lines: list[str] = []
        self._taken = 0
        self._marks = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while True:
                self._lines.append(self._client.line().decode(errors="replace"))
        except (OSError, ValueError):
            pass

    def take(self) -> list[str]:
        """Returns the lines since the last call, including what was sent before this call."""
        self._marks += 1
        mark = f'"monitor-mark-{self._marks}"'
        with self._server.connect() as client:
            client.call("ECHO", mark.strip('"'))
        process.wait_for(lambda: any(mark in line for line in self._lines[self._taken:]), 10, "MONITOR shows the mark")
        end = next(i for i in range(self._taken, len(self._lines)) if mark in self._lines[i])
        taken = self._lines[self._taken:end]
        self._taken = end + 1
        return taken

    def close(self) -> None:
        self._client.close()


class Monitor:
    """MONITOR, for counting: the server's commands between start and commands()."""

    WRITES = {"hset", "hmset", "hsetnx", "hdel", "del", "unlink", "set", "flushdb", "rename", "expire", "hincrby",
              "eval"}

    def __init__(self, server: Redis) -> None:
        self._lines = MonitorLines(server)
        self._commands: list[list[str]] = []

    def commands(self) -> list[list[str]]:
        """Returns every command so far, its words in order, including what was sent before this call."""
        for line in self._lines.take():
            words = line.split('"')[1::2]
            if words:
                self._commands.append([words[0].lower(), *words[1:]])
        return list(self._commands)

    def writes(self) -> list[list[str]]:
        return [command for command in self.commands() if command[0] in self.WRITES]

    def clear(self) -> None:
        self.commands()
        self._commands.clear()

    def close(self) -> None:
        self._lines.close()

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
