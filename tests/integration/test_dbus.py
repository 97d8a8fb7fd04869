# SPDX-License-Identifier: Apache-2.0
"""D-Bus, on a private system bus with the shipped policy: the interface, the rights of users, and a bus that fails."""

import difflib
import os
import re
import select
import shutil
import signal
import socket
import statistics
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from support import process
from support.case import SANITIZED, Case
from support.daemon import Config, Daemon
from support.netns import IFLA_IFNAME, NLM_F_ACK, NLM_F_REQUEST, attribute, link_message
from support.system_bus import DATA, NAME, PATH, RawClient, Signals, SystemBus

DOCUMENT = Path(__file__).resolve().parents[2] / "portsyncd" / "doc" / "dbus.md"
ERROR = NAME + ".Error."
DENIED = "org.freedesktop.DBus.Error.AccessDenied"
INVALID = "org.freedesktop.DBus.Error.InvalidArgs"


class DbusCase(Case):
    autostart = False
    bus_at_start = True

    def setUp(self) -> None:
        for tool in ("dbus-daemon", "dbus-send", "busctl"):
            if shutil.which(tool) is None:
                self.skipTest(f"{tool} is not installed")
        super().setUp()
        self.bus = SystemBus(self.directory)
        self.addCleanup(self.bus.kill)
        if self.bus_at_start:
            self.bus.start()
            self.start_on_bus()
            self.bus.wait_for_owner()

    def start_on_bus(self, enabled: str = "auto", config: Config = {}, **options: Any) -> Daemon:
        daemon = self.start({"dbus": {"enabled": enabled}, **config}, environment=self.bus.environment, **options)
        self.wait_equal()
        return daemon

    def signals(self) -> Signals:
        """
        Returns the signals from now on. Waits first until the daemon has sent those that were due, of its start for
        example.
        """
        signals = Signals(self.bus)
        self.addCleanup(signals.close)
        self.bus.call("Resync", "b", "false")
        process.wait_for(lambda: signals.of("Resynchronized") and self.properties_of(signals, "LastResync"), 10,
                         "a resync is signalled")
        signals.received.clear()
        return signals

    @staticmethod
    def properties_of(signals: Signals, name: str) -> list[Any]:
        return [changed[name]["data"] for interface, changed, _ in signals.of("PropertiesChanged")
                if interface == NAME and name in changed]

    def dbus_lines(self) -> list[str]:
        """Returns the log lines about the bus."""
        return [line.split(" ", 1)[1] for line in self.daemon.log().splitlines()
                if "system bus" in line or ("D-Bus" in line and "D-Bus client" not in line)]


def skeleton(xml: str) -> set[str]:
    """Returns our interface's members, one string for each: names, directions, types, annotations."""
    found = set()
    root = ElementTree.fromstring(xml)
    for interface in root.iter("interface"):
        if interface.get("name") != NAME:
            continue
        for member in interface:
            args = [(a.get("name"), a.get("type"), a.get("direction") if member.tag == "method" else "out")
                    for a in member.iter("arg")]
            notes = sorted((a.get("name"), a.get("value")) for a in member.iter("annotation")
                           # "true" is the default, and sd-bus leaves it out
                           if not (a.get("name").endswith("EmitsChangedSignal") and a.get("value") == "true")
                           and not a.get("name").endswith("Method.Async"))  # only for the code generator
            found.add(f"{member.tag} {member.get('name')} {member.get('type')} {member.get('access')} {args} {notes}")
    return found


class Interface(DbusCase):
    def test_introspection_equals_the_xml(self) -> None:
        shipped = skeleton((DATA / f"{NAME}.xml").read_text())
        answer = self.bus.busctl("introspect", "--xml-interface", NAME, PATH)
        self.assertEqual(skeleton(answer), shipped)
        self.assertEqual(len(shipped), 13 + 8 + 3)

    def test_properties(self) -> None:
        found = self.bus.properties()
        self.assertEqual((found["Health"], found["HealthReason"], found["PortCount"], found["RedisConnected"]),
                         ("Healthy", "", self.ports, True))
        self.assertLess(abs(found["LastResync"] / 1e6 - time.time()), 60 * process.PATIENCE)
        counted = self.daemon.statistics()
        self.assertEqual((found["Events"], found["Writes"], found["Failures"], found["PendingCount"], found["Flaps"]),
                         (counted["events"], counted["writes"], 0, 0, 0))
        self.assertEqual(self.bus.property("Version"), found["Version"])
        self.assertIn(found["Version"], process.run([str(self.program()), "--version"]))
        self.assertIn("PropertyReadOnly", self.bus.refusal("Set", f"string:{NAME}", "string:Health", "variant:string:x",
                                                            interface="org.freedesktop.DBus.Properties"))

    def program(self) -> Path:
        return Path(f"/proc/{self.daemon.pid}/exe").resolve()

    def test_ports(self) -> None:
        self.dut.ip("link add name br0 type bridge", "link set Ethernet4 master br0",
                    "link set Ethernet8 address 02:00:00:00:00:08", "link set Ethernet8 mtu 9100",
                    "link property add dev Ethernet8 altname etp3")
        self.far.ip("link set p0 down")
        self.wait_oper("down", "Ethernet0")
        self.wait_equal()
        ports = {row[0]: row[1:] for row in self.bus.call("ListPorts")[0]}
        self.assertEqual(list(ports), [self.port(i) for i in range(self.ports)])
        self.assertEqual((ports["Ethernet4"][0], ports["Ethernet4"][5]), (self.dut_index + 1, "br0"))
        self.assertEqual(ports["Ethernet8"][1:7], ["up", "up", 9100, "02:00:00:00:00:08", "", True])
        self.assertEqual(ports["Ethernet8"][7:], [0, 0, 0, 0, 0])
        _, admin, oper, _, _, _, in_sync, minute, hour, total, outage, change = ports["Ethernet0"]
        self.assertEqual((admin, oper, in_sync, minute, hour, total), ("up", "down", True, 1, 1, 1))
        self.assertGreater(outage, 0)
        self.assertLess(abs(change / 1e6 - time.time()), 60 * process.PATIENCE)
        self.assertEqual(self.bus.property("Flaps"), 1)
        one = {name: value["data"] for name, value in self.bus.call("GetPort", "s", "Ethernet8")[0].items()}
        row = ports["Ethernet8"]
        names = ("Ifindex", "Admin", "Oper", "Mtu", "Mac", "Master", "InSync", "FlapsLastMinute", "FlapsLastHour",
                 "FlapsTotal", "LongestOutage", "LastChange")
        self.assertEqual([one[name] for name in names], row)
        self.assertEqual((one["Name"], one["Kind"], one["AlternativeNames"]), ("Ethernet8", "veth", ["etp3"]))
        self.assertEqual(self.bus.refusal("GetPort", "string:Ethernet3"), ERROR + "NoSuchPort: no such port: Ethernet3")

    def test_statistics_and_history(self) -> None:
        counted = self.bus.call("GetStatistics")[0]
        log = self.daemon.statistics()
        self.assertEqual(counted.keys(), log.keys() - {"eps"})
        self.assertEqual((counted["writes"], counted["ports"]), (log["writes"], self.ports))
        history = self.bus.call("GetHealthHistory")[0]
        self.assertEqual(history[0][3:], ["Degraded", "starting"])
        self.assertEqual(history[-1][1:3], ["Healthy", ""])
        self.assertEqual([entry[3:] for entry in history[1:]], [entry[1:3] for entry in history[:-1]])

    def test_what_changes_something(self) -> None:
        before = self.daemon.statistics()
        self.assertIsNone(self.bus.call("Resync", "b", "false"))
        process.wait_for(lambda: self.daemon.statistics()["resyncs"] == before["resyncs"] + 1, 10, "a resync", 0.05)
        self.redis.db.call("HSET", "PORT_TABLE|Ethernet0", "mtu", "17")
        self.assertIsNone(self.bus.call("Audit"))
        self.wait_equal()
        client = re.findall(r"Audit: requested by D-Bus client (:\S+)\n", self.daemon.log())[-1]
        self.daemon.wait_for_log(f"D-Bus client {client} is uid={os.getuid()} pid=")
        self.assertIsNone(self.bus.call("SetLogLevel", "s", "error"))
        self.assertEqual(self.bus.refusal("SetLogLevel", "string:loud"),
                         ERROR + 'InvalidArgument: found the level "loud", expected trace, debug, info, warn, error, '
                         "critical or off")
        self.assertIsNone(self.bus.call("SetLogLevel", "s", "debug"))
        self.assertIsNone(self.bus.call("Reload"))
        self.assertIn("Reload: nothing has changed", self.daemon.log())
        self.daemon.config_path.write_text("[database]\nredis_port = 0\n")
        self.assertRegex(self.bus.refusal("Reload"), ERROR + "Failed: nothing has changed: .*redis_port")
        self.redis.stop_process()
        self.dut.ip("link set Ethernet0 mtu 1601")
        process.wait_for(lambda: self.bus.property("PendingCount") > 0, 10, "a row waits for Redis")
        self.daemon.signal(signal.SIGTERM)
        self.daemon.wait_for_log("stopping")
        self.assertEqual(self.bus.refusal("Reload"), ERROR + "NotPossible: portsyncd is stopping")
        self.redis.continue_process()
        self.assertEqual(self.daemon.wait(), 0)
        self.assertEqual(self.bus.owner(), "")
        self.start_on_bus()

    def test_bad_arguments(self) -> None:
        for member, args in (("GetPort", ()), ("GetPort", ("uint32:7",)), ("Resync", ("string:yes",)),
                             ("Audit", ("byte:1",)), ("SetLogLevel", ("array:string:info",))):
            with self.subTest(member):
                self.assertIn(INVALID, self.bus.refusal(member, *args))
        self.assertIn("org.freedesktop.DBus.Error.UnknownMethod", self.bus.refusal("Stop"))
        self.assertIn(ERROR + "NoSuchPort", self.bus.refusal("GetPort", "string:" + "x" * 100_000))

    def test_a_name_that_is_no_text(self) -> None:
        """
        A link's name may contain any bytes. A bus takes only UTF-8, and disconnects a client that sends anything else.
        """
        signals = self.signals()
        name = b"Ethernet\xff"
        self.dut.ip(f"link add name Ethernet100 index 900 group 100 type veth peer name q index 901 netns {self.far.path}")
        self.wait_equal()
        # `ip` refuses such a name, so RTM_SETLINK with IFLA_IFNAME is sent by hand.
        with self.dut.netlink() as s:
            s.send(link_message(19, NLM_F_REQUEST | NLM_F_ACK, 900, attrs=attribute(IFLA_IFNAME, name + b"\0")))
            s.recv(4096)
        process.wait_for(lambda: [r for r in self.bus.call("ListPorts")[0] if r[0] == "Ethernet?"], 10, "it is listed")
        signals.wait_for("PortChanged", ["Ethernet?", {}, {
            "admin_status": "down", "mtu": "1500", "netdev_oper_status": "down", "state": "ok"}])
        self.dut.ip("link del group 100")
        process.wait_for(lambda: self.bus.property("PortCount") == 0, 10, "no port is left")
        self.assertEqual(len(self.dbus_lines()), 1, "the bus was not lost")

    def settle(self) -> None:
        if self._testMethodName != "test_a_name_that_is_no_text":  # the check cannot decode its name
            super().settle()


class SignalsEmitted(DbusCase):
    def row(self, oper: str = "up", mtu: int = 1500) -> dict[str, str]:
        return {"state": "ok", "netdev_oper_status": oper, "admin_status": "up", "mtu": str(mtu)}

    def test_a_port_changes_goes_and_comes(self) -> None:
        signals = self.signals()
        self.dut.ip("link set Ethernet0 mtu 1600")
        signals.wait_for("PortChanged", ["Ethernet0", self.row(), self.row(mtu=1600)])
        self.far.ip("link set p1 down")
        signals.wait_for("PortChanged", ["Ethernet4", self.row(), self.row("down")])
        self.dut.ip("link set Ethernet8 down", "link set Ethernet8 name uplink")
        process.wait_for(lambda: [s for s in signals.of("PortChanged") if s[0] == "Ethernet8" and s[2] == {}], 10, "gone")
        process.wait_for(lambda: self.properties_of(signals, "PortCount") == [self.ports - 1], 10,
                         "PortCount is signalled")
        self.dut.ip("link set uplink name Ethernet8", "link set Ethernet8 up")
        process.wait_for(lambda: self.properties_of(signals, "PortCount") == [self.ports - 1, self.ports], 10,
                         "PortCount is signalled again")
        self.assertEqual(self.bus.property("SignalsDropped"), 0)

    def test_a_resync(self) -> None:
        signals = self.signals()
        before = self.bus.property("LastResync")
        self.bus.call("Resync", "b", "true")
        signals.wait_for("Resynchronized", ["resync", self.ports])
        process.wait_for(lambda: self.properties_of(signals, "LastResync"), 10, "LastResync is signalled")
        self.assertGreater(self.properties_of(signals, "LastResync")[0], before)

    def test_redis_goes_and_comes(self) -> None:
        signals = self.signals()
        self.redis.kill()
        process.wait_for(lambda: signals.of("HealthChanged"), 10, "HealthChanged")
        verdict, reason, old_verdict, old_reason = signals.of("HealthChanged")[0]
        self.assertEqual((verdict, old_verdict, old_reason), ("Degraded", "Healthy", ""))
        self.assertIn("Redis", reason)
        process.wait_for(lambda: self.properties_of(signals, "RedisConnected") == [False], 10,
                         "RedisConnected is signalled")
        self.assertEqual(self.properties_of(signals, "Health"), ["Degraded"])
        for gone in (1, 2, 3, 4):  # for one or two of them, the verdict changes its reason and causes a signal, too
            self.dut.ip(f"link del {self.port(gone)}")
            process.wait_for(lambda: self.properties_of(signals, "PortCount")[-1:] == [self.ports - gone], 10,
                             "PortCount is signalled though no row is written")
        self.redis.start()
        self.foreign.clear()
        self.wait_equal()
        process.wait_for(lambda: self.properties_of(signals, "RedisConnected") == [False, True], 10, "and is back")
        process.wait_for(lambda: signals.of("HealthChanged")[-1][:2] == ["Healthy", ""], 10, "Healthy is signalled")


class Refused(DbusCase):
    def setUp(self) -> None:
        if len(Path("/proc/self/uid_map").read_text().split()) != 3 or "4294967295" not in Path(
                "/proc/self/uid_map").read_text():
            self.skipTest("no other users in a user namespace")
        super().setUp()

    def test_callers_permissions(self) -> None:
        changing = (("Resync", "boolean:false"), ("Audit",), ("Reload",), ("SetLogLevel", "string:debug"))
        for call in changing:
            self.assertIn(DENIED, self.bus.refusal(*call, user="nobody"), call)
        self.assertIn(DENIED, self.bus.refusal("Set", f"string:{NAME}", "string:Health", "variant:string:x", user="nobody",
                                               interface="org.freedesktop.DBus.Properties"))
        self.assertEqual(self.daemon.statistics()["resyncs"], 0)
        for method, *args in (("ListPorts",), ("GetPort", "s", "Ethernet0"), ("GetStatistics",), ("GetHealthHistory",)):
            self.assertTrue(self.bus.call(method, *args, user="nobody"), method)
        self.assertEqual(self.bus.property("Health", user="nobody"), "Healthy")
        self.assertEqual(skeleton(self.bus.busctl("introspect", "--xml-interface", NAME, PATH, user="nobody")),
                         skeleton((DATA / f"{NAME}.xml").read_text()))
        # A member of the group has the rights of portsyncd's user.
        self.assertIsNone(self.bus.call("Resync", "b", "false", user="games"))
        self.assertIsNone(self.bus.call("SetLogLevel", "s", "debug", user="games"))

    def test_an_unprivileged_user_may_not_own_the_name(self) -> None:
        self.assertEqual(self.daemon.terminate(), 0)
        request = ["dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus",
                   "org.freedesktop.DBus.RequestName", f"string:{NAME}", "uint32:4"]
        self.assertIn(DENIED, self.bus.run(request, "nobody").stderr)
        for user in ("games", None):
            self.assertIn("uint32 1", self.bus.run(request, user).stdout)
        self.start_on_bus()


class Trouble(DbusCase):
    bus_at_start = False

    def test_no_bus_is_one_line(self) -> None:
        self.start_on_bus()
        process.wait_for(self.dbus_lines, 10, "the log says so")
        time.sleep(5)  # for one more attempt, which must not be logged
        self.assertEqual(len(self.dbus_lines()), 1, self.dbus_lines())
        self.assertRegex(self.dbus_lines()[0], r"^info No system bus: .*; trying again$")
        self.bus.start()
        self.bus.wait_for_owner(20)

    def test_no_bus_though_it_is_wanted_is_a_warning(self) -> None:
        self.start_on_bus("true")
        process.wait_for(self.dbus_lines, 10, "the log says so")
        self.assertRegex(self.dbus_lines()[0], r"^warning No system bus: ")

    def test_not_wanted(self) -> None:
        self.bus.start()
        self.start_on_bus("false")
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.wait_equal()
        self.assertEqual((self.bus.owner(), self.dbus_lines()), ("", []))

    def test_the_name_is_refused_at_first(self) -> None:
        """As after a fresh installation: when the service starts, the bus has not read the policy yet."""
        self.bus.start(policy=False)
        self.start_on_bus()
        process.wait_for(self.dbus_lines, 10, "the log says so")
        self.assertRegex(self.dbus_lines()[0], "^warning The system bus refuses org.sonic.PortSync1: .*; trying again$")
        self.bus.allow()
        self.bus.wait_for_owner(20)
        self.assertEqual(self.bus.property("PortCount"), self.ports)
        self.assertEqual([line.split(" ")[0] for line in self.dbus_lines()], ["warning", "info"])

    def refuse_an_attempt(self) -> None:
        """Something listens in the bus' place, and closes the connection of the next attempt."""
        self.bus.socket.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.bus.socket))
            listener.listen()
            listener.settimeout(10 * process.PATIENCE)
            listener.accept()[0].close()

    def test_a_bus_that_is_killed_and_comes_back(self) -> None:
        self.bus.start()
        self.start_on_bus()
        self.bus.wait_for_owner()
        self.bus.call("GetPort", "s", "Ethernet0")  # sdbus-c++ opens two eventfds for its first Variant, and keeps them
        held = self.daemon.descriptors(), self.daemon.threads()
        for mtu in (1600, 1700, 1800):
            self.bus.kill()
            self.dut.ip(f"link set Ethernet0 mtu {mtu}")
            self.wait_equal()
            if mtu == 1700:
                self.refuse_an_attempt()
            self.bus.start()
            self.bus.wait_for_owner(20)
            signals = self.signals()
            self.dut.ip(f"link set Ethernet0 mtu {mtu + 1}")
            process.wait_for(lambda: signals.of("PortChanged"), 10, "signals are emitted again")
            process.wait_for(lambda: (self.daemon.descriptors(), self.daemon.threads()) == held, 5,
                             f"(descriptors, threads) {held}: none is left behind")
        self.assertEqual(self.bus.property("PortCount"), self.ports)
        self.assertEqual([line.split(" ")[0] for line in self.dbus_lines()], ["info"] + 3 * ["warning", "info"])

    def test_a_bus_that_accepts_and_never_answers(self) -> None:
        """portsyncd waits for it neither at the start, where sd-bus would wait for 25 s, nor later."""
        self.bus.start()
        self.bus.freeze()
        self.start_on_bus()
        for mtu in range(1600, 1620):
            self.dut.ip(f"link set Ethernet0 mtu {mtu}")
            self.wait_equal(2)
        self.bus.thaw()
        self.bus.wait_for_owner()
        self.bus.freeze()
        for mtu in range(1700, 1720):
            self.dut.ip(f"link set Ethernet0 mtu {mtu}")
            self.wait_equal(2)
        self.assertEqual(self.daemon.terminate(5), 0, "it ends though the bus reads nothing")
        self.bus.thaw()
        self.start_on_bus()
        self.bus.wait_for_owner()

    def test_ends_while_the_bus_does_not_answer(self) -> None:
        self.bus.start()
        self.bus.freeze()
        daemon = self.start_on_bus()
        self.assertEqual(daemon.terminate(5), 0)
        self.start_on_bus("false")


class Many(DbusCase):
    ports = 512
    settle_limit = 30.0
    bus_at_start = False
    config = {"logging": {"level": "error"}, "sync": {"audit_interval_secs": 0}}

    def milliseconds_of_512_rows(self) -> float:
        """
        Changes the MTU of every port. Returns the milliseconds until the last row is right, as a reader of Redis sees
        it.
        """
        self.mtu = getattr(self, "mtu", 1600) + 1
        keys = [("HGET", f"PORT_TABLE|{self.port(i)}", "mtu") for i in range(self.ports)]
        began = time.monotonic()
        self.dut.ip(f"link set group 100 mtu {self.mtu}")
        process.wait_for(lambda: set(self.redis.db.pipeline(keys)) == {str(self.mtu)}, 30, "all rows", 0.001)
        return 1000 * (time.monotonic() - began)

    def wait_signalled(self, signals: Signals, ports: int) -> None:
        def complete() -> bool:
            return len({s[0] for s in signals.of("PortChanged") if s[2]["mtu"] == str(self.mtu)}) == ports
        process.wait_for(complete, 20, f"{ports} ports were signalled")

    def test_rows_are_not_delayed(self) -> None:
        self.bus.start()
        self.start_on_bus("false", {**self.config})
        without = statistics.median(self.milliseconds_of_512_rows() for _ in range(5))
        self.daemon.terminate()
        self.start_on_bus("true", {**self.config})
        self.bus.wait_for_owner()
        signals = self.signals()
        times = []
        for _ in range(5):
            times.append(self.milliseconds_of_512_rows())
            self.wait_signalled(signals, self.ports)
        print(f"     512 rows: {without:.1f} ms without D-Bus, {statistics.median(times):.1f} ms with", flush=True)
        self.assertLess(statistics.median(times), 2 * without + 100 * process.PATIENCE)
        self.assertEqual(self.bus.property("SignalsDropped"), 0)

    def test_no_more_than_64_ports_in_50_ms(self) -> None:
        self.bus.start()
        self.start_on_bus("true", {**self.config})
        self.bus.wait_for_owner()
        signals = self.signals()
        self.finish(self.load("mtu", 20 * self.ports))
        self.milliseconds_of_512_rows()
        self.wait_signalled(signals, self.ports)
        times = [at for at, name, _ in signals.received if name == "PortChanged"]
        self.assertLessEqual(len(times), 64 * (2 + (times[-1] - times[0]) / 0.05))

    def test_a_slow_bus_costs_signals_and_not_rows(self) -> None:
        self.bus.start()
        self.start_on_bus("true", {**self.config})
        self.bus.wait_for_owner()
        with self.daemon.connection_to(str(self.bus.socket)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # sd-bus has asked for 8 MiB
            self.bus.freeze()
            self.milliseconds_of_512_rows()
            self.wait_until_full(connection)
            before = self.daemon.rss_bytes()
            for _ in range(15):
                self.milliseconds_of_512_rows()
            self.assertLess(self.daemon.rss_bytes() - before, (32 if SANITIZED else 1) << 20)
            self.bus.thaw()
            signals = self.signals()
            self.milliseconds_of_512_rows()
            self.wait_signalled(signals, self.ports)
            self.bus.freeze()
            self.milliseconds_of_512_rows()
            self.wait_until_full(connection)
        self.assertEqual(self.daemon.terminate(10), 0, "it does not wait until the bus has read everything")
        self.start_on_bus("false", {**self.config})

    def wait_until_full(self, connection: socket.socket) -> None:
        process.wait_for(lambda: not select.select([], [connection], [], 0)[1], 10, "the bus reads nothing more")


class ListPorts(DbusCase):
    ports = 1024
    settle_limit = 30.0

    def test_1024_ports(self) -> None:
        client = RawClient(self.bus)
        self.addCleanup(client.close)
        times, size, cpu = [], 0, self.daemon.cpu_seconds()
        for _ in range(20):
            began = time.monotonic()
            size = client.call(NAME, PATH, NAME, "ListPorts")
            times.append(1000 * (time.monotonic() - began))
        cpu = 1000 * (self.daemon.cpu_seconds() - cpu) / len(times)
        print(f"     ListPorts of 1,024 ports, {size} bytes: {cpu:.1f} ms of portsyncd's CPU; with the bus, median "
              f"{statistics.median(times):.1f} ms, least {min(times):.1f} ms", flush=True)
        self.assertLess(cpu, 50 * (10 if SANITIZED else 1))

    def test_a_client_that_asks_without_end_does_not_delay_rows(self) -> None:
        client = RawClient(self.bus)
        self.addCleanup(client.close)
        calls = [client.send(NAME, PATH, NAME, "ListPorts") for _ in range(100)]
        began = time.monotonic()
        self.dut.ip("link set Ethernet0 mtu 1600")
        process.wait_for(lambda: self.redis.db.call("HGET", "PORT_TABLE|Ethernet0", "mtu") == "1600", 60, "row", 0.001)
        row = time.monotonic() - began
        client.answer(calls[-1])
        answers = time.monotonic() - began
        print(f"     a row under 100 calls of ListPorts: {1000 * row:.1f} ms, the answers {1000 * answers:.1f} ms", flush=True)
        self.assertLess(row, answers / 2)


class Idle(DbusCase):
    ports = 64

    def test_memory_and_wake_ups(self) -> None:
        """Prints figures. The limits leave room for a busy machine."""
        time.sleep(1)
        before, seconds = self.switches(), 5
        time.sleep(seconds)
        wake_ups = (self.switches() - before) / seconds
        rss = self.daemon.rss_bytes() / (1 << 20)
        print(f"     64 ports, D-Bus on: RSS {rss:.1f} MiB, {wake_ups:.1f} wake-ups/s", flush=True)
        self.assertLessEqual(wake_ups, 2)
        if not SANITIZED:
            self.assertLess(rss, 12)

    def switches(self) -> int:
        status = Path(f"/proc/{self.daemon.pid}/status").read_text()
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)[1])


def normalised(text: str) -> str:
    """Replaces what differs from run to run: times, durations, counts of time, the version, the address of Redis."""
    text = re.sub(r"\b1[0-9]{15}\b", "1790000000000000", text)
    text = re.sub(r"/tmp/\S*redis\.sock", "/run/redis/redis.sock", text)
    return re.sub(r'"\d+\.\d+\.\d+"', '"0.1.0"', text)


class Documentation(DbusCase):
    """
    Runs every command of dbus.md and compares its output with the document. PORTSYNC_WRITE_DOCS=1 stores it there
    instead.
    """

    ports = 2
    bus_at_start = False
    config = {"performance": {"max_latency_us": 1_000_000}}  # so that a busy machine does not show

    def setUp(self) -> None:
        super().setUp()
        self.dut.ip("link set Ethernet0 address 02:00:00:00:00:00", "link set Ethernet4 address 02:00:00:00:00:04")
        self.bus.start()
        self.redis.stop_process()  # so that the history is always the same
        self.start({"dbus": {"enabled": "true"}}, ready=False, environment=self.bus.environment)
        self.daemon.wait_status("waiting for Redis")
        self.redis.continue_process()
        self.wait_equal()
        self.bus.wait_for_owner()
        process.wait_for(lambda: self.bus.property("Health") == "Healthy", 10, "it is healthy")

    def output(self, command: str) -> str:
        done = self.bus.run(["sh", "-c", command])
        return normalised(done.stdout + done.stderr)

    def test_transcripts(self) -> None:
        document = DOCUMENT.read_text()
        blocks = re.findall(r"^```\n(\$ .*?)^```$", document, re.MULTILINE | re.DOTALL)
        self.assertGreater(len(blocks), 4)
        actual = document
        for block in blocks:
            commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
            actual = actual.replace(block, "".join(f"$ {c}\n{self.output(c)}" for c in commands))
        if os.environ.get("PORTSYNC_WRITE_DOCS"):
            DOCUMENT.write_text(actual)
        self.assertEqual(actual, document, "".join(difflib.unified_diff(
            document.splitlines(True), actual.splitlines(True), "dbus.md", "as it is")))
