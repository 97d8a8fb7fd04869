# SPDX-License-Identifier: Apache-2.0
"""
The log lines that monitoring greps for, as "Watch" of portsyncd/doc/deployment.md shows them. system/test_journal.py tests
them in the journal.
"""

import contextlib
import re
import socket
from pathlib import Path

from support import process
from support.case import Case, program

STATISTICS = (r"info statistics events=\d+ writes=\d+ .*eps=[\d.]+ latency_us_p50=\d+ latency_us_p95=\d+ "
              r"latency_us_p99=\d+ latency_us_max=\d+ ")


class LogLines(Case):
    def row_lines(self) -> list[str]:
        return re.findall(r"info Received event (.*)", self.daemon.log())

    def test_a_written_row_is_one_line_after_its_acknowledgement(self) -> None:
        before = len(self.row_lines())
        self.redis.db.call("CLIENT", "PAUSE", 1000, "WRITE")
        self.dut.ip("link set Ethernet0 mtu 1600")
        process.wait_for(lambda: self.daemon.statistics()["pending"] > 0, 5, "a row waits for Redis", 0.02)
        self.assertEqual(len(self.row_lines()), before)
        self.wait_equal()
        self.daemon.statistics()
        lines = self.row_lines()[before:]
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r"^port=Ethernet0 cause=notified admin=up oper=up mtu=1600 events=1 latency_us=\d+$")
        self.assertGreater(int(lines[0].rpartition("=")[2]), 10_000)

    def test_a_storm_is_cut_and_counted(self) -> None:
        before = len(self.row_lines())
        self.finish(self.load("mixed", 20_000))
        self.wait_equal()
        statistics = self.daemon.statistics()

        def accounted() -> int:
            counted = sum(map(int, re.findall(r"Received events suppressed=(\d+)", self.daemon.log())))
            return len(self.row_lines()) + self.daemon.log().count("Row removed") + counted
        process.wait_for(lambda: accounted() == statistics["writes"] + statistics["erases"], 5, "each row is logged or counted")
        self.assertIn("Received events suppressed=", self.daemon.log())
        self.assertLess(len(self.row_lines()) - before, statistics["writes"])

    def test_statistics_at_the_end(self) -> None:
        self.assertEqual(self.daemon.terminate(), 0)
        self.assertRegex(self.daemon.log().splitlines()[-2], STATISTICS)
        self.daemon = None

    def test_health_is_logged_with_its_reason(self) -> None:
        self.redis.db.call("SAVE")
        self.redis.kill()
        self.daemon.wait_for_log("warning Health Degraded: waiting for Redis at ")
        self.redis.start()
        self.wait_equal()
        self.daemon.wait_status("Healthy")
        self.assertEqual(re.findall(r"Health (\w+)", self.daemon.log())[-1], "Healthy")


class Syslog(Case):
    config = {"logging": {"target": "syslog"}}
    autostart = False

    def portsyncd_with_dev_log(self, dev: Path) -> str:
        """
        Returns a script that runs portsyncd with that folder as /dev, which contains what a process needs of the real
        one.
        """
        script = self.directory / "with-dev-log"
        script.write_text(f"""#!/bin/sh
if [ -z "$MOUNTS" ]; then
  private=private
  unshare --mount true 2>/dev/null || private=unchanged  # the root of a chroot is no mount point
  MOUNTS=1 exec unshare --mount --propagation $private "$0" "$@"
fi
for device in null urandom random; do
  : >"{dev}/$device" && mount --bind "/dev/$device" "{dev}/$device" || exit 1
done
mount --rbind "{dev}" /dev && exec "{program("portsyncd/portsyncd")}" "$@"
""")
        script.chmod(0o755)
        return str(script)

    def test_a_daemon_that_does_not_read_keeps_no_row_waiting(self) -> None:
        dev = self.directory / "dev"
        dev.mkdir()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
            daemon.bind(str(dev / "log"))
            self.fill(str(dev / "log"))
            self.start(command=self.portsyncd_with_dev_log(dev))
            for mtu in range(1600, 1620):
                self.dut.ip(f"link set Ethernet0 mtu {mtu}")
                self.wait_equal()
            self.assertEqual(self.daemon.terminate(), 0)
        self.daemon = None

    def fill(self, path: str) -> None:
        """Fills the queue until no client can send: one client's own buffer may be full before that."""
        for _ in range(256):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
                client.setblocking(False)
                sent = 0
                with contextlib.suppress(BlockingIOError):
                    while True:
                        client.sendto(b"x", path)
                        sent += 1
                if sent == 0:
                    return
        self.fail("the queue is never full")
