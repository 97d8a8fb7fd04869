# SPDX-License-Identifier: Apache-2.0
"""The configuration's part of the random runs: other filters, and a CONFIG_DB that is removed and restored."""

import fnmatch
from typing import Optional

from support import process
from support.faults_redis import RedisFaults
from support.netns import Link
from support.redis_server import CONFIG_DB

FILTERS = (["Ethernet*"], ["Ethernet1*"], ["Ethernet[0-4]*", "Ethernet7?"], ["ethernet*"])
NOTHING = 3  # the filter that matches no port


class ConfigFaults(RedisFaults):
    filter = 0
    scope = 0                         # 1: "configured"
    frozen = False
    in_config_db: set[str] = set()    # the ports in CONFIG_DB
    # Its ports when it was last complete; None: portsyncd cannot know them.
    configured: Optional[frozenset[str]] = None

    # --- ports.match ---

    def _filter(self, which: int) -> None:
        """Changes the filter with a reload. A portsyncd that does not run uses the new filter at its next start."""
        self.filter = which
        if not self.alive():
            return
        if self.frozen:
            self._thaw()
        process.wait_for(self.daemon.log, 10, "portsyncd handles signals; until then, SIGHUP ends it")
        self.effective_config["ports"]["match"] = FILTERS[which]
        self.honesty.expect(daemon=None)
        self.daemon.configure(self.effective_config)
        self.daemon.reload()
        self.honesty.expect(daemon=self.daemon, match=tuple(FILTERS[which]))

    def alive(self) -> bool:
        return self.daemon is not None and self.daemon.alive()

    def _thaw(self) -> None:
        raise NotImplementedError

    # --- ports.scope = "configured" ---

    def _config_flush(self) -> None:
        if self._writable():
            self._config("FLUSHDB")
            self.in_config_db = set()

    def _config_fill(self, every: int) -> None:
        """Writes ports, without each `every`th (0: all). CONFIG_DB is not marked as complete yet."""
        if self._writable():
            numbers = [number for number in range(2 * self.ports) if not every or number % every]
            self._config("FLUSHDB")
            with self.redis.connect(CONFIG_DB) as client:
                client.pipeline([("HSET", f"PORT|{self.port(number)}", "lanes", number) for number in numbers])
            self.in_config_db = {self.port(number) for number in numbers}

    def _config_ready(self) -> None:
        if self._writable():
            self._config("SET", "CONFIG_DB_INITIALIZED", "1")
            self._now_configured()

    def _config_port(self, number: int, present: int) -> None:
        """Adds or removes one port."""
        if self._writable() and self._config("GET", "CONFIG_DB_INITIALIZED") == "1":
            name = self.port(number)
            if present:
                self._config("HSET", f"PORT|{name}", "lanes", str(number))
                self.in_config_db.add(name)
            else:
                self._config("DEL", f"PORT|{name}")
                self.in_config_db.discard(name)
            self._now_configured()

    def _now_configured(self) -> None:
        self.configured = frozenset(self.in_config_db)
        self.honesty.expect(configured=self.configured if self.scope else None, known=True)

    def _config(self, *words: str) -> object:
        with self.redis.connect(CONFIG_DB) as client:
            return client.call(*words)

    def refill(self) -> None:
        """Called after a start of Redis: reads what it has loaded. If CONFIG_DB is gone, the previous set stays."""
        with self.redis.connect(CONFIG_DB) as client:
            self.in_config_db = {key.partition("|")[2] for key in client.scan("PORT|*")}
            if client.call("GET", "CONFIG_DB_INITIALIZED") == "1":
                self._now_configured()

    # --- what is wanted ---

    def may_be_ours(self, name: str) -> bool:
        return (any(fnmatch.fnmatchcase(name, glob) for glob in FILTERS[self.filter])
                and (not self.scope or self.configured is None or name in self.configured))

    def kernel_ports(self) -> dict[str, Link]:
        found = super().kernel_ports()
        if self.scope and self.configured is not None:
            found = {name: link for name, link in found.items() if name in self.configured}
        return found
