# SPDX-License-Identifier: Apache-2.0
"""ports.match changes, or matches nothing: which rows are removed, now or at the next start, and what is logged."""

import copy
import socket
from typing import Any

from support import process
from support.case import Case
from support.daemon import Config

TYPO = ["ethernet*"]


class FilterCase(Case):
    def changed(self, match: list[str]) -> Config:
        return {**copy.deepcopy(self.effective_config), "ports": {"match": match}}

    def reload(self, match: list[str]) -> None:
        self.effective_config = self.changed(match)
        self.daemon.configure(self.effective_config)
        self.daemon.reload()

    def restart(self, match: list[str]) -> None:
        self.daemon.terminate()
        self.start({"ports": {"match": match}})

    def rows(self) -> dict[str, Any]:
        db = self.redis.db
        keys = sorted(key for key in db.scan("PORT_TABLE|Ethernet*") if "." not in key)
        return {**{key: db.hash(key) for key in keys}, "index": db.hash("PORT_TABLE")}

    def resync_by_force(self) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.directory / "control.sock"))
            client.sendall(b'{"method":"resync","force":true}\n')
            self.assertTrue(client.recv(4096))

    def expect_left_alone(self) -> None:
        self.daemon.wait_status(f"Degraded: no netdev matches {TYPO[0]}, {self.ports} rows left alone")


class Filter(FilterCase):
    def test_one_wrong_letter_at_a_reload_removes_nothing(self) -> None:
        before = self.rows()
        with self.redis.monitor() as monitor:
            self.reload(TYPO)
            self.expect_left_alone()
            self.assertEqual(self.rows(), before)
            self.reload(["Ethernet*"])
            self.daemon.wait_status("Healthy")
            self.wait_equal()
            self.assertEqual(monitor.writes(), [])

    def test_one_wrong_letter_at_a_restart_removes_nothing(self) -> None:
        before = self.rows()
        self.restart(TYPO)
        self.expect_left_alone()
        self.assertEqual(self.rows(), before)
        self.assertNotIn("every row equals the kernel", self.daemon.log())
        self.reload(["Ethernet*"])
        self.daemon.wait_status("Healthy")
        self.daemon.wait_for_log("Synchronized: every row equals the kernel")

    def test_force_after_one_wrong_letter_at_a_restart(self) -> None:
        self.restart(TYPO)
        self.expect_left_alone()
        self.resync_by_force()
        self.daemon.wait_status("Healthy")
        self.wait_equal()
        self.assertEqual(self.rows()["index"], {})

    def test_a_narrower_filter_at_a_restart_removes_the_rows_that_were_ours(self) -> None:
        self.restart(["Ethernet0", "Ethernet4"])
        self.wait_equal()
        self.assertEqual(set(self.rows()["index"]), {"Ethernet0", "Ethernet4"})
        self.daemon.wait_status("Healthy")

    def test_all_netdevs_vanish(self) -> None:
        self.dut.ip("link del group 100")
        self.wait_equal()
        self.assertEqual(self.rows()["index"], {})
        self.daemon.wait_status("Degraded: no netdev matches Ethernet* any more")
        self.add_ports(1)
        self.wait_equal()
        self.daemon.wait_status("Healthy")


class FilterBeforeTheFirstReadBack(FilterCase):
    """Redis is away at the start, so the rows are not known when the filter changes."""

    autostart = False

    def test_the_rows_of_dropped_ports_go(self) -> None:
        self.start()
        self.wait_equal()
        self.daemon.terminate()
        self.redis.stop_process()
        self.start(ready=False)
        self.daemon.wait_for_log("Snapshot completed")
        self.reload(["Ethernet0"])
        self.redis.continue_process()
        self.wait_equal()
        process.wait_for(lambda: set(self.rows()["index"]) == {"Ethernet0"}, 10, "only one row is left")
