# SPDX-License-Identifier: Apache-2.0
"""Changes of links, one after the other: their rows follow, and no other row is written."""

from support import process
from support.case import FAR_INDEX, Case
from support.netns import Link
from support.redis_server import CONFIG_DB


class Links(Case):
    def writes_of(self, *commands: str) -> list[list[str]]:
        """
        Returns what portsyncd writes for these `ip` commands. A change of Ethernet28 marks the end, and is left out.
        """
        with self.redis.monitor() as monitor:
            self.dut.ip(*commands, f"link set {self.port(7)} mtu {self.next_mtu()}")
            self.wait_equal()
            return [words for words in monitor.writes() if self.port(7) not in " ".join(words)]

    _mtu = 2000

    def next_mtu(self) -> int:
        self._mtu += 1
        return self._mtu

    def test_admin_mtu_and_carrier_reach_the_row(self) -> None:
        self.dut.ip("link set Ethernet0 down", "link set Ethernet4 mtu 9100")
        self.far.ip("link set p2 down")
        self.wait_oper("down", "Ethernet8")
        self.wait_equal()
        self.assertEqual(self.redis.db.hash("PORT_TABLE|Ethernet0")["admin_status"], "down")
        self.assertEqual(self.redis.db.hash("PORT_TABLE|Ethernet4")["mtu"], "9100")
        self.assertEqual(self.redis.db.hash("PORT_TABLE|Ethernet8")["netdev_oper_status"], "down")
        self.dut.ip("link set Ethernet0 up")
        self.far.ip("link set p2 up")
        self.wait_oper("up", "Ethernet0", "Ethernet8")
        self.wait_equal()

    def test_index_counts_the_ports(self) -> None:
        self.assertEqual(self.redis.db.call("HLEN", "PORT_TABLE"), self.ports)
        self.dut.ip("link del Ethernet0")
        self.wait_equal()
        self.assertEqual(self.redis.db.call("HLEN", "PORT_TABLE"), self.ports - 1)

    def test_no_queue_key_exists(self) -> None:
        self.assertEqual(self.redis.db.call("LLEN", "portsyncd:queue"), 0)
        self.assertEqual(self.redis.db.scan("portsyncd*"), [])

    def test_rename_removes_the_old_row(self) -> None:
        self.dut.ip("link set Ethernet0 down", "link set Ethernet0 name Ethernet400")
        self.wait_equal()
        self.assertNotIn("state", self.redis.db.hash("PORT_TABLE|Ethernet0"))
        self.dut.ip("link set Ethernet400 name uplink")
        self.wait_equal()
        self.assertEqual(self.redis.db.call("EXISTS", "PORT_TABLE|Ethernet400"), 0)
        self.dut.ip("link set uplink name Ethernet0", "link set Ethernet0 up")
        self.wait_equal()

    def test_swap_of_names(self) -> None:
        self.dut.ip("link set Ethernet0 down", "link set Ethernet4 down", "link set Ethernet0 mtu 9000",
                    "link set Ethernet0 name swapping", "link set Ethernet4 name Ethernet0",
                    "link set swapping name Ethernet4")
        self.wait_equal()
        self.assertEqual(self.redis.db.hash("PORT_TABLE|Ethernet4")["mtu"], "9000")

    def test_swap_of_names_in_one_batch(self) -> None:
        self.daemon.freeze()
        self.dut.ip("link set Ethernet0 down", "link set Ethernet4 down", "link set Ethernet0 mtu 9000",
                    "link set Ethernet0 name swapping", "link set Ethernet4 name Ethernet0",
                    "link set swapping name Ethernet4", "link set Ethernet4 up")
        self.daemon.thaw()
        self.wait_equal()

    def test_bridge_in_and_out(self) -> None:
        there_and_back = ("link set Ethernet0 master br0", "link set Ethernet0 nomaster")
        writes = self.writes_of("link add br0 type bridge", *(100 * there_and_back))
        self.assertEqual(writes, [])
        self.assertIn("state", self.redis.db.hash("PORT_TABLE|Ethernet0"))

    def test_delete_inside_a_bridge(self) -> None:
        self.dut.ip("link add br0 type bridge", "link set br0 up", "link set Ethernet0 master br0")
        self.wait_equal()
        self.dut.ip("link del Ethernet0")
        self.wait_equal()
        self.assertNotIn("state", self.redis.db.hash("PORT_TABLE|Ethernet0"))

    def test_delete_of_the_bridge_keeps_its_ports(self) -> None:
        self.dut.ip("link add br0 type bridge", "link set Ethernet0 master br0", "link set Ethernet4 master br0",
                    "link del br0")
        self.wait_equal()
        self.assertIn("Ethernet0", self.kernel_ports())

    def test_namespace_move_and_back(self) -> None:
        self.dut.ip(f"link set Ethernet0 netns {self.far.path}")
        self.wait_equal()
        self.assertNotIn("state", self.redis.db.hash("PORT_TABLE|Ethernet0"))
        self.far.ip(f"link set Ethernet0 netns {self.dut.path}")
        self.dut.ip("link set Ethernet0 up")
        self.wait_equal()
        self.assertEqual(self.redis.db.hash("PORT_TABLE|Ethernet0")["state"], "ok")

    def test_ifindex_reuse(self) -> None:
        index = self.dut.links()["Ethernet0"].ifindex
        for frozen in (False, True):
            with self.subTest(frozen=frozen):
                if frozen:
                    self.daemon.freeze()
                old, new = ("Ethernet800", "Ethernet0") if frozen else ("Ethernet0", "Ethernet800")
                self.dut.ip(f"link del {old}", f"link add name {new} index {index} mtu 4000 type veth peer name "
                            f"again index {FAR_INDEX - 1} netns {self.far.path}")
                self.daemon.thaw()
                self.wait_equal()

    def test_name_reuse_with_another_ifindex(self) -> None:
        self.daemon.freeze()
        self.dut.ip("link del Ethernet0", "link add name Ethernet0 index 999 mtu 4000 type veth peer name "
                    f"again index {FAR_INDEX - 1} netns {self.far.path}")
        self.daemon.thaw()
        self.wait_equal()
        self.assertEqual(self.redis.db.hash("PORT_TABLE|Ethernet0")["mtu"], "4000")

    def test_sub_interface_row_is_left_to_intfmgrd(self) -> None:
        writes = self.writes_of("link add link Ethernet0 name Ethernet0.10 type macvlan", "link set Ethernet0.10 up",
                                "link set Ethernet0.10 mtu 1400", "link del Ethernet0.10")
        self.assertEqual(writes, [])

    def test_other_names_are_not_ports(self) -> None:
        writes = self.writes_of("link add PortChannel1 type bridge", "link set PortChannel1 up",
                                "link del PortChannel1", "link add ethernet0 type bridge",
                                "link add xEthernet0 type bridge")
        self.assertEqual(writes, [])

    def test_alternative_names_are_not_ports(self) -> None:
        writes = self.writes_of("link property add dev Ethernet0 altname Ethernet999 altname etp1",
                                "link property del dev Ethernet0 altname etp1")
        self.assertEqual(writes, [])

    def test_unchanged_things_cost_no_write(self) -> None:
        writes = self.writes_of("link set Ethernet0 address 02:00:00:00:00:07", "link set Ethernet0 alias uplink",
                                "link set Ethernet0 promisc on", "link set Ethernet0 promisc off",
                                "link set Ethernet0 txqueuelen 500", "link set Ethernet0 mtu 1500")
        self.assertEqual(writes, [])

    def test_a_change_costs_one_row_and_no_index(self) -> None:
        with self.redis.monitor() as monitor:
            self.dut.ip("link set Ethernet0 mtu 3000")
            self.wait_equal()
            writes = monitor.writes()
        self.assertEqual([words[:2] for words in writes], [["hset", "PORT_TABLE|Ethernet0"]])

    def test_there_and_back_while_frozen_is_no_write(self) -> None:
        self.daemon.freeze()
        with self.redis.monitor() as monitor:
            self.dut.ip("link set Ethernet0 mtu 3000", "link set Ethernet0 mtu 1500", "link set Ethernet4 mtu 1600")
            self.daemon.thaw()
            self.wait_equal()
            self.assertEqual([words[1] for words in monitor.writes()], ["PORT_TABLE|Ethernet4"])


class Patterns(Case):
    config = {"ports": {"match": ["Ethernet[48]", "front*"]}}

    def test_match_decides_which_links_are_ports(self) -> None:
        self.assertEqual(sorted(self.kernel_ports()), ["Ethernet4", "Ethernet8"])
        self.dut.ip("link add front1 type bridge")
        self.wait_equal()
        self.assertEqual(self.redis.db.hash("PORT_TABLE|front1")["state"], "ok")


class ConfiguredCase(Case):
    config = {"ports": {"scope": "configured"}, "sync": {"audit_interval_secs": 1}}
    autostart = False

    def kernel_ports(self) -> dict[str, Link]:
        return {name: link for name, link in super().kernel_ports().items() if name in self.configured}

    def configure(self, *names: str) -> None:
        self.configured = set(names)
        with self.redis.connect(CONFIG_DB) as config_db:
            config_db.call("SET", "CONFIG_DB_INITIALIZED", "1")
            for number in range(self.ports):
                name = self.port(number)
                if name in names:
                    config_db.call("HSET", f"PORT|{name}", "lanes", "0")
                else:
                    config_db.call("DEL", f"PORT|{name}")


class OnlyConfigured(ConfiguredCase):
    def test_scope_configured_follows_config_db(self) -> None:
        self.configure("Ethernet0", "Ethernet4")
        self.start()
        self.assertEqual(self.differences(), [])  # ready means that the rows are there
        self.configure("Ethernet0", "Ethernet4", "Ethernet8")
        self.wait_equal()
        self.configure("Ethernet8")
        self.wait_equal()
        self.redis.kill()
        self.redis.start()
        self.plant()
        self.configure("Ethernet0")
        self.wait_equal()

    def test_scope_configured_without_configured_ports_writes_nothing(self) -> None:
        self.configure()
        self.start()
        self.wait_equal()


class ConfigReload(ConfiguredCase):
    """As `config reload` does it: CONFIG_DB is flushed, filled again, and then marked as initialized."""

    def setUp(self) -> None:
        super().setUp()
        self.redis.config("notify-keyspace-events", "AKE")
        self.configure("Ethernet0", "Ethernet4")
        self.start()
        self.wait_equal()

    def flush_config_db(self) -> None:
        with self.redis.connect(CONFIG_DB) as config_db:
            config_db.call("FLUSHDB")

    def test_config_reload_removes_no_row(self) -> None:
        with self.redis.monitor() as monitor:
            self.flush_config_db()
            self.daemon.wait_status("Degraded: PORT of CONFIG_DB cannot be read, the ports stay as they were: "
                                    "CONFIG_DB_INITIALIZED is not 1")
            with self.redis.connect(CONFIG_DB) as config_db:
                config_db.call("HSET", "PORT|Ethernet0", "lanes", "0")  # the first of the new ports
            audits = self.daemon.statistics()["audits"]
            process.wait_for(lambda: self.daemon.statistics()["audits"] >= audits + 2, 15, "audits go on", 0.1)
            self.assertEqual(self.differences(), [])
            self.configure("Ethernet0", "Ethernet4", "Ethernet8")
            self.wait_equal()
            removed = [words for words in monitor.writes() if words[0] in ("hdel", "del") and "PORT_TABLE" in words[1]]
            self.assertEqual(removed, [])
        self.daemon.wait_status("Healthy")

    def test_redis_that_came_back_empty_gets_the_rows_of_the_last_set(self) -> None:
        self.redis.kill()
        self.redis.forget()
        self.redis.start()
        self.plant()
        self.wait_equal()
        self.daemon.wait_status("CONFIG_DB_INITIALIZED is not 1")
        self.configure("Ethernet4")
        self.wait_equal()
        self.daemon.wait_status("Healthy")

    def test_config_db_is_followed_between_audits(self) -> None:
        self.assertEqual(self.daemon.terminate(), 0)
        self.start({"sync": {"audit_interval_secs": 3600}})
        self.configure("Ethernet0", "Ethernet12")
        self.wait_equal()


class WithoutIndex(Case):
    config = {"sync": {"port_index": False}}

    def test_port_index_false_writes_no_index(self) -> None:
        self.dut.ip("link set Ethernet0 down")
        self.wait_equal()
        self.assertEqual(self.redis.db.call("EXISTS", "PORT_TABLE"), 0)
