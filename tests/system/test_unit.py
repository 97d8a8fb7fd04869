# SPDX-License-Identifier: Apache-2.0
"""The unit's promises on a booted system: limits of starts, reload, the last status, warnings, a full /var/log."""

import re

from support import process
from support.box import InstalledCase

BAD = "sed -i 's/^match = .*/match = 5/' /etc/sonic/portsyncd.conf"
GOOD = "cp /mnt/source/portsyncd/data/portsyncd.conf /etc/sonic/"


class Unit(InstalledCase):
    def state(self) -> list[str]:
        return [self.show("portsyncd", name) for name in ("ActiveState", "Result", "ExecMainStatus")]

    def status_text(self) -> str:
        return self.show("portsyncd", "StatusText")

    def test_a_healthy_start_logs_no_warning(self) -> None:
        self.box.run("cp /mnt/source/portsyncd/data/org.sonic.PortSync1.conf /etc/dbus-1/system.d/ && busctl call "
                     "org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig")
        self.install()
        self.healthy()
        self.assertEqual(self.box.run("journalctl -q -u portsyncd -p warning"), "")
        # Also without the capability, because the size of the receive buffer is only a request.
        self.box.run("mkdir -p /etc/systemd/system/portsyncd.service.d && printf '[Service]\\nCapabilityBoundingSet=\\nCapabilityBoundingSet=CAP_DAC_OVERRIDE\\n' "
                     "> /etc/systemd/system/portsyncd.service.d/test.conf && systemctl daemon-reload && systemctl restart portsyncd")
        self.healthy()
        self.wait_for("journalctl -q -u portsyncd -p info", "CAP_NET_ADMIN or a higher net.core.rmem_max would give it")
        self.assertEqual(self.box.run("journalctl -q -u portsyncd -p warning"), "")

    def test_restarts_by_hand_are_never_refused(self) -> None:
        self.install()
        for _ in range(5):
            self.box.run("systemctl restart portsyncd")
        self.healthy()
        for _ in range(4):  # also after a bad file, which systemd does not try again by itself
            self.box.run(f"{BAD}; systemctl restart portsyncd", check=False)
            self.wait_for("systemctl show -p ActiveState portsyncd", "failed")
            self.assertEqual(self.state(), ["failed", "exit-code", "78"])
        self.box.run(f"{GOOD} && systemctl restart portsyncd")
        self.healthy()

    def test_a_loop_of_crashes_ends_after_three_starts(self) -> None:
        self.install()
        self.healthy()
        self.box.run("systemctl restart portsyncd")
        self.healthy()
        for ending in ("active", "active", "failed"):  # the start by hand is the first of the three
            before = self.pid()
            self.box.run("systemctl kill -s KILL portsyncd")
            process.wait_for(lambda: self.show("portsyncd", "ActiveState") == ending and self.pid() != before, 20,
                             f"{ending} after the kill", 0.1)
        self.assertEqual(self.show("portsyncd", "Result"), "signal")
        self.wait_for("journalctl -q -u portsyncd", "Start request repeated too quickly")
        self.box.run("systemctl reset-failed portsyncd && systemctl start portsyncd")
        self.healthy()

    def test_a_reload_of_a_bad_file_fails_and_changes_nothing(self) -> None:
        self.box.run("rm -f /bin/kill /usr/bin/kill")  # reload does not need procps
        self.install()
        self.healthy()
        before = self.pid()
        said = self.box.run(f"{BAD}; systemctl reload portsyncd || echo it fails", check=False)
        self.assertIn("it fails", said)
        self.assertEqual((self.show("portsyncd", "ActiveState"), self.pid()), ("active", before))
        self.assertIn("portsyncd.conf:", self.box.run("journalctl -q -u portsyncd -o cat | grep 'found the integer 5'"))
        self.healthy()
        self.box.run(f"{GOOD} && sed -i 's/^match = .*/match = [\"Ethernet0\"]/' /etc/sonic/portsyncd.conf && "
                     "systemctl reload portsyncd")
        self.wait_for("redis-cli -n 6 HLEN PORT_TABLE", "1")
        self.assertEqual(self.pid(), before)
        self.wait_for("journalctl -q -u portsyncd -o cat", "Reload: requested by SIGHUP of uid=0 pid=")

    def test_a_unit_that_does_not_run_is_not_healthy(self) -> None:
        self.install()
        self.healthy()
        self.box.run("systemctl stop portsyncd")
        self.assertEqual((self.state()[0], self.status_text()), ("inactive", "Stopped"))
        self.box.run(f"{BAD}; systemctl start portsyncd", check=False)
        self.wait_for("systemctl show -p ActiveState portsyncd", "failed")
        self.assertRegex(self.status_text(), r"^Failed: bad configuration: /etc/sonic/portsyncd.conf:\d+:\d+: ports.match: found")
        self.box.run(f"{GOOD} && systemctl start portsyncd")
        self.healthy()
        self.assertEqual(re.findall(r"Restart detected.*", self.box.run("journalctl -q -u portsyncd -o cat")),
                         ["Restart detected: previous instance ended by bad configuration (exit status 78)"])
        self.box.run("sed -i 's/ AF_NETLINK$//' /etc/systemd/system/portsyncd.service && systemctl daemon-reload && "
                     "systemctl restart portsyncd", check=False)
        self.wait_for("systemctl show -p ActiveState portsyncd", "failed")
        self.assertRegex(self.status_text(), "^Failed: nothing to work with: .*AF_NETLINK")

    def test_var_log_may_be_full_or_read_only_or_not_there(self) -> None:
        self.install()
        self.healthy()
        self.assertEqual(self.box.run("stat -c '%U %a' /var/log/portsyncd").split(), ["root", "750"])
        for trouble in ("mount -t tmpfs -o nr_inodes=1 tmpfs /var/log", "mount -t tmpfs -o ro tmpfs /var/log",
                        "mount -t tmpfs tmpfs /var && mkdir -p /var/tmp"):
            with self.subTest(trouble):
                self.box.run(f"systemctl stop portsyncd && {trouble} && ! mkdir /var/log/x 2>/dev/null && systemctl start portsyncd")
                self.healthy()
                self.box.run("umount /var/log 2>/dev/null || umount /var")
