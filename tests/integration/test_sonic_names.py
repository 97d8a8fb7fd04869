# SPDX-License-Identifier: Apache-2.0
"""sync.mode = "sonic": ports that are not called Ethernet*."""

from support import process
from support.sonic import SonicCase, port
from support.sonic_neighbours import produce


class OddNames(SonicCase):
    """What CONFIG_DB's PORT lists is a port, whatever its name, unless the operator has set ports.match."""

    odd = "Recirc0"

    def setUp(self) -> None:
        super().setUp()
        self.configure(self.odd)

    def configure(self, *names: str) -> None:
        """Lists ports with such names in CONFIG_DB, and expects rows of them."""
        for name in names:
            self.switch.config_db.call("HSET", f"PORT|{name}", "lanes", "200", "role", "Rec")
        self.switch.odd_ports |= set(names)

    def restart(self) -> None:
        self.switch.daemon.kill()
        self.switch.start()

    def test_one_is_loaded_counted_and_has_a_row(self) -> None:
        switch = self.switch
        orchagent = self.come_up()
        self.assertIn(self.odd, orchagent.names())
        self.assertEqual(switch.published("PortConfigDone"), {"count": str(self.ports + 1)})
        self.assertEqual(switch.row(self.odd)["state"], "ok")
        switch.dut.ip(f"link set {self.odd} mtu 2000", "link add Recirc1 type bridge", "link add Loopback0 type bridge")
        switch.wait_equal()

    def test_its_row_goes_with_a_netdev_that_went_while_portsyncd_was_away(self) -> None:
        self.come_up()
        self.switch.daemon.kill()
        self.switch.delete(self.odd)
        self.switch.start()
        self.switch.wait_equal()
        self.assertEqual(self.switch.row(self.odd), {})

    def test_a_leftover_is_set_down(self) -> None:
        switch = self.switch
        switch.ignored = {switch.create(self.odd)}
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        orchagent.wait_popped("PortConfigDone")
        process.wait_for(lambda: switch.dut.links()[self.odd].admin == "down", 10, "it is set down")
        self.assertEqual(switch.row(self.odd), {})

    def test_a_name_is_no_glob(self) -> None:
        self.configure("Recirc[1]", "Re*")
        self.come_up()
        for name in ("Recirc1", "Rest"):
            produce(self.switch.appl_db, name, {"lanes": "9"})
            process.wait_for(lambda name=name: name in self.switch.dut.links(), 10, f"orchagent makes {name}")
        self.restart()
        self.switch.wait_equal()

    def test_a_management_port_is_none(self) -> None:
        self.switch.config_db.call("HSET", "MGMT_PORT|eth0", "alias", "eth0", "admin_status", "up")
        self.switch.create("eth0")
        self.come_up()
        self.assertEqual(self.switch.dut.links()["eth0"].admin, "up")

    def test_one_that_is_renamed_in_config_db_has_its_row_after_a_restart(self) -> None:
        switch = self.switch
        self.come_up()
        switch.config_db.call("DEL", f"PORT|{self.odd}")
        produce(switch.appl_db, self.odd, None)
        process.wait_for(lambda: not switch.row(self.odd), 10, "the row goes with the netdev")
        self.configure("Recirc1")
        produce(switch.appl_db, "Recirc1", {"lanes": "200"})
        process.wait_for(lambda: "Recirc1" in switch.dut.links(), 10, "orchagent makes the netdev")
        self.restart()
        switch.wait_equal()
        self.assertEqual(switch.row("Recirc1")["state"], "ok")

    def test_ports_match_of_the_operator_decides_alone(self) -> None:
        switch = self.switch
        switch.odd_ports.clear()
        orchagent = switch.orchagent()
        switch.start({"ports": {"match": ["Ethernet[0-9]*"]}})
        orchagent.wait_popped("PortConfigDone")
        switch.wait_row(port(self.ports - 1))
        self.assertEqual(switch.row(self.odd), {})
        self.assertEqual(switch.loaded("PortInitDone"), {})

    def test_ports_match_is_not_applied_by_a_reload(self) -> None:
        switch = self.switch
        self.come_up()
        switch.daemon.configure({"ports": {"match": ["Ethernet*", "swp*"]}})
        self.assertIn("Reload: needs a restart: ports.match", switch.daemon.reload())
        switch.dut.ip(f"link set {self.odd} mtu 2000")
        switch.wait_equal()
