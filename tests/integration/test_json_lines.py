# SPDX-License-Identifier: Apache-2.0
"""portsyncd --json-lines: rows on standard output, also when it is full and when its reader has gone."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from support import process
from support.case import Case


class JsonLines(Case):
    autostart = False
    ports = 4
    # So that the verdict does not depend on them.
    config = {"health": {"max_failure_rate_percent": 100.0}, "performance": {"min_success_rate": 0.0, "max_latency_us": 60_000_000}}

    def setUp(self) -> None:
        super().setUp()
        self.foreign.clear()

    def settle(self) -> None:
        """Redis has no rows here; each test checks standard output itself."""
        for daemon in self.daemons:
            self.assertEqual(daemon.complaints(), [])

    def start_to(self, output: Any, **options: Any) -> None:
        self.start(options=("--json-lines",), stdout=output, **options)

    def check_lines(self, path: Path) -> dict[str, Any]:
        """
        Checks that every line is whole. Returns the newest row of each port. A reader may come between two system calls of
        a writer, so what follows the last line feed is no line yet. It becomes one at once, or is taken back at once.
        """
        text = process.wait_for(lambda: (text := path.read_text()).endswith("}\n") and text, 1,
                                "the file ends with a whole line")
        return {row["port"]: row for row in map(json.loads, text.splitlines())}

    def test_every_port_is_a_line(self) -> None:
        path = self.directory / "rows"
        with path.open("wb") as output:
            self.start_to(output)
        self.assertEqual(set(self.check_lines(path)), {self.port(i) for i in range(self.ports)})
        self.assertEqual(self.daemon.terminate(), 0)

    def test_a_device_that_is_always_full_is_waited_for(self) -> None:
        with open("/dev/full", "wb") as output:
            self.start_to(output, ready=False)
        self.daemon.wait_for_log("standard output refuses Ethernet0: No space left on device; trying again every 1 s")
        self.daemon.wait_status("standard output refuses")
        self.daemon.wait_status("No space left on device")
        self.assertTrue(self.daemon.alive())
        self.assertNotIn("Nothing reads", self.daemon.log())
        self.assertEqual(self.daemon.terminate(), 0)

    def test_a_full_disk_is_waited_for_and_no_line_is_cut(self) -> None:
        disk = self.directory / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(disk)], check=True)
        path, other = disk / "rows", disk / "other"
        with path.open("wb") as output:
            self.start_to(output)
        other.write_bytes(b"#" * (48 << 10))
        mtu = 1500
        while "No space left on device" not in self.daemon.log():
            mtu += 1
            self.assertLess(mtu, 1800, "the disk is full long before")
            self.dut.ip(*(f"link set {self.port(i)} mtu {mtu}" for i in range(self.ports)))
            wanted = [mtu] * self.ports
            process.wait_for(lambda: wanted == [row["mtu"] for row in self.check_lines(path).values()] or
                             "No space left on device" in self.daemon.log(), 10, "it is written, or cannot be")
        self.daemon.wait_status("No space left on device")
        self.check_lines(path)
        self.dut.ip(*(f"link set {self.port(i)} mtu 9000" for i in range(self.ports)))
        self.assertTrue(self.daemon.alive())
        other.unlink()
        process.wait_for(lambda: {row["mtu"] for row in self.check_lines(path).values()} == {9000}, 10,
                         "the newest is written when there is room")
        self.daemon.wait_status("Healthy")
        self.assertEqual(self.daemon.terminate(), 0)

    def test_no_reader_ends_the_daemon(self) -> None:
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb") as output:
            self.start_to(output)
        os.close(reader)
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.assertEqual(self.daemon.wait(), 69)
        self.assertIn("Nothing reads standard output any more", self.daemon.log())
        self.assertEqual(self.daemon.status(), "Failed: Nothing reads standard output any more: Broken pipe")
