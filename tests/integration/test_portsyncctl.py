# SPDX-License-Identifier: Apache-2.0
"""portsyncctl as a user runs it, and hostile clients of the control socket."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Optional

from support import process
from support.case import SANITIZED, Case, program

TOP = Path(__file__).resolve().parents[2]
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534"]
PORT_MEMBERS = {"name", "ifindex", "admin", "oper", "operstate", "mtu", "mac", "master", "in_sync", "flaps",
                "carrier_changes", "carrier_up_count", "carrier_down_count", "kind", "slave_kind", "phys_port_name",
                "alternative_names", "compared_unix_ms"}


class Client:
    """A connection to the control socket, without portsyncctl."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.settimeout(20 * process.PATIENCE)
        self._file = self.socket.makefile("rb")

    def line(self) -> str:
        """Returns the next line; "" when portsyncd has closed the connection."""
        try:
            return self._file.readline().decode()
        except ConnectionResetError:
            return ""

    def ask(self, request: str) -> Any:
        self.socket.sendall(request.encode() + b"\n")
        return json.loads(self.line())

    def close(self) -> None:
        self._file.close()
        self.socket.close()


class Ctl(Case):
    ports = 4

    @property
    def socket(self) -> Path:
        return self.directory / "control.sock"

    def client(self) -> Client:
        client = Client(self.socket)
        self.addCleanup(client.close)
        return client

    def environment(self, more: Optional[dict[str, str]] = None) -> dict[str, str]:
        return {**os.environ, "PORTSYNCCTL_SOCKET": str(self.socket), "TZ": "UTC", **(more or {})}

    def ctl(self, *arguments: str, status: int = 0, before: tuple[str, ...] = (), binary: str = "",
            environment: Optional[dict[str, str]] = None) -> str:
        """Runs portsyncctl. Returns what it prints: on standard output, or on standard error if `status` is not 0."""
        done = subprocess.run([*before, binary or program("portsyncd/portsyncctl"), *arguments], capture_output=True,
                              text=True, env=self.environment(environment), timeout=60, check=False)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stderr}{done.stdout}")
        if done.stdout:
            self.assertEqual(done.stderr, "")
        return done.stdout or done.stderr

    def json(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.ctl("--json", *arguments, status=status))

    def port_row(self, name: str) -> list[str]:
        """Returns the port's line of `ports`, by column."""
        line = next(line for line in self.ctl("ports").splitlines() if line.startswith(name + " "))
        return re.split(r" {2,}", line)

    def flap(self, number: int) -> None:
        for state in ("down", "up"):
            self.far.ip(f"link set p{number} {state}")
            self.wait_oper(state, self.port(number))


class Ask(Ctl):
    def test_status_is_the_command_when_there_is_none(self) -> None:
        self.assertIn("Health:  Healthy\n", self.ctl())
        self.assertIn("Ports:  4 ports, 0 rows pending, 0 flaps\n", self.ctl("status"))
        status = self.json()
        self.assertEqual(status["pid"], self.daemon.pid)
        self.assertEqual(status["store"], {"name": f"Redis at {self.redis.socket}", "open": True, "last_error": ""})
        self.assertEqual(status.keys(), {"health", "version", "pid", "mode", "started_unix_ms", "store", "ports",
                                         "pending", "flaps", "last_resync_unix_ms", "compared_unix_ms", "log_level"})
        self.assertLess(abs(status["started_unix_ms"] / 1000 - time.time()), 60)
        self.redis.kill()
        self.daemon.wait_status("Degraded")
        self.assertIn("Health:  Degraded: waiting for Redis at ", self.ctl("status"))
        self.assertIn(", not connected: ", self.ctl("status"))
        self.redis.start()
        self.foreign.clear()

    def test_ports_are_as_the_kernel_has_them(self) -> None:
        self.dut.ip("link add br7 type bridge", "link set Ethernet4 master br7", "link set Ethernet4 mtu 9000",
                    "link set Ethernet8 address 02:00:00:00:00:08", "link set Ethernet12 down")
        self.wait_equal()
        process.wait_for(lambda: self.port_row("Ethernet4")[6] == "br7", 10, "the master is shown")
        links = self.kernel_ports()
        lines = self.ctl("ports").splitlines()
        self.assertEqual([line.split()[0] for line in lines],
                         ["NAME", "Ethernet0", "Ethernet4", "Ethernet8", "Ethernet12"])
        for name, link in links.items():
            row = self.port_row(name)
            self.assertEqual(row[:5], [name, str(link.ifindex), link.admin, link.oper, str(link.mtu)])
            self.assertEqual(row[-1], "yes")
        self.assertEqual(self.port_row("Ethernet8")[5], "02:00:00:00:00:08")
        self.assertEqual(len(self.ctl("ports", "Ethernet1*").splitlines()), 2)
        self.assertEqual([port["name"] for port in self.json("ports", "Ethernet[48]")], ["Ethernet4", "Ethernet8"])
        self.assertEqual({frozenset(port) for port in self.json("ports")}, {frozenset(PORT_MEMBERS)})
        self.assertIn('no port matches "x*"', self.ctl("ports", "x*", status=3))
        self.assertEqual(self.json("ports", "x*", status=3), [])

    def test_flaps_are_counted_and_timed(self) -> None:
        self.assertEqual(self.port_row("Ethernet0")[7:11], ["0", "0", "0", "never"])
        self.flap(0)
        self.flap(0)
        process.wait_for(lambda: self.json("port", "Ethernet0")["flaps"]["total"] == 2, 10, "two flaps")
        self.assertEqual(self.port_row("Ethernet0")[7:10], ["2", "2", "2"])
        self.assertRegex(self.port_row("Ethernet0")[10], r"^(now|\d.* ago)$")
        flaps = self.json("port", "Ethernet0")["flaps"]
        self.assertGreater(flaps["longest_outage_ms"], 0)
        self.assertLess(abs(flaps["last_change_unix_ms"] / 1000 - time.time()), 60)
        self.assertIn("Flaps:  2 (2 in the last minute, 2 in the last hour)", self.ctl("port", "Ethernet0"))
        self.assertNotIn("Longest outage:  none", self.ctl("port", "Ethernet0"))
        self.assertEqual(self.json()["flaps"], 2)

    def test_one_port(self) -> None:
        self.dut.ip("link property add dev Ethernet0 altname front1 altname front2")
        process.wait_for(lambda: self.json("port", "Ethernet0")["alternative_names"] == ["front1", "front2"], 10,
                         "the alternative names are shown")
        text = self.ctl("port", "Ethernet0")
        self.assertIn("Alternative names:  front1 front2\n", text)
        self.assertIn("             Kind:  veth\n", text)
        self.assertEqual(self.json("port", "Ethernet0").keys(), PORT_MEMBERS | {"row", "row_error"})
        self.assertIn('no port has the name "front1"', self.ctl("port", "front1", status=3))
        self.ctl("port", status=2)

    def test_a_row_that_vanished_is_not_in_sync_when_asked_for(self) -> None:
        self.assertIn("Row, read now:  oper up, admin up, mtu 1500\n", self.ctl("port", "Ethernet0"))
        self.redis.db.call("HDEL", "PORT_TABLE|Ethernet0", "state", "netdev_oper_status", "admin_status", "mtu")
        text = self.ctl("port", "Ethernet0")
        self.assertIn("Row, read now:  none\n", text)
        self.assertIn("In sync:  no\n", text)
        self.wait_equal()  # long before the next audit
        port = self.json("port", "Ethernet0")
        self.assertEqual((port["in_sync"], port["row"]["mtu"], port["row_error"]), (True, "1500", ""))
        self.assertLess(abs(port["compared_unix_ms"] / 1000 - time.time()), 10)
        self.redis.db.call("HSET", "PORT_TABLE|Ethernet0", "mtu", "9000")
        self.assertIn("mtu 9000\n", self.ctl("port", "Ethernet0"))
        self.wait_equal()

    def test_a_row_that_cannot_be_read_is_neither_in_sync_nor_not(self) -> None:
        self.redis.kill()
        self.daemon.wait_status("Degraded")
        port = self.json("port", "Ethernet0")
        self.assertEqual((port["in_sync"], port["row"]), (None, None))
        self.assertNotEqual(port["row_error"], "")
        self.assertIn("In sync:  not known\n", self.ctl("port", "Ethernet0"))
        self.redis.start()
        self.foreign.clear()

    def test_stats_are_those_of_the_log(self) -> None:
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.wait_equal()
        stats = self.json("stats")
        self.assertEqual(stats.keys(), self.daemon.statistics().keys() - {"eps"})
        self.assertGreaterEqual(stats["writes"], 5)
        self.assertRegex(self.ctl("stats"), r"(?m)^pending +0$")

    def test_a_row_that_waits_is_not_in_sync(self) -> None:
        self.redis.db.call("CLIENT", "PAUSE", 60_000, "WRITE")
        self.dut.ip("link set Ethernet0 mtu 1600")

        def in_sync() -> list[str]:
            return [line.split()[-1] for line in self.ctl("ports").splitlines()[1:]]
        process.wait_for(lambda: in_sync() == ["no", "yes", "yes", "yes"], 15, "the row that waits is not in sync")
        self.redis.db.call("CLIENT", "UNPAUSE")
        process.wait_for(lambda: set(in_sync()) == {"yes"}, 15, "it is")

    def test_a_name_of_any_bytes(self) -> None:
        name = "Ethernet\x1b[31mx"
        self.dut.ip(f"link add name {name} type veth peer name far9 netns {self.far.path}")
        self.wait_equal()
        self.assertIn("\nEthernet?[31mx ", self.ctl("ports"))
        self.assertIn("?[31mx\n", self.ctl("port", name))
        self.assertEqual(self.json("port", name)["name"], name)
        self.assertNotIn("\x1b", self.ctl("--json", "ports"))


class Change(Ctl):
    config = {"sync": {"audit_interval_secs": 0}}

    def test_resync_audit_and_log_level(self) -> None:
        before = self.json("stats")["snapshots"]
        self.assertIn("listing", self.ctl("resync"))
        process.wait_for(lambda: self.json("stats")["snapshots"] > before, 10, "the links are listed again")
        self.redis.db.call("HDEL", "PORT_TABLE|Ethernet0", "mtu")
        self.assertEqual(self.json("audit"), {})
        self.wait_equal(5)
        self.ctl("log-level", "error")
        self.assertEqual(self.json()["log_level"], "error")
        self.assertIn('found the level "loud", expected trace', self.ctl("log-level", "loud", status=1))

    def test_the_caller_is_in_the_log_and_off_is_logged_last(self) -> None:
        for command, said in ((("resync",), "Resync"), (("resync", "--force"), "Resync with force"), (("audit",), "Audit"),
                              (("reload",), "Reload"), (("log-level", "error"), "Log level error, was debug"),
                              (("log-level", "off"), "Log level off, was error")):
            self.ctl(*command)
            self.assertRegex(self.daemon.log(), rf"{said}: requested by uid={os.getuid()} pid=\d+ over the control socket\n")
        self.assertTrue(self.daemon.log().endswith(" error The log level is off: this is the last line\n"), self.daemon.log()[-300:])
        self.ctl("log-level", "debug")
        self.assertRegex(self.daemon.log(), r"info Log level debug, was off: requested by uid=")

    def test_reload(self) -> None:
        self.effective_config = {**self.effective_config, "ports": {"match": ["Ethernet0"]}}
        self.daemon.configure(self.effective_config)
        self.assertIn("has been read", self.ctl("reload"))
        self.assertEqual([port["name"] for port in self.json("ports")], ["Ethernet0"])
        self.daemon.config_path.write_text("nonsense")
        self.assertIn("nothing has changed: ", self.ctl("reload", status=1))

    def test_force_removes_rows_that_no_link_has_ever_matched(self) -> None:
        self.daemon.terminate()
        self.plant_row("PORT_TABLE|eth7", {"state": "ok", "mtu": "1500"})
        self.redis.db.call("DEL", *(f"PORT_TABLE|{self.port(i)}" for i in range(self.ports)), "PORT_TABLE")
        for i in range(self.ports):
            del self.foreign[(6, f"PORT_TABLE|{self.port(i)}")]
        self.start({"ports": {"match": ["eth*"]}})
        self.daemon.wait_status("rows left alone")
        self.assertIn("Degraded: ", self.ctl("health", status=10))
        self.ctl("resync")
        self.ctl("resync", "--force")
        del self.foreign[(6, "PORT_TABLE|eth7")]
        self.wait_equal()
        process.wait_for(lambda: self.json()["health"]["verdict"] == "Healthy", 10, "it is healthy")
        text = self.ctl("health")
        self.assertEqual(text.splitlines()[0], "Healthy")
        self.assertRegex(text.splitlines()[-1], r"^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d  Degraded: .*  -> Healthy$")


class Unhealthy(Ctl):
    config = {"health": {"max_stall_seconds": 1}}

    def test_the_exit_status_of_health(self) -> None:
        self.assertEqual(self.ctl("health").splitlines()[0], "Healthy")
        self.redis.stop_process()
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.daemon.wait_status("Unhealthy")
        self.assertIn("Unhealthy: ", self.ctl("health", status=11))
        self.assertEqual(self.json("health", status=11)["verdict"], "Unhealthy")
        self.ctl("status")
        self.redis.continue_process()


class Follow(Ctl):
    seen = ""  # what wait_for_line() has read

    def monitor(self, *options: str) -> subprocess.Popen:
        """Starts `monitor`. It follows, because it has shown a change."""
        running = process.start([program("portsyncd/portsyncctl"), "monitor", *options], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=self.environment())
        self.addCleanup(process.end, running)
        os.set_blocking(running.stdout.fileno(), False)
        mtus = iter(range(2000, 9000))

        def follows() -> bool:
            self.dut.ip(f"link set Ethernet12 mtu {next(mtus)}")
            return bool(self.read(running))
        process.wait_for(follows, 10, "monitor shows something")
        return running

    @staticmethod
    def read(running: subprocess.Popen) -> str:
        """Returns what it has printed since the last call."""
        return (running.stdout.read() or b"").decode()

    def wait_for_line(self, running: subprocess.Popen, pattern: str) -> str:
        def found() -> Optional[re.Match[str]]:
            self.seen += self.read(running)
            return re.search(pattern, self.seen, re.MULTILINE)
        try:
            return process.wait_for(found, 15, pattern)[0]
        except process.TimedOut as e:
            raise AssertionError(f"{e}; it was {self.seen!r}") from None


class Monitor(Follow):
    def test_it_shows_what_happens(self) -> None:
        running = self.monitor()
        self.far.ip("link set p0 down")
        self.wait_for_line(running, r"^\d\d:\d\d:\d\d\.\d{3}  Ethernet0  oper up -> down  \(notified, \d+\.\d\d ms\)$")
        self.dut.ip("link del Ethernet4")
        self.wait_for_line(running, r"  Ethernet4  row removed  ")
        self.ctl("resync")
        self.wait_for_line(running, r"  links listed: 3 ports \(resync\)$")
        self.redis.kill()
        self.wait_for_line(running, r"  store not connected$")
        self.wait_for_line(running, r"  Healthy -> Degraded: waiting for Redis")
        self.redis.start()
        self.foreign.clear()
        self.wait_for_line(running, r"  store connected$")
        self.wait_for_line(running, r" -> Healthy$")
        self.wait_equal()

    def test_json_is_one_document_a_line(self) -> None:
        running = self.monitor("--json")
        self.far.ip("link set p0 down")
        event = json.loads(self.wait_for_line(running, r'^.*"port_changed".*"Ethernet0".*$'))
        self.assertEqual((event["before"]["netdev_oper_status"], event["now"]["netdev_oper_status"]), ("up", "down"))
        self.assertEqual(event.keys(), {"event", "time_unix_ms", "port", "before", "now", "cause", "events",
                                        "latency_us"})

    def test_it_ends_with_portsyncd_and_with_its_reader(self) -> None:
        running, unread = self.monitor(), self.monitor()
        unread.stdout.close()
        self.assertIn(unread.wait(10 * process.PATIENCE), (0, -signal.SIGPIPE), "without waiting for an event")
        self.assertEqual(unread.stderr.read(), b"")
        self.wait_equal()  # and with the last of the changes that monitor() makes
        self.daemon.terminate()
        self.assertEqual(running.wait(10 * process.PATIENCE), 4)
        self.assertIn(b"portsyncd has closed the connection", running.stderr.read())
        self.daemon = None


class SlowMonitor(Follow):
    ports = 64

    def write_rows(self, count: int, reader: subprocess.Popen) -> None:
        """Changes links, 20,000 times or more, until `count` rows have been written."""
        before = self.daemon.statistics()["writes"]
        while self.daemon.statistics()["writes"] - before < count:
            load = self.load("mixed", 20_000)
            while load.poll() is None:
                self.read(reader)
                time.sleep(0.01)
            self.finish(load)

    def test_one_that_does_not_read_costs_nothing(self) -> None:
        slow, reader = self.client(), self.monitor()
        self.assertEqual(slow.ask('{"method":"monitor"}'), {"ok": True, "result": {}})
        self.write_rows(4_000, reader)  # more than portsyncd and the kernel queue for it
        rss = self.daemon.rss_bytes()
        self.write_rows(4_000, reader)
        self.wait_equal()
        if not SANITIZED:
            self.assertLess(self.daemon.rss_bytes() - rss, 1 << 20)
        events = 0
        while (event := json.loads(slow.line()))["event"] != "dropped":
            events += 1
        self.assertGreater(events, 100)
        self.assertGreater(event["dropped"], 1_000)
        self.dut.ip("link set Ethernet0 mtu 1777")
        while (event := json.loads(slow.line()))["event"] != "port_changed" or event["now"]["mtu"] != "1777":
            pass


class Callers(Ctl):
    def test_an_unprivileged_caller_may_not_change_anything(self) -> None:
        if "4294967295" not in Path("/proc/self/uid_map").read_text():
            self.skipTest("only one user here")
        self.directory.chmod(0o711)
        binary = str(self.directory / "portsyncctl")
        shutil.copy(program("portsyncd/portsyncctl"), binary)
        nobody = (*NOBODY, "--clear-groups")
        self.assertIn("Healthy", self.ctl("status", before=nobody, binary=binary))
        self.assertIn("Ethernet0", self.ctl("ports", before=nobody, binary=binary))
        for command in (("resync",), ("resync", "--force"), ("audit",), ("reload",), ("log-level", "error")):
            self.assertEqual(self.ctl(*command, status=5, before=nobody, binary=binary),
                             "portsyncctl: only root, portsyncd's own user and its group may do this\n")
        self.assertEqual(self.json()["log_level"], "debug")
        self.ctl("audit", before=(*NOBODY, "--groups", f"4711,{os.getgid()}"), binary=binary)
        self.assertRegex(self.daemon.log(), r"info Audit: requested by uid=65534 pid=\d+ over the control socket")
        self.socket.chmod(0o600)
        self.assertIn("Permission denied", self.ctl("status", status=5, before=nobody, binary=binary))

    def test_readers_leave_room_for_privileged_callers(self) -> None:
        if "4294967295" not in Path("/proc/self/uid_map").read_text():
            self.skipTest("only one user here")
        self.directory.chmod(0o711)
        crowd = process.start(
            [*NOBODY, "--clear-groups", "/usr/bin/python3", "-c",
             "import socket, sys\n"
             "clients = [socket.socket(socket.AF_UNIX) for _ in range(13)]\n"
             "for client in clients: client.connect(sys.argv[1])\n"
             "print(clients[12].recv(1000), flush=True)\n"
             "sys.stdin.read()", str(self.socket)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.end, crowd)
        self.assertIn("too many clients", crowd.stdout.readline())
        self.ctl("audit")
        crowd.communicate()

    def test_twenty_clients(self) -> None:
        before = self.daemon.descriptors()
        clients = [self.client() for _ in range(20)]
        answers = [client.ask('{"method":"status"}') for client in clients[:16]]
        self.assertTrue(all(answer["ok"] for answer in answers))
        for client in clients[16:]:
            self.assertIn("too many clients", client.line())
            self.assertEqual(client.line(), "")
        self.assertIn("too many clients are connected", self.ctl("ports", status=1))
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.wait_equal()
        for client in clients:
            client.close()
        process.wait_for(lambda: self.daemon.descriptors() == before, 10, "portsyncd has seen them go")
        self.ctl("status")

    def test_garbage(self) -> None:
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\0\xff\n", b"[" * 4000 + b"\n", b"x" * 100_000, b"{}\n",
                        b'{"method":"ports","pattern":"' + b"*" * 4000 + b"\n"):
            client = self.client()
            # Portsyncd may close the connection before it has read everything.
            with contextlib.suppress(BrokenPipeError):
                client.socket.sendall(garbage)
            self.assertIn('"invalid_argument"', client.line(), garbage[:40])
            self.assertEqual(client.line(), "")
        for name in ("\udcff", "x" * 3000, "../..", "%s%n", "Ethernet0\n"):
            self.assertIn("no port has the name", self.ctl("port", name, status=3))

    def test_portsyncd_is_not_there(self) -> None:
        self.daemon.terminate()
        self.daemon = None
        self.assertEqual(self.ctl(status=4), f"portsyncctl: portsyncd does not answer at {self.socket} (No such file or "
                                             "directory): is it running? systemctl status portsyncd\n")
        self.assertIn("/nowhere", self.ctl("--socket", "/nowhere", status=4))
        self.assertIn("File name too long", self.ctl("--socket", "/" + "x" * 200, status=4))

    def test_a_stale_socket_is_replaced(self) -> None:
        self.daemon.kill()
        self.assertTrue(self.socket.is_socket())
        self.assertIn("(Connection refused): is it running?", self.ctl(status=4))
        self.start()
        self.assertEqual(self.json()["pid"], self.daemon.pid)

    def test_a_second_portsyncd_leaves_the_first_its_socket(self) -> None:
        first = self.daemon
        second = self.start(options=("--json-lines",))
        second.wait_for_log("Another portsyncd answers to portsyncctl")
        self.assertEqual(second.terminate(), 0)
        self.daemon = first
        self.assertEqual(self.json()["pid"], first.pid)

    def test_no_socket_without_a_place_for_it(self) -> None:
        self.daemon.terminate()
        daemon = self.start(environment={"RUNTIME_DIRECTORY": "/proc/nothing"})
        daemon.wait_for_log("No control socket")
        self.assertNotIn(" warning No control socket", daemon.log())

    def test_the_runtime_directory_is_made_and_the_first_counts(self) -> None:
        self.daemon.terminate()
        first = self.directory / "made"
        self.start(environment={"RUNTIME_DIRECTORY": f"{first}:{self.directory}"})
        self.assertEqual(first.stat().st_mode & 0o777, 0o755)
        self.assertIn("Healthy", self.ctl("--socket", str(first / "control.sock")))

    def test_portsyncd_is_stuck(self) -> None:
        self.daemon.freeze()
        began = time.monotonic()
        self.assertIn("has not answered within 5 s: is it stuck?", self.ctl(status=4))
        self.assertLess(time.monotonic() - began, 5 + 3 * process.PATIENCE)
        self.daemon.thaw()


class Terminal(Ctl):
    def shown(self, *arguments: str, environment: Optional[dict[str, str]] = None) -> str:
        """Returns what portsyncctl prints on a terminal."""
        master, slave = pty.openpty()
        try:
            subprocess.run([program("portsyncd/portsyncctl"), *arguments], stdout=slave, check=True,
                           env=self.environment({"TERM": "xterm", "NO_COLOR": "", **(environment or {})}))
            return os.read(master, 65536).decode()
        finally:
            os.close(master)
            os.close(slave)

    def test_colour(self) -> None:
        self.assertIn("\x1b[32mHealthy\x1b[0m", self.shown("status"))
        self.assertNotIn("\x1b", self.shown("status", environment={"NO_COLOR": "1"}))
        self.assertNotIn("\x1b", self.shown("status", environment={"TERM": "dumb"}))
        self.assertNotIn("\x1b", self.shown("status", "--color=never"))
        self.assertNotIn("\x1b", self.ctl("status"))
        self.assertIn("\x1b", self.ctl("status", "--color=always"))
        plain = re.sub(r"\x1b\[\d+m", "", self.ctl("ports", "--color", "always"))
        self.assertEqual(plain, self.ctl("ports"))
        self.ctl("status", "--color=sometimes", status=2)

    def test_help_version_and_bad_command_lines(self) -> None:
        for command in ("status", "ports", "port", "monitor", "health", "stats", "resync", "audit", "reload",
                        "log-level", "--json", "--socket", "--color"):
            self.assertIn(command, self.ctl("--help"))
        self.assertRegex(self.ctl("--version"), r"^portsyncctl \d+\.\d+\.\d+\n$")
        for wrong in (("explode",), ("--explode",), ("status", "x"), ("log-level",), ("ports", "a", "b")):
            self.ctl(*wrong, status=2)

    def test_a_pipe_that_is_closed(self) -> None:
        done = subprocess.run(["bash", "-c", '"$0" stats | head -1', program("portsyncd/portsyncctl")],
                              capture_output=True, text=True, env=self.environment(), check=True)
        self.assertEqual((len(done.stdout.splitlines()), done.stderr), (1, ""))
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([program("portsyncd/portsyncctl"), "stats"], stdout=full, stderr=subprocess.PIPE,
                                  text=True, env=self.environment(), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left on device", done.stderr)

    def complete(self, *words: str) -> list[str]:
        script = TOP / "portsyncd" / "data" / "portsyncctl.bash-completion"
        body = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _portsyncctl; printf "%s\\n" "${COMPREPLY[@]}"'
        return process.run(["env", f"PORTSYNCCTL_SOCKET={self.socket}", "bash", "-uc", body, "bash", str(script),
                            program("portsyncd/portsyncctl"), *words]).split()

    def test_completion(self) -> None:
        evil = "Ethernet$(>t)"  # creates a file if a shell evaluates it
        self.dut.ip(f"link add name {evil} type veth peer name far9 netns {self.far.path}")
        self.wait_equal()
        self.assertEqual(self.complete("re"), ["resync", "reload"])
        self.assertEqual(len(self.complete("")), 10)
        self.assertEqual(self.complete("port", "Ethernet1"), ["Ethernet12"])
        self.assertEqual(self.complete("--json", "ports", "Ethernet"),
                         [r"Ethernet\$\(\>t\)", "Ethernet0", "Ethernet4", "Ethernet8", "Ethernet12"])
        self.assertFalse(Path("t").exists())
        self.assertEqual(self.complete("port", "Ethernet0", ""), [])
        self.assertEqual(self.complete("log-level", "w"), ["warn"])
        self.assertEqual(self.complete("--co"), ["--color"])
        self.assertEqual(self.complete("--color", "a"), ["auto", "always"])
        self.assertEqual(self.complete("--color", "=", "n"), ["never"])
        self.assertEqual(self.complete("resync", "--f"), ["--force"])
        self.assertEqual(self.complete("status", "--f"), [])
        self.assertEqual(self.complete("--socket", "/nowhere", "port", "E"), [])


def normal(text: str) -> str:
    """Removes what differs from run to run."""
    for pattern, word in ((r"([0-9a-f]{2}:){5}[0-9a-f]{2}", "MAC"), (r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", "DATE"),
                          (r"\bnow\b|[\d.]+ (ms|s|min|h|days) ago", "AGO"), (r"\d\d:\d\d:\d\d\.\d{3}", "TIME"),
                          (r"outage:  [\d.]+ \w+", "outage:  LONG"), (r"\d+\.\d\d ms", "LATENCY"),
                          (r"PID \d+", "PID"), (r"\d+\.\d+\.\d+, ", "VERSION, "),
                          (r"(changes:  )\d+ \(\d+ up, \d+ down\)", r"\1COUNTS"), (r" +", " ")):
        text = re.sub(pattern, word, text)
    return text


class Readme(Ctl):
    config = {"database": {"redis_socket": ""}, "logging": {"level": "info"}}

    def test_readme_shows_what_it_prints(self) -> None:
        self.dut.ip("link add br7 type bridge", "link set Ethernet8 master br7", "link set Ethernet12 down",
                    "link property add dev Ethernet0 altname front1")
        self.wait_equal()
        self.flap(0)
        self.flap(0)
        process.wait_for(lambda: self.json("port", "Ethernet0")["flaps"]["total"] == 2
                         and self.port_row("Ethernet8")[6] == "br7", 10, "all has been seen")
        blocks = re.findall(r"^```\n(\$ portsyncctl.*?)```$", (TOP / "README.md").read_text(), re.MULTILINE | re.DOTALL)
        shown = re.findall(r"^\$ portsyncctl(.*)\n((?:[^$\n].*\n|\n)*)", "".join(blocks), re.MULTILINE)
        self.assertEqual([command.strip() for command, _ in shown], ["", "ports", "port Ethernet0"])
        for command, output in shown:
            really = self.ctl(*command.split())
            with self.subTest(command):
                self.assertEqual(normal(output).strip(), normal(really).strip(), f"README.md; it really is:\n{really}")
