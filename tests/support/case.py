# SPDX-License-Identifier: Apache-2.0
"""The base of every test that runs portsyncd: ports, a Redis with other writers' data, and the check at the end."""

import fnmatch
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Optional, Union

from support import process, resp
from support.daemon import Config, Daemon
from support.netns import Link, Netns
from support.redis_server import STATE_DB, Redis

DUT_INDEX, FAR_INDEX = 100, 20000
GROUP = 100  # the group of all ports: `ip link del group` deletes thousands at once
OWN_FIELDS = ("state", "netdev_oper_status", "admin_status", "mtu")
Foreign = Union[str, dict[str, str]]

SANITIZED = bool(os.environ.get("PORTSYNC_SANITIZED"))


def program(name: str) -> str:
    """Returns the path of a program of the build under test, whose folder is PORTSYNC_BUILD."""
    found = Path(os.environ["PORTSYNC_BUILD"], name)
    if not found.exists():
        raise unittest.SkipTest(f"{name} is not built")
    return str(found)


class SettledCase(unittest.TestCase):
    """Before each test: a directory. After each test that passed: settle(), which checks the end state."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, function in list(vars(cls).items()):
            if name.startswith("test_") and callable(function):
                setattr(cls, name, _then_settle(function))

    def setUp(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("needs root, or unshare -Urn")
        self.directory = Path(tempfile.mkdtemp(prefix="portsync-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def settle(self) -> None:
        raise NotImplementedError


def _then_settle(function: Any) -> Any:
    def test(self: SettledCase) -> None:
        function(self)
        self.settle()

    test.__name__, test.__doc__ = function.__name__, function.__doc__
    return test


class Case(SettledCase):
    """
    Before each test: two namespaces (`dut` with the ports, `far` with the other ends), a Redis with rows and fields of
    other writers, and, unless autostart is False, a portsyncd that is ready. After each test that passed: settle().
    """

    ports = 8                      # Ethernet0, Ethernet4, …
    config: Config = {}            # added to default_config()
    autostart = True
    settle_limit = 10.0
    dut_index = DUT_INDEX          # the ifindex of the first port

    def setUp(self) -> None:
        super().setUp()
        self.daemons: list[Daemon] = []
        self.daemon: Optional[Daemon] = None
        self.foreign: dict[tuple[int, str], Foreign] = {}
        self.dut, self.far = Netns(), Netns()
        self.addCleanup(self.dut.close)
        self.addCleanup(self.far.close)
        self.redis = Redis(self.directory, self.dut)
        self.addCleanup(self.redis.close)
        self.redis.start()
        if self.ports:
            self.add_ports(self.ports)
        self.plant()
        if self.autostart:
            self.start()
            self.wait_equal()

    # --- links ---

    @staticmethod
    def port(number: int) -> str:
        return f"Ethernet{4 * number}"

    def add_ports(self, count: int, first: int = 0, up: bool = True) -> None:
        # Distinct indexes on both sides, because with equal ones the kernel reports only 100 carrier changes a second.
        numbers = range(first, first + count)
        self.dut.ip(*(f"link add name {self.port(i)} index {self.dut_index + i} group {GROUP} type veth "
                      f"peer name p{i} index {FAR_INDEX + i} netns {self.far.path}" for i in numbers))
        if up:
            self.dut.ip(*(f"link set {self.port(i)} up" for i in numbers))
            self.far.ip(*(f"link set p{i} up" for i in numbers))
            self.wait_oper("up", *(self.port(i) for i in numbers))

    def wait_oper(self, oper: str, *ports: str) -> None:
        """
        Waits until the kernel reports this oper state. Carriers take time, and more when other namespaces are busy.
        """
        def arrived() -> bool:
            links = self.dut.links()
            return all(links[port].oper == oper for port in ports)
        process.wait_for(arrived, 120, f"the kernel shows {len(ports)} ports {oper}")

    def load(self, kind: str, count: int = 0, first: int = 0) -> subprocess.Popen:
        """Starts the load generator on the ports from `first` on. With count 0 it runs until finish()."""
        first_index, links = self.dut_index + first, self.ports - first
        args = [program("tests/support/link_load"), kind, str(count), str(first_index), str(links)]
        running = process.start(args, self.dut, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.end, running)
        self.assertEqual(running.stdout.readline(), "started\n")
        return running

    def finish(self, load: subprocess.Popen) -> int:
        """Ends the load (an endless one at once). Returns the number of changes it made."""
        if load.args[-3] == "0":
            load.terminate()
        out, error = load.communicate(timeout=120 * process.PATIENCE)
        self.assertEqual(load.returncode, 0, error)
        return int(out.split()[0].partition("=")[2])

    # --- Redis ---

    def plant(self) -> None:
        """Stores what other writers keep beside our rows and in them. All of it must be there at the end."""
        rows = {f"PORT_TABLE|{self.port(i)}": {"speed": "100000", "supported_speeds": f"{i}"}
                for i in range(self.ports)}
        others = {
            "PORT_TABLE|Ethernet0.10": {"state": "ok", "mtu": "1500"},       # intfmgrd's
            "PORT_TABLE|PortChannel1": {"state": "ok"},
            "PORT_TABLE_PEER|Ethernet0": {"state": "ok"},
            "LAG_TABLE|PortChannel1": {"state": "ok"},
        }
        self.foreign.clear()
        for key, fields in {**rows, **others}.items():
            self.plant_row(key, fields)
        self.foreign[(STATE_DB, "PORT")] = "a string"
        self.redis.db.call("SET", "PORT", "a string")
        self.foreign[(0, "PORT_TABLE:Ethernet0")] = {"admin_status": "up"}
        with self.redis.connect(0) as appl_db:
            appl_db.call("HSET", "PORT_TABLE:Ethernet0", "admin_status", "up")

    def plant_row(self, key: str, fields: dict[str, str]) -> None:
        self.foreign[(STATE_DB, key)] = dict(fields)
        self.redis.db.call("HSET", key, *(word for pair in fields.items() for word in pair))

    # --- portsyncd ---

    def default_config(self) -> Config:
        return {
            "database": {"redis_socket": self.redis.socket, "retry_interval_secs": 1},
            "logging": {"level": "debug"},
        }

    def start(self, config: Optional[Config] = None, ready: bool = True, command: Optional[str] = None,
              **options: Any) -> Daemon:
        """
        Starts portsyncd with default_config(), the class's config and this one. A later key overrides an earlier one.
        """
        merged = self.default_config()
        for some in (self.config, config or {}):
            for section, keys in some.items():
                merged[section] = {**merged.get(section, {}), **keys}
        self.daemon = Daemon(command or program("portsyncd/portsyncd"), self.directory, self.dut, merged, **options)
        self.daemons.append(self.daemon)
        self.addCleanup(self.daemon.close)
        self.effective_config = merged
        if ready:
            self.daemon.wait_ready()
        return self.daemon

    # --- the check at the end ---

    def kernel_ports(self) -> dict[str, Link]:
        globs = self.effective_config.get("ports", {}).get("match", ["Ethernet*"]) if self.daemon else ["Ethernet*"]
        return {name: link for name, link in self.dut.links().items()
                if "." not in name and link.kind != "vlan" and any(fnmatch.fnmatchcase(name, g) for g in globs)}

    @staticmethod
    def row_of(link: Link) -> dict[str, str]:
        return {"state": "ok", "netdev_oper_status": link.oper, "admin_status": link.admin, "mtu": str(link.mtu)}

    def differences(self) -> list[str]:
        """Returns how Redis differs from the kernel's links and the planted data; [] = not at all."""
        links = self.kernel_ports()
        db = self.redis.db
        keys = [key for key in db.scan("PORT_TABLE|*") if not self._is_planted_string(key)]
        rows = dict(zip(keys, map(resp.pairs, db.pipeline([("HGETALL", key) for key in keys]))))
        wrong = []
        for name, link in links.items():
            key = f"PORT_TABLE|{name}"
            planted = self.foreign.get((STATE_DB, key), {})
            want = {**(planted if isinstance(planted, dict) else {}), **self.row_of(link)}
            if rows.get(key) != want:
                wrong.append(f"{key} is {rows.get(key)}, wanted {want}")
        planted_rows = {key for database, key in self.foreign
                        if database == STATE_DB and key.startswith("PORT_TABLE|") and not self._is_planted_string(key)}
        for key in sorted(rows.keys() | planted_rows):
            if key.partition("|")[2] not in links and rows.get(key) != self.foreign.get((STATE_DB, key)):
                wrong.append(f"{key} is {rows.get(key)}, wanted {self.foreign.get((STATE_DB, key))}")
        wrong += self._index_differences(links) + self._planted_differences()
        if wrong and self.kernel_ports() != links:
            return ["the kernel's links changed during the check"]
        return wrong

    def _is_planted_string(self, key: str) -> bool:
        return isinstance(self.foreign.get((STATE_DB, key)), str)

    def _index_differences(self, links: dict[str, Link]) -> list[str]:
        want = {name: link.oper for name, link in links.items()}
        if self.daemon and not self.effective_config.get("sync", {}).get("port_index", True):
            want = {}
        index = self.redis.db.hash("PORT_TABLE")
        return [] if index == want else [f"the index PORT_TABLE: {sorted(set(index.items()) ^ set(want.items()))[:6]}"]

    def _planted_differences(self) -> list[str]:
        wrong = []
        for (database, key), want in self.foreign.items():
            if database == STATE_DB and key.startswith("PORT_TABLE|") and isinstance(want, dict):
                continue  # checked with the rows
            with self.redis.connect(database) as client:
                found: Foreign = client.call("GET", key) if isinstance(want, str) else client.hash(key)
            if found != want:
                wrong.append(f"{key} in database {database} is {found}, wanted {want}")
        if self.redis.db.call("EXISTS", "portsyncd:queue"):
            wrong.append("there is a key portsyncd:queue")
        return wrong

    def wait_equal(self, limit: Optional[float] = None) -> float:
        """Waits until STATE_DB equals the kernel and other writers' data is untouched. Returns the seconds it took."""
        limit = self.settle_limit if limit is None else limit
        began = time.monotonic()
        deadline = began + limit * process.PATIENCE
        while True:
            wrong = self.differences()
            if not wrong:
                return time.monotonic() - began
            if time.monotonic() > deadline:
                some = "\n  ".join(wrong[:12])
                raise process.TimedOut(
                    f"STATE_DB does not equal the kernel after {limit:g} s; {len(wrong)} differences:\n  {some}")
            time.sleep(0.01 if len(wrong) < 100 else 0.1)

    def settle(self) -> None:
        """Checks the end state: rows right, other writers' data untouched, the daemon alive and without complaints."""
        self.wait_equal()
        for daemon in self.daemons:
            self.assertEqual(daemon.complaints(), [])
        if self.daemon is not None:
            self.assertTrue(self.daemon.alive(), "portsyncd has ended")
