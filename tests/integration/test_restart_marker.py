# SPDX-License-Identifier: Apache-2.0
"""How the previous instance ended, as the log reports it at the start. With systemd: system/test_journal.py."""

import os
import re
import subprocess
import time
from pathlib import Path
from typing import Optional

from support.case import Case
from support.daemon import Daemon

UNIT = Path(__file__).resolve().parents[2] / "portsyncd" / "data" / "portsyncd.service"


class RestartMarker(Case):
    autostart = False
    ports = 1

    def setUp(self) -> None:
        super().setUp()
        self.runtime = self.directory / "run"
        self.runtime.mkdir()

    def started(self) -> tuple[Daemon, Optional[str]]:
        """Starts another instance. Returns what it logs about the previous one."""
        daemon = self.start(environment={"RUNTIME_DIRECTORY": f"{self.runtime}:/another", "WATCHDOG_USEC": "3000000"})
        said = re.findall(r"(\w+) Restart detected: previous instance ended by (.*)", daemon.log())
        self.assertLessEqual(len(said), 1)
        return daemon, f"{said[0][0]} {said[0][1]}" if said else None

    def systemd_notes(self, result: str, code: str, status: str) -> None:
        """Runs ExecStopPost= of the unit as systemd does."""
        script = re.search(r"^ExecStopPost=-/bin/sh -c '(.*)'$", UNIT.read_text(), re.MULTILINE)[1].replace("$$", "$")
        subprocess.run(["/bin/sh", "-c", script], check=True, env={
            "RUNTIME_DIRECTORY": str(self.runtime), "SERVICE_RESULT": result, "EXIT_CODE": code, "EXIT_STATUS": status})

    def test_first_start_clean_stop_and_crash(self) -> None:
        daemon, said = self.started()
        self.assertIsNone(said)
        daemon.terminate()
        daemon, said = self.started()
        self.assertEqual(said, "info clean stop")
        daemon.kill()
        daemon, said = self.started()
        self.assertEqual(said, "warning crash")

    def test_what_systemd_saw(self) -> None:
        daemon, _ = self.started()
        daemon.kill()
        self.systemd_notes("signal", "killed", "KILL")
        daemon, said = self.started()
        self.assertEqual(said, "warning crash (signal killed KILL)")
        daemon.terminate()
        daemon, said = self.started()  # the marker of one end is used once
        self.assertEqual(said, "info clean stop")

    def test_a_bad_configuration_is_no_crash(self) -> None:
        daemon, _ = self.started()
        daemon.terminate()
        daemon = self.start({"database": {"redis_port": 0}}, ready=False)
        self.assertEqual(daemon.wait(), 78)
        self.assertRegex(daemon.status(), r"^Failed: bad configuration: \S+\.conf:\d+:\d+: database.redis_port: found the integer 0")
        self.systemd_notes("exit-code", "exited", "78")
        _, said = self.started()
        self.assertEqual(said, "info bad configuration (exit status 78)")

    def test_the_stall_is_counted_from_the_last_ping(self) -> None:
        daemon, _ = self.started()
        marker = self.runtime / "instance"
        first = marker.stat().st_mtime_ns
        self.assertGreater(first, 0)
        deadline = time.monotonic() + 10
        while marker.stat().st_mtime_ns == first and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertGreater(marker.stat().st_mtime_ns, first, "each ping touches it")
        daemon.kill()
        self.systemd_notes("watchdog", "dumped", "ABRT")
        last_ping = (self.runtime / "service-result").stat().st_mtime_ns - 42_000_000_000
        os.utime(marker, ns=(last_ping, last_ping))
        _, said = self.started()
        self.assertEqual(said, "warning watchdog: its loop had stalled for 42.0 s, since its last ping")

    def test_garbage_is_no_restart(self) -> None:
        for garbage in (b"", b"\x00\xff", b"running\nand more\n", b"x" * 100_000):
            (self.runtime / "instance").write_bytes(garbage)
            (self.runtime / "service-result").write_bytes(b"\x1b[31m\n" + garbage)
            daemon, said = self.started()
            self.assertIsNone(said, garbage)
            daemon.kill()
            daemon, said = self.started()
            self.assertEqual(said, "warning crash", "it has its file all the same")
            daemon.kill()
        self.daemon = None

    def test_a_folder_that_cannot_be_written_is_a_line_of_level_debug(self) -> None:
        (self.directory / "file").write_text("")
        for folder in ("", "/does/not/exist", str(self.directory / "file"), "/proc"):
            daemon = self.start(environment={"RUNTIME_DIRECTORY": folder})
            self.assertNotIn("Restart", daemon.log())
            lines = [line for line in daemon.log().splitlines() if "restart marker" in line]
            self.assertEqual(len(lines), 1 if folder else 0)
            for line in lines:
                self.assertIn(f"debug No restart marker: {folder}/instance: ", line)
            self.assertEqual(daemon.terminate(), 0)
        self.daemon = None
