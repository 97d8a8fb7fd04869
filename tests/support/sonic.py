# SPDX-License-Identifier: Apache-2.0
"""
A switch like SONiC's around portsyncd in sonic mode: its Redis with CONFIG_DB, its netdevs, and the check at the end.
"""

import json
import re
import threading
import time
from pathlib import Path
from typing import Any, Optional

from support import process, resp
from support.case import DUT_INDEX, FAR_INDEX, OWN_FIELDS, SettledCase, program
from support.daemon import Config, Daemon
from support.link_requests import LinkRequests
from support.netns import Link, Netns
from support.redis_server import CONFIG_DB, STATE_DB
from support.sonic_neighbours import Orchagent, _Thread
from support.sonic_redis import SonicRedis
from support.sonic_watch import APPL_DB, Watch

Row = dict[str, str]
IDS = {"APPL_DB": APPL_DB, "CONFIG_DB": CONFIG_DB, "STATE_DB": STATE_DB}
SEPARATORS = {"APPL_DB": ":", "CONFIG_DB": "|", "STATE_DB": "|"}
CONTAINER = {"NOTIFY_SOCKET": ""}  # under supervisord there is none


def port(number: int) -> str:
    return f"Ethernet{4 * number}"


def port_config(number: int) -> Row:
    """The port's row in CONFIG_DB."""
    lanes = ",".join(str(4 * number + lane) for lane in range(4))
    return {"lanes": lanes, "alias": f"etp{number + 1}", "index": str(number + 1), "speed": "100000", "mtu": "9100",
            "admin_status": "up"}


def row_of(link: Link) -> Row:
    return {"state": "ok", "netdev_oper_status": link.oper, "admin_status": link.admin, "mtu": str(link.mtu)}


def database_config(servers: dict[str, SonicRedis], sockets: Optional[dict[str, str]] = None) -> str:
    """
    Returns a database_config.json: which server has APPL_DB, CONFIG_DB and STATE_DB. `sockets`: another unix socket for
    a database's server ("" = none: by TCP).
    """
    instances: dict[str, Any] = {}
    databases: dict[str, Any] = {}
    for name, server in servers.items():
        path = (sockets or {}).get(name, server.socket)
        instance = next((known for known, what in instances.items()
                         if (what["port"], what["unix_socket_path"]) == (server.port, path)), None)
        if instance is None:
            instance = "redis" + str(len(instances) or "")
            instances[instance] = {"hostname": "127.0.0.1", "port": server.port, "unix_socket_path": path,
                                   "persistence_for_warm_boot": "yes"}
        databases[name] = {"id": IDS[name], "separator": SEPARATORS[name], "instance": instance}
    databases["COUNTERS_DB"] = {"id": 2, "separator": ":", "instance": next(iter(instances))}
    return json.dumps({"INSTANCES": instances, "DATABASES": databases, "VERSION": "1.0"}, indent=2)


class Switch:
    """
    Two namespaces (`dut` has the netdevs, `far` their other ends) and a Redis with `ports` ports in CONFIG_DB. Nothing
    else runs. With appl_apart, APPL_DB is on a separate server.
    """

    def __init__(self, directory: Path, ports: int = 3, appl_apart: bool = False, watched: bool = True) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.ports = ports
        self.dut, self.far = Netns(), Netns()
        self._dut_requests, self._far_requests = LinkRequests(self.dut), LinkRequests(self.far)
        self._links_lock = threading.Lock()
        self._next_index = 0
        self.redis = SonicRedis(directory / "main", self.dut)
        self.appl_redis = SonicRedis(directory / "appl", self.dut, 6380) if appl_apart else self.redis
        self._clients: dict[int, resp.Client] = {}
        self.watch: Optional[Watch] = None
        self.daemon: Optional[Daemon] = None
        self.daemons: list[Daemon] = []
        self.threads: list[_Thread] = []
        # Rows of STATE_DB's PORT_TABLE that are not portsyncd's, and other writers' fields in its rows.
        self.others: dict[str, Row] = {}
        self.odd_ports: set[str] = set()   # names of ports that do not begin with Ethernet
        self.ignored: set[int] = set()     # ifindexes that portsyncd must ignore
        self.config_file = directory / "database_config.json"
        for server in self.servers():
            server.start()
        self.config_file.write_text(database_config(
            {"APPL_DB": self.appl_redis, "CONFIG_DB": self.redis, "STATE_DB": self.redis}))
        if watched:
            self.watch = Watch(self.redis)
            self.watch.odd_ports = self.odd_ports
        self.plant()

    # --- life ---

    def servers(self) -> list[SonicRedis]:
        return [self.redis] if self.appl_redis is self.redis else [self.redis, self.appl_redis]

    def close(self) -> None:
        for thread in self.threads:
            thread.stop()
        for daemon in self.daemons:
            daemon.close()
        if self.watch is not None:
            self.watch.close()
        self.forget_clients()
        for server in self.servers():
            server.close()
        self._dut_requests.close()
        self._far_requests.close()
        self.dut.close()
        self.far.close()

    def plant(self) -> None:
        """Stores what database-docker and others have stored before swss starts."""
        self.config_db.pipeline([
            *(("HSET", f"PORT|{port(i)}", *flat(port_config(i))) for i in range(self.ports)),
            ("HSET", "DEVICE_METADATA|localhost", "hwsku", "test", "hostname", "sonic"),
            # So that the log of a failed test has details.
            ("HSET", "LOGGER|portsyncd", "LOGLEVEL", "DEBUG", "LOGOUTPUT", "STDERR"),
            ("SET", "CONFIG_DB_INITIALIZED", "1")])
        self.plant_row("Ethernet0.10", {"state": "ok", "mtu": "1500"})  # intfmgrd's
        self.plant_row("PortChannel1", {"state": "ok"})
        self.state_db.call("HSET", "LAG_TABLE|PortChannel1", "state", "ok")

    def plant_row(self, name: str, fields: Row) -> None:
        self.others[name] = fields
        self.state_db.call("HSET", f"PORT_TABLE|{name}", *flat(fields))

    # --- Redis ---

    def client(self, database: int) -> resp.Client:
        if database not in self._clients:
            server = self.appl_redis if database == APPL_DB else self.redis
            self._clients[database] = server.connect(database)
        return self._clients[database]

    def forget_clients(self) -> None:
        """To be called after a fault that closed these clients, too."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    @property
    def appl_db(self) -> resp.Client:
        return self.client(APPL_DB)

    @property
    def config_db(self) -> resp.Client:
        return self.client(CONFIG_DB)

    @property
    def state_db(self) -> resp.Client:
        return self.client(STATE_DB)

    def restart_redis(self, keep: bool) -> None:
        """Restarts all its servers. MONITOR ends with them, so what comes afterwards is not judged."""
        if self.watch is not None:
            self.watch.close()
            self.watch = None
        self.forget_clients()
        for server in self.servers():
            server.restart(keep)

    def row(self, name: str) -> Row:
        return self.state_db.hash(f"PORT_TABLE|{name}")

    def staged(self, name: str) -> Row:
        return self.appl_db.hash(f"_PORT_TABLE:{name}")

    def published(self, name: str) -> Row:
        return self.appl_db.hash(f"PORT_TABLE:{name}")

    def loaded(self, name: str) -> Row:
        """Returns the row, staged or published."""
        return {**self.published(name), **self.staged(name)}

    def wait_loaded(self, name: str, limit: float = 10) -> None:
        process.wait_for(lambda: self._said(self.loaded(name)), limit, f"{name} is in APPL_DB")

    def wait_restore_count(self, count: str) -> None:
        """Waits for restore_count, which is written last, as the only field."""
        process.wait_for(lambda: self.state_db.hash("WARM_RESTART_TABLE|portsyncd") == {"restore_count": count}, 10,
                         f"restore_count is {count}, and no other field is there")

    def wait_row(self, name: str, limit: float = 10) -> None:
        process.wait_for(lambda: self._said(self.row(name).get("state")), limit, f"STATE_DB has a row of {name}")

    def wait_init_done(self, limit: float = 10) -> None:
        self.wait_loaded("PortInitDone", limit)

    def _said(self, value: Any) -> Any:
        if not value and self.daemon is not None and not self.daemon.alive():
            raise AssertionError(f"portsyncd ended with {self.daemon.wait()}")
        return value

    # --- netdevs ---

    def create(self, name: str, up: bool = True, index: int = 0) -> int:
        """
        Makes a netdev as syncd does, and returns its ifindex. The other end of EthernetN is pN. May be called from any
        thread.
        """
        with self._links_lock:
            number = self._next_index
            self._next_index += 1
            index = index or DUT_INDEX + number
            peer = "p" + name.removeprefix("Ethernet") if re.fullmatch(r"Ethernet\d+", name) else f"q{number}"
            self._dut_requests.add_veth(name, index, peer, FAR_INDEX + number, self.far)
            self._far_requests.set_up(FAR_INDEX + number, True)
            if up:
                self._dut_requests.set_up(index, True)
            return index

    def plug(self, count: Optional[int] = None, first: int = 0, up: bool = True) -> None:
        """Makes the netdevs of `count` ports; by default of all."""
        for number in range(first, first + (self.ports - first if count is None else count)):
            self.create(port(number), up)

    def delete(self, name: str) -> None:
        with self._links_lock:
            self._dut_requests.delete(self._dut_requests.index_of(name))

    # --- SONiC's other programs ---

    def orchagent(self, hardware: bool = True, **options: Any) -> Orchagent:
        """Starts an orchagent. With hardware it also makes and deletes the netdevs."""
        if hardware:
            options = {"create": self.create, "delete": self.delete, **options}
        return self.add(Orchagent(self.appl_redis, **options))

    def add(self, thread: Any) -> Any:
        self.threads.append(thread)
        return thread

    def start(self, config: Optional[Config] = None, environment: Optional[dict[str, str]] = None,
              command: Optional[str] = None, host: bool = False, **options: Any) -> Daemon:
        """
        Starts portsyncd as the swss container does; with `host`, under a service manager that expects notifications.
        """
        merged: Config = {"database": {"retry_interval_secs": 1}, "logging": {"level": "debug"}}
        for section, keys in (config or {}).items():
            merged[section] = {**merged.get(section, {}), **keys}
        surroundings = {"PORTSYNCD_SYNC_MODE": "sonic", "PORTSYNCD_DATABASE_SONIC_DB_CONFIG": str(self.config_file),
                        **({} if host else CONTAINER), **(environment or {})}
        self.daemon = Daemon(command or program("portsyncd/portsyncd"), self.directory, self.dut, merged,
                             environment=surroundings, **options)
        self.daemons.append(self.daemon)
        return self.daemon

    def without_net_admin(self) -> str:
        """Returns a script that runs portsyncd without CAP_NET_ADMIN."""
        script = self.directory / "without-net-admin"
        script.write_text("#!/bin/sh\nexec setpriv --bounding-set -net_admin --inh-caps -net_admin "
                          f"'{program('portsyncd/portsyncd')}' \"$@\"\n")
        script.chmod(0o755)
        return str(script)

    # --- the check at the end ---

    def wanted_rows(self) -> dict[str, Row]:
        """Returns the wanted rows by port: of the netdevs that count, with other writers' fields."""
        known = {key.partition(":")[2] for key in self.appl_db.scan("PORT_TABLE:*")}
        rows = {name: dict(fields) for name, fields in self.others.items()}
        for name, link in self.dut.links().items():
            is_port = (name.startswith("Ethernet") and "." not in name) or name in self.odd_ports
            if is_port and name in known and link.ifindex not in self.ignored:
                rows[name] = {**self.others.get(name, {}), **row_of(link)}
        return rows

    def differences(self) -> list[str]:
        wanted = self.wanted_rows()
        keys = self.state_db.scan("PORT_TABLE|*")
        rows = dict(zip((key.partition("|")[2] for key in keys),
                        map(resp.pairs, self.state_db.pipeline([("HGETALL", key) for key in keys]))))
        wrong = [f"PORT_TABLE|{name} is {rows.get(name)}, wanted {wanted.get(name)}"
                 for name in sorted(rows.keys() | wanted.keys()) if rows.get(name) != wanted.get(name)]
        if self.state_db.call("EXISTS", "PORT_TABLE"):
            wrong.append("STATE_DB has the bare PORT_TABLE")
        if self.state_db.hash("WARM_RESTART_TABLE|portsyncd").keys() - {"restore_count"}:
            wrong.append("WARM_RESTART_TABLE|portsyncd has another field than restore_count")
        return wrong

    def wait_equal(self, limit: float = 10) -> None:
        """Waits until STATE_DB contains exactly the wanted rows."""
        deadline = time.monotonic() + limit * process.PATIENCE
        while wrong := self.differences():
            self._said(None)
            if time.monotonic() > deadline:
                some = "\n  ".join(wrong[:12])
                raise process.TimedOut(f"STATE_DB is not right after {limit:g} s; {len(wrong)} differences:\n  {some}")
            time.sleep(0.01)

    def clean_up_after_loss(self) -> list[str]:
        """
        To be called after Redis returned without its data. Rows that portsyncd wrote before it noticed must be complete
        and equal the kernel. Returns what is wrong with them, and removes them, as swss does before it starts again.
        """
        self.others = {}
        links = self.dut.links()
        wrong = []
        for key in self.state_db.scan("PORT_TABLE|*"):
            row, link = self.state_db.hash(key), links.get(key.partition("|")[2])
            if link is None or row != row_of(link):
                wrong.append(f"{key} is {row}, and the link {link}")
            self.state_db.call("DEL", key)
        return wrong

    def settle(self) -> list[str]:
        """Returns what is wrong at the end of a test."""
        self.wait_equal()
        wrong = [problem for thread in self.threads for problem in thread.problems]
        wrong += [line for daemon in self.daemons for line in daemon.complaints()]
        if self.daemon is not None and not self.daemon.alive():
            wrong.append(f"portsyncd ended with {self.daemon.wait()}")
        if self.watch is not None:
            self.watch.commands()
            wrong += self.watch.wrong[:10]
        return wrong


def flat(fields: Row) -> list[str]:
    return [word for pair in fields.items() for word in pair]


class SonicCase(SettledCase):
    """
    Before each test: a switch, `self.switch`, on which nothing of swss runs. After each test that passed: each switch
    is right, and portsyncd has written nothing forbidden.
    """

    ports = 3
    watched = True
    appl_apart = False

    def setUp(self) -> None:
        super().setUp()
        self.switches: list[Switch] = []
        self._made = 0
        self.switch = self.make_switch()

    def make_switch(self, **options: Any) -> Switch:
        self._made += 1
        switch = Switch(self.directory / f"switch{self._made}",
                        **{"ports": self.ports, "watched": self.watched, "appl_apart": self.appl_apart, **options})
        self.switches.append(switch)
        self.addCleanup(switch.close)
        return switch

    @property
    def daemons(self) -> list[Daemon]:
        """For the runner, which prints their logs."""
        return [daemon for switch in getattr(self, "switches", []) for daemon in switch.daemons]

    def settle(self) -> None:
        for switch in self.switches:
            self.assertEqual(switch.settle(), [])

    def remove(self, switch: Switch) -> None:
        """Closes a switch before the end of the test, without the final check."""
        self.switches.remove(switch)
        switch.close()

    def come_up(self, switch: Optional[Switch] = None, **options: Any) -> Orchagent:
        """Does a whole cold start: an orchagent that pops at once, portsyncd, netdevs, rows, PortInitDone popped."""
        switch = switch or self.switch
        orchagent = switch.orchagent()
        switch.start(**options)
        orchagent.wait_popped("PortInitDone")
        switch.wait_equal()
        return orchagent


__all__ = ["APPL_DB", "CONFIG_DB", "OWN_FIELDS", "STATE_DB", "SonicCase", "Switch", "database_config", "flat", "port",
           "port_config", "row_of"]
