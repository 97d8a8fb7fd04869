# SPDX-License-Identifier: Apache-2.0
"""Rows that another program changed, and rows of an earlier run: audit and start correct them, and write no others."""

from support import process
from support.case import Case
from support.redis_server import STATE_DB


class Audit(Case):
    config = {"sync": {"audit_interval_secs": 1}}

    def test_row_deleted(self) -> None:
        self.redis.db.call("DEL", "PORT_TABLE|Ethernet0")
        del self.foreign[(STATE_DB, "PORT_TABLE|Ethernet0")]
        self.wait_equal()
        self.assertGreaterEqual(self.daemon.statistics()["drift_repaired"], 1)

    def test_row_edited(self) -> None:
        self.redis.db.call("HSET", "PORT_TABLE|Ethernet0", "mtu", "1", "admin_status", "sideways")
        self.redis.db.call("HDEL", "PORT_TABLE|Ethernet4", "state", "netdev_oper_status")
        self.wait_equal()
        self.assertGreaterEqual(self.daemon.statistics()["drift_repaired"], 2)

    def test_index_edited(self) -> None:
        self.redis.db.call("HSET", "PORT_TABLE", "Ethernet0", "sideways")
        self.redis.db.call("HDEL", "PORT_TABLE", "Ethernet4")
        self.wait_equal()

    def test_index_deleted(self) -> None:
        self.redis.db.call("DEL", "PORT_TABLE")
        self.wait_equal()

    def test_flushdb(self) -> None:
        self.redis.db.call("FLUSHDB")
        self.plant()
        self.wait_equal()

    def test_flushdb_with_links_changing(self) -> None:
        load = self.load("mixed")
        for _ in range(3):
            self.redis.db.call("FLUSHDB")
            self.plant()
        self.finish(load)
        self.wait_equal()

    def test_quiet_audits_write_nothing(self) -> None:
        with self.redis.monitor() as monitor:
            audits = self.daemon.statistics()["audits"]
            process.wait_for(lambda: self.daemon.statistics()["audits"] >= audits + 2, 10, "two more audits", 0.1)
            self.assertEqual(monitor.writes(), [])
            self.assertFalse([words for words in monitor.commands() if words[0] == "keys"])


class RowsBroughtBack(Case):
    """Rows are restored under an open connection, so that no reconnect makes portsyncd read them."""

    config = {"sync": {"audit_interval_secs": 1, "full_audit_every": 2}}

    def test_restored_rows_of_a_port_that_is_gone(self) -> None:
        dump = self.redis.raw(STATE_DB, [("DUMP", "PORT_TABLE|Ethernet0")])[0]
        self.redis.db.call("RESTORE", "PORT_TABLE|Ethernet4000", 0, dump)
        self.foreign[(STATE_DB, "PORT_TABLE|Ethernet4000")] = {"speed": "100000", "supported_speeds": "0"}
        self.wait_equal()

    def test_a_database_swapped_in(self) -> None:
        with self.redis.connect(9) as other:
            for name in ("Ethernet0", "Ethernet4000"):
                other.call("HSET", f"PORT_TABLE|{name}", "state", "ok", "netdev_oper_status", "down", "mtu", "1")
                other.call("HSET", "PORT_TABLE", name, "down")
        self.redis.db.call("SWAPDB", STATE_DB, 9)
        self.foreign = {key: value for key, value in self.foreign.items() if key[0] != STATE_DB}
        self.wait_equal()

    def test_a_dump_reloaded(self) -> None:
        self.redis.db.call("SAVE")
        self.dut.ip("link del Ethernet0")
        self.foreign[(STATE_DB, "PORT_TABLE|Ethernet0")] = {"speed": "100000", "supported_speeds": "0"}
        self.wait_equal()
        self.redis.db.call("DEBUG", "RELOAD", "NOSAVE")
        self.wait_equal()


class StaleRows(Case):
    autostart = False
    OURS = {"state": "ok", "netdev_oper_status": "up", "admin_status": "up", "mtu": "9100"}

    def plant_stale(self) -> None:
        """Stores rows of ports that are gone: one with our fields alone, one with a field of another writer."""
        for name, more in (("Ethernet4000", {}), ("Ethernet4004", {"speed": "100000"})):
            self.plant_row(f"PORT_TABLE|{name}", {**self.OURS, **more})
            self.redis.db.call("HSET", "PORT_TABLE", name, "up")

    def expect_stale_gone(self) -> None:
        del self.foreign[(STATE_DB, "PORT_TABLE|Ethernet4000")]
        self.foreign[(STATE_DB, "PORT_TABLE|Ethernet4004")] = {"speed": "100000"}

    def test_stale_rows_are_removed_at_start(self) -> None:
        self.plant_stale()
        self.expect_stale_gone()
        with self.redis.monitor() as monitor:
            self.start()
            self.wait_equal()
            self.assertFalse([words for words in monitor.commands() if words[0] == "keys"])
        self.assertEqual(self.redis.db.call("EXISTS", "PORT_TABLE|Ethernet4000"), 0)

    def test_rows_of_other_daemons_are_not_stale(self) -> None:
        for name in ("Ethernet0.20", "Ethernet4000.1", "PortChannel2", "eth0"):
            self.plant_row(f"PORT_TABLE|{name}", self.OURS)
        self.start()
        self.wait_equal()


class EmptyNamespace(StaleRows):
    ports = 0

    def test_stale_rows_are_removed_at_start(self) -> None:
        """Without any link, nothing is removed, and the verdict says so. The first link makes the rows stale."""
        self.plant_stale()
        before = self.redis.db.hash("PORT_TABLE")
        daemon = self.start()
        daemon.wait_status("Degraded: no netdev matches")
        self.assertIn("2 rows left alone", daemon.status())
        self.assertEqual(self.redis.db.hash("PORT_TABLE"), before)
        self.assertEqual(self.redis.db.hash("PORT_TABLE|Ethernet4000"), self.OURS)
        self.add_ports(1)
        self.expect_stale_gone()
        self.wait_equal()
        daemon.wait_status("Healthy")

    def test_rows_left_alone_survive_the_audit(self) -> None:
        self.plant_stale()
        daemon = self.start({"sync": {"audit_interval_secs": 1}})
        process.wait_for(lambda: daemon.statistics()["audits"] >= 2, 10, "two audits", 0.1)
        self.assertEqual(self.redis.db.hash("PORT_TABLE|Ethernet4000"), self.OURS)
        self.add_ports(1)
        self.expect_stale_gone()
        self.wait_equal()
