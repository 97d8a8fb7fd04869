# SPDX-License-Identifier: Apache-2.0
"""An installation by hand on a booted system: copy the binary, the unit and the configuration, and start."""

import re

from support import process
from support.box import InstalledCase

ROW = "redis-cli -n 6 HGETALL 'PORT_TABLE|Ethernet0' | paste -sd ' '"


class InstallByHand(InstalledCase):
    def test_steps_as_typed(self) -> None:
        self.install()
        self.healthy()
        self.assertEqual(self.show("portsyncd", "ActiveState"), "active")
        self.wait_for(ROW, "netdev_oper_status up")
        self.assertEqual(self.box.run("redis-cli -n 6 HLEN PORT_TABLE").strip(), "4")
        self.far.ip("link set p0 down")
        self.wait_for(ROW, "netdev_oper_status down")
        self.assertEqual(self.box.run("journalctl -u portsyncd -p err -q"), "")
        self.assertIn("Received event port=Ethernet0", self.box.run("journalctl -u portsyncd"))
        self.assertEqual(self.box.run("cat /proc/$(pgrep portsyncd)/comm").strip(), "portsyncd")
        self.assertIn("/etc/sonic/portsyncd.conf: valid", self.box.run("/usr/local/bin/portsyncd --check-config"))
        self.box.run("systemd-analyze verify --man=no /etc/systemd/system/portsyncd.service")

    def test_reload_restart_and_crash(self) -> None:
        self.install()
        self.healthy()
        first = self.pid()
        self.box.run("sed -i 's/^match = .*/match = [\"Ethernet0\"]/' /etc/sonic/portsyncd.conf && "
                     "systemctl reload portsyncd")
        self.wait_for("redis-cli -n 6 HLEN PORT_TABLE", "1")
        self.assertEqual((self.show("portsyncd", "ActiveState"), self.pid()), ("active", first))
        self.box.run("sed -i 's/^match = .*/match = 5/' /etc/sonic/portsyncd.conf && ! systemctl reload portsyncd")
        self.wait_for("journalctl -u portsyncd -p err -q", "ports.match: found the integer 5")
        self.assertEqual((self.show("portsyncd", "ActiveState"), self.pid()), ("active", first))
        self.box.run("cp /mnt/source/portsyncd/data/portsyncd.conf /etc/sonic/ && systemctl reload portsyncd")
        self.wait_for("redis-cli -n 6 HLEN PORT_TABLE", "4")
        self.box.run("killall portsyncd; sleep 5; systemctl status portsyncd")  # as in the guide
        self.assertNotEqual(self.pid(), first)
        self.healthy()

    def test_a_bad_configuration_is_not_restarted_for_ever(self) -> None:
        self.install()
        self.healthy()
        self.box.run("echo 'x = [' > /etc/sonic/portsyncd.conf; systemctl restart portsyncd", check=False)
        self.wait_for("systemctl show -p ActiveState portsyncd", "failed")
        self.assertEqual(self.show("portsyncd", "ExecMainStatus"), "78")
        self.assertRegex(self.box.run("journalctl -u portsyncd -p err -q"), r"portsyncd\.conf:\d+:\d+: ")

    def test_a_stopped_daemon_is_killed_by_the_watchdog_and_comes_back(self) -> None:
        self.install()
        self.healthy()
        self.box.run("mkdir -p /etc/systemd/system/portsyncd.service.d && printf '[Service]\\nWatchdogSec=2s\\n' > "
                     "/etc/systemd/system/portsyncd.service.d/watchdog.conf && systemctl daemon-reload && "
                     "systemctl restart portsyncd")
        self.healthy()
        stopped = self.pid()
        self.box.run(f"kill -STOP {stopped}")
        process.wait_for(lambda: self.pid() not in ("0", stopped), 20, "systemd has started another", 0.2)
        self.assertIn("Watchdog timeout", self.box.run("journalctl -u portsyncd"))
        self.healthy()

    def test_log_targets(self) -> None:
        """Each target gets the lines, with the right priorities if it has any."""
        self.install()
        self.healthy()
        self.assertEqual(self.priorities("_TRANSPORT=journal"), {"info": 6, "warning": 4})
        for target, transport in (("journal", "journal"), ("stderr", "stdout"), ("syslog", "syslog")):
            self.target(target)
            self.assertEqual(self.priorities(f"_TRANSPORT={transport}"), {"info": 6, "warning": 4}, target)
        self.target("file")
        self.wait_for("cat /var/log/portsyncd/portsyncd.log", "Synchronized")

    def target(self, target: str) -> None:
        self.box.run("cp /mnt/source/portsyncd/data/portsyncd.conf /etc/sonic/ && "
                     f"sed -i 's/^target = .*/target = \"{target}\"/; "
                     "s,^file = .*,file = \"/var/log/portsyncd/portsyncd.log\",' /etc/sonic/portsyncd.conf && "
                     "journalctl --rotate && journalctl --vacuum-time=1s && "
                     "systemctl restart portsyncd")
        self.healthy()

    def priorities(self, match: str) -> dict[str, int]:
        """Returns the priorities of a line of level info, and of one of level warning (Redis goes away)."""
        found = {}
        self.box.run("systemctl stop redis-server")
        self.wait_for(f"journalctl -q {match} _COMM=portsyncd", "Not connected to Redis")
        self.box.run("systemctl start redis-server")
        self.healthy()
        for name, text in (("info", "Synchronized"), ("warning", "Not connected to Redis")):
            self.wait_for(f"journalctl -q {match} _COMM=portsyncd", text)
            line = self.box.run(f"journalctl -q {match} _COMM=portsyncd -o json | grep '{text}' | tail -n 1")
            found[name] = int(re.search(r'"PRIORITY":"(\d)"', line.replace(" ", ""))[1])
        return found

    def test_a_missing_address_family_is_named(self) -> None:
        self.install()
        self.box.run("sed -i 's/ AF_NETLINK$//' /etc/systemd/system/portsyncd.service && systemctl daemon-reload && "
                     "systemctl stop portsyncd")
        # A busy journald reads lines that were sent when portsyncd could have ended long before. It would not know
        # whose they are.
        self.box.run("systemctl kill -s STOP systemd-journald && systemctl start --no-block portsyncd; sleep 0.5; "
                     "systemctl kill -s CONT systemd-journald")
        self.wait_for("systemctl show -p ActiveState portsyncd", "failed")
        self.assertEqual(self.show("portsyncd", "ExecMainStatus"), "69")
        said = self.box.run("journalctl -u portsyncd -p err -q")
        self.assertIn("AF_NETLINK", said)
        self.assertIn("RestrictAddressFamilies=", said)
