# SPDX-License-Identifier: Apache-2.0
"""portsyncd in the journal of a booted system: lines, priorities, fields, restarts; and a journald that is stopped."""

import json
import re
import socket
import time
from pathlib import Path

from support import process
from support.box import InstalledCase

GREP = "journalctl -q -u portsyncd | grep "


class Journal(InstalledCase):
    def setUp(self) -> None:
        super().setUp()
        self.install()
        self.healthy()

    def entries(self, match: str) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.box.run(f"journalctl -q -o json {match}").splitlines()]

    def configure(self, *changes: str) -> None:
        expressions = "".join(f" -e 's,^{key} = .*,{key} = {value},'" for key, value in (c.split("=") for c in changes))
        self.box.run(f"sed -i{expressions} /etc/sonic/portsyncd.conf && systemctl reload portsyncd")

    def drop_in(self, text: str) -> None:
        self.box.run("mkdir -p /etc/systemd/system/portsyncd.service.d && "
                     f"printf '[Service]\\n{text}\\n' > /etc/systemd/system/portsyncd.service.d/test.conf && "
                     "systemctl daemon-reload && systemctl reset-failed portsyncd && systemctl restart portsyncd")
        self.healthy()

    def test_lines_fields_and_priorities(self) -> None:
        self.box.run("ip link set Ethernet0 mtu 1600")
        self.wait_for("journalctl -q PORTSYNCD_PORT=Ethernet0", "mtu=1600")
        self.assertNotIn("port=Ethernet4 ", self.box.run("journalctl -q PORTSYNCD_PORT=Ethernet0"))
        entry = self.entries("PORTSYNCD_PORT=Ethernet0")[-1]
        self.assertEqual(entry["PORTSYNCD_OLD"], "admin=up oper=up mtu=1500")
        self.assertEqual(entry["PORTSYNCD_NEW"], "admin=up oper=up mtu=1600")
        self.assertEqual(entry["PRIORITY"], "6")
        latency = entry["PORTSYNCD_LATENCY_US"]
        self.assertRegex(entry["MESSAGE"], f"^Received event port=Ethernet0 .* latency_us={latency}$")
        self.assertEqual(self.box.run("journalctl -q -u portsyncd -p err"), "")
        # A row that waits too long is an error; its end is not.
        self.configure("max_stall_seconds=1")
        self.box.run("systemctl stop redis-server && ip link set Ethernet0 mtu 1700")
        self.wait_for("journalctl -q -u portsyncd -p err", "Health Unhealthy: ")
        self.box.run("systemctl start redis-server")
        self.healthy()
        errors = self.entries("-u portsyncd -p err")
        self.assertEqual({e["PRIORITY"] for e in errors}, {"3"})
        self.assertTrue(all(e["MESSAGE"].startswith("Health Unhealthy: ") for e in errors), errors)
        self.assertEqual(errors[-1]["PORTSYNCD_NEW"], errors[-1]["MESSAGE"].removeprefix("Health "))
        self.assertRegex(errors[0]["PORTSYNCD_OLD"], "^Healthy$|^Degraded: ")
        self.wait_for(GREP + "-i health | tail -n 1", "Health Healthy")
        self.assertIn("port=Ethernet0", self.box.run(GREP + "'Received event'"))
        # The line that comes every 60 s without a request.
        self.wait_for(GREP + "latency_us_", "statistics events=", 75)
        self.assertRegex(self.box.run(GREP + "latency_us_"), r"eps=[\d.]+ latency_us_p50=\d+ latency_us_p95=\d+ "
                         r"latency_us_p99=\d+ latency_us_max=\d+ ")

    def test_a_journald_that_does_not_read_stops_nothing(self) -> None:
        self.drop_in("WatchdogSec=3s")
        pid = self.pid()
        journald = self.show("systemd-journald", "MainPID")
        self.box.run(f"kill -STOP {journald}")
        self.fill_journal()
        began = time.monotonic()
        mtu = 2000
        while time.monotonic() - began < 8:  # more than twice WatchdogSec=
            mtu += 1
            for name in ("Ethernet0", "Ethernet4"):
                self.box.run(f"ip link set {name} mtu {mtu}")
            self.wait_for("redis-cli -n 6 HGET 'PORT_TABLE|Ethernet4' mtu", str(mtu), 2)
        self.assertEqual(self.pid(), pid)
        self.box.run(f"kill -CONT {journald}; logger -t test it reads again")
        self.wait_for("journalctl -q -t test", "it reads again")
        self.box.run("ip link set Ethernet0 mtu 9000")
        self.wait_for(GREP + "mtu=9000", "port=Ethernet0")
        lost = self.entries("-u portsyncd --grep 'lines lost='")
        self.assertEqual(len(lost), 1)
        self.assertEqual(lost[0]["PRIORITY"], "4")
        self.assertGreaterEqual(int(re.fullmatch(r"journal: lines lost=(\d+)", lost[0]["MESSAGE"])[1]), mtu - 2000)
        self.assertEqual((self.show("portsyncd", "NRestarts"), self.pid()), ("0", pid))

    def fill_journal(self) -> None:
        """Sends lines from another program until the stopped journald's queue is full."""
        path = f"/proc/{self.box.pid}/root/run/systemd/journal/socket"
        for _ in range(100):  # each sender has a limit on outstanding bytes
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sent = 0
                while sent < 10_000:
                    try:
                        sender.sendto(b"MESSAGE=full\n", path)
                    except BlockingIOError:
                        break
                    sent += 1
                if sent == 0:
                    return
        self.fail("the queue of journald does not fill")

    def test_journald_restarted(self) -> None:
        self.box.run("systemctl restart systemd-journald")
        self.box.run("ip link set Ethernet0 mtu 1600")
        self.wait_for(GREP + "mtu=1600", "port=Ethernet0")
        # Another socket replaces the old one.
        sockets = "systemd-journald.socket systemd-journald-dev-log.socket"
        self.box.run(f"systemctl stop {sockets} systemd-journald-audit.socket systemd-journald; "
                     f"systemctl start {sockets} systemd-journald")
        self.box.run("ip link set Ethernet0 mtu 1700")
        self.wait_for("redis-cli -n 6 HGET 'PORT_TABLE|Ethernet0' mtu", "1700")
        self.box.run("ip link set Ethernet0 mtu 1800")
        self.wait_for(GREP + "mtu=1800", "port=Ethernet0")
        self.assertEqual(self.show("portsyncd", "NRestarts"), "0")

    def restart_lines(self) -> list[str]:
        said = self.box.run(GREP + "Restart", check=False)
        return re.findall(r"Restart detected: previous instance ended by (.*)", said)

    def test_how_the_previous_instance_ended(self) -> None:
        self.assertEqual(self.restart_lines(), [])
        self.box.run("systemctl restart portsyncd")
        self.healthy()
        self.assertEqual(self.restart_lines(), ["clean stop"])
        self.box.run("systemctl stop portsyncd")
        self.assertTrue(Path(f"/proc/{self.box.pid}/root/run/portsyncd").is_dir())
        self.box.run("systemctl start portsyncd")
        self.healthy()
        self.assertEqual(self.restart_lines()[1:], ["clean stop"])
        self.killed("KILL")
        self.assertEqual(self.restart_lines()[2:], ["crash (signal killed KILL)"])
        self.drop_in("WatchdogSec=2s")
        self.assertEqual(self.restart_lines()[3:], ["clean stop"])
        self.killed("STOP")
        watchdog = self.restart_lines()[4]
        stalled = re.fullmatch(r"watchdog: its loop had stalled for ([\d.]+) s, since its last ping", watchdog)
        self.assertIsNotNone(stalled, watchdog)
        self.assertGreaterEqual(float(stalled[1]), 1.9)
        self.assertLess(float(stalled[1]), 2.0 + 10 * process.PATIENCE)
        priorities = [e["PRIORITY"] for e in self.entries("-u portsyncd --grep '^Restart detected'")]
        self.assertEqual(priorities, ["6", "6", "4", "6", "4"])

    def killed(self, signal: str) -> None:
        self.box.run("systemctl reset-failed portsyncd")  # StartLimitBurst=
        before = self.pid()
        self.box.run(f"systemctl kill --kill-whom=main -s {signal} portsyncd")
        process.wait_for(lambda: self.pid() not in ("0", before), 20, "systemd has started another", 0.2)
        self.healthy()
