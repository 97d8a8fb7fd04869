# SPDX-License-Identifier: Apache-2.0
"""
What the unit requires of systemd, on that of Debian 13: limits of starts, and reload. A script stands in for portsyncd.
"""

import os
import shutil
import unittest
from pathlib import Path

from support import debian_root, process
from support.box import Box, SystemCase

UNIT = Path(__file__).resolve().parents[2] / "portsyncd/data/portsyncd.service"
PACKAGES = ["systemd", "systemd-sysv", "dbus", "procps"]

# /etc/mood is its configuration: "ok", "bad" or "crash".
SCRIPT = r"""#!/bin/sh
mood=$(cat /etc/mood)
[ "$mood" != bad ] || exit 78
[ "$1" != --check-config ] || exit 0
[ "$mood" != crash ] || kill -SEGV $$
trap 'exit 0' TERM
trap 'touch /run/portsyncd/reloaded' HUP
systemd-notify --ready
while :; do sleep 1 & wait $!; done
"""


class UnitOnDebian13(SystemCase):
    def setUp(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("needs root")
        if shutil.which("systemd-nspawn") is None or shutil.which("mmdebstrap") is None:
            self.skipTest("systemd-nspawn or mmdebstrap is not installed")
        if not Path("/sys/fs/cgroup").is_mount() or os.environ.get("container"):
            self.skipTest("no control groups of its own, which systemd-nspawn needs")
        build = Path(os.environ["PORTSYNC_BUILD"])
        try:
            root = debian_root.make_root("trixie", build / "unit-on-debian-13-root", PACKAGES)
        except debian_root.CannotMakeRoot as e:
            self.fail(str(e))
        self.box = Box(root, {}, build / "unit-on-debian-13-root.log")
        self.addCleanup(self.box.close)
        self.write("/usr/local/bin/portsyncd", SCRIPT)
        # The script forks, and systemd-notify sends the notifications for it.
        self.write("/etc/systemd/system/portsyncd.service", UNIT.read_text().replace("NotifyAccess=main", "NotifyAccess=all"))
        self.mood("ok")
        self.box.run("chmod 755 /usr/local/bin/portsyncd && systemctl daemon-reload && systemctl start portsyncd")

    def write(self, path: str, text: str) -> None:
        self.box.run(f"cat > {path} <<'END_OF_TEXT'\n{text}\nEND_OF_TEXT\n")

    def mood(self, mood: str) -> None:
        self.box.run(f"echo {mood} > /etc/mood")

    def succeeds(self, command: str) -> bool:
        return self.box.run(f"{command} && echo it succeeds", check=False).endswith("it succeeds\n")

    def state(self) -> list[str]:
        return [self.show("portsyncd", name) for name in ("ActiveState", "Result")]

    def test_limits_stop_a_loop_of_crashes_and_not_an_operator(self) -> None:
        self.assertGreaterEqual(int(self.box.run("systemctl --version").split()[1]), 257)
        for _ in range(5):
            self.box.run("systemctl restart portsyncd")
        self.mood("bad")
        for _ in range(4):
            self.assertFalse(self.succeeds("systemctl restart portsyncd"))
            self.assertEqual(self.state(), ["failed", "exit-code"])
        self.mood("ok")
        self.box.run("systemctl restart portsyncd")
        self.mood("crash")
        self.box.run("systemctl kill --kill-whom=main -s SEGV portsyncd")
        self.wait_for("journalctl -q -u portsyncd", "Start request repeated too quickly", 30)
        process.wait_for(lambda: self.state() == ["failed", "signal"], 10, "it has failed", 0.1)
        self.mood("ok")
        self.assertFalse(self.succeeds("systemctl start portsyncd"))
        self.assertTrue(self.succeeds("systemctl reset-failed portsyncd && systemctl start portsyncd"))

    def test_a_reload_fails_when_the_file_is_bad(self) -> None:
        self.box.run("rm -f /bin/kill /usr/bin/kill")
        self.mood("bad")
        self.assertFalse(self.succeeds("systemctl reload portsyncd"))
        self.assertEqual(self.state()[0], "active")
        self.signalled()  # portsyncd logs what it refuses
        self.mood("ok")
        self.assertTrue(self.succeeds("systemctl reload portsyncd"))
        self.signalled()

    def signalled(self) -> None:
        process.wait_for(lambda: self.succeeds("rm /run/portsyncd/reloaded"), 10, "it was signalled", 0.1)
