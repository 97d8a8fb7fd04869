# SPDX-License-Identifier: Apache-2.0
"""
Each assertion that SONiC's own tests make of portsyncd, as a test of ours: sonic-swss tests/mock_tests/portsyncd,
test_warm_reboot.py, port_dpb.py, test_port.py, test_portchannel.py, test_port_add_remove.py, and conftest.py's readiness.
"""

import signal
from pathlib import Path

from integration.test_sonic_links import UpCase
from support import process, resp
from support.case import OWN_FIELDS
from support.sonic import SonicCase, flat, port, port_config
from support.sonic_neighbours import Orchagent, Row, Subscriber, Xcvrd, produce

ASIC_DB = 1


class OldNetdevs(SonicCase):
    """tests/mock_tests/portsyncd: netdevs that swss finds when it starts, and messages about them."""

    def setUp(self) -> None:
        super().setUp()
        switch = self.switch
        switch.plug()
        links = switch.dut.links()
        switch.ignored = {links[port(number)].ifindex for number in range(self.ports)}
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        orchagent.wait_popped("PortConfigDone")

    def test_leftover_netdevs_are_set_down_and_remembered(self) -> None:
        switch = self.switch
        process.wait_for(lambda: {switch.dut.links()[port(number)].admin for number in range(self.ports)} == {"down"},
                         10, "they are set down")
        switch.dut.ip("link set Ethernet0 up", "link set Ethernet4 up mtu 2000", "link set Ethernet8 mtu 2001")
        switch.create("Ethernet400")  # its row shows that what came before it has been handled
        switch.appl_db.call("HSET", "PORT_TABLE:Ethernet400", "lanes", "400")
        switch.wait_row("Ethernet400")
        self.assertEqual([switch.row(port(number)) for number in range(self.ports)], [{}] * self.ports)

    def test_no_row_for_an_old_ifindex_and_one_for_the_new(self) -> None:
        switch = self.switch
        switch.delete(port(1))
        self.assertNotIn(switch.create(port(1)), switch.ignored)
        switch.wait_row(port(1))
        self.assertEqual(switch.row(port(1)).keys(), set(OWN_FIELDS))
        self.assertEqual((switch.row(port(0)), switch.row(port(2))), ({}, {}))


class Links(SonicCase):
    """The same tests' messages of a netdev that orchagent made."""

    def test_a_new_link_of_a_port_gets_its_row(self) -> None:
        self.come_up()
        self.switch.dut.ip("link set Ethernet0 mtu 9100")
        wanted = {"state": "ok", "netdev_oper_status": "up", "admin_status": "up", "mtu": "9100"}
        process.wait_for(lambda: self.switch.row(port(0)) == wanted, 10, "the row has the link's values")

    def test_a_deleted_link_loses_its_row(self) -> None:
        self.come_up()
        self.switch.delete(port(0))
        process.wait_for(lambda: not self.switch.state_db.call("EXISTS", f"PORT_TABLE|{port(0)}"), 10, "the key is gone")


class Ready(SonicCase):
    """conftest.py: swss is ready when both words are keys of PORT_TABLE, and each program runs under its name."""

    def test_both_done_words_are_keys_of_port_table(self) -> None:
        self.come_up()
        keys = {key.partition(":")[2] for key in self.switch.appl_db.scan("PORT_TABLE:*")}
        self.assertLessEqual({"PortConfigDone", "PortInitDone"}, keys)

    def test_the_process_has_the_name_that_pkill_looks_for(self) -> None:
        self.come_up()
        self.assertEqual(Path(f"/proc/{self.switch.daemon.pid}/comm").read_text(), "portsyncd\n")

    def test_pkill_ends_it_with_0(self) -> None:
        """So that the listener for critical processes leaves swss alone."""
        self.come_up()
        daemon = self.switch.daemon
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(), 0)
        self.switch.daemon = None


class Warm(SonicCase):
    """test_warm_reboot.py: swss in warm mode, portsyncd ended by `pkill -x portsyncd` and started again."""

    others = ("orchagent", "vlanmgrd", "intfmgrd", "neighsyncd", "portmgrd")

    def setUp(self) -> None:
        super().setUp()
        switch = self.switch
        self.orchagent = self.come_up()
        switch.state_db.call("HSET", "WARM_RESTART_ENABLE_TABLE|swss", "enable", "true")
        for name in self.others:
            switch.state_db.call("HSET", f"WARM_RESTART_TABLE|{name}", "state", "reconciled", "restore_count", "3")
        for number in range(self.ports):
            switch.plant_row(port(number), {"host_tx_ready": "true", "supported_speeds": "100000"})
            switch.appl_db.call("HSET", f"PORT_TABLE:{port(number)}", "oper_status", "up", "flap_count", "7")
            switch.client(ASIC_DB).call("HSET", f"ASIC_STATE:SAI_OBJECT_TYPE_PORT:oid:0x10{number}", "NULL", "NULL")
        switch.wait_equal()
        switch.wait_restore_count("0")

    def published(self) -> dict[str, Row]:
        """orchagent's view of the ports."""
        return {port(number): self.switch.published(port(number)) for number in range(self.ports)}

    def restart(self) -> None:
        switch = self.switch
        self.assertEqual(switch.daemon.terminate(), 0)
        switch.watch.clear()
        switch.watch.init_done = False  # it is written again, because orchagent waits for it in warm mode, too
        self.popped = len(self.orchagent.popped)
        switch.start()
        process.wait_for(lambda: len(self.orchagent.popped) > self.popped, 10, "orchagent pops something")
        switch.wait_equal()

    def test_restore_count_is_one_more_and_there_is_no_other_field(self) -> None:
        self.restart()
        self.switch.wait_restore_count("1")
        self.restart()
        self.switch.wait_restore_count("2")

    def test_no_write_of_appl_db_but_port_init_done(self) -> None:
        before = self.published()
        self.restart()
        written = {words[1] for words in self.switch.watch.writes(0) if words[0] == "hset"}
        self.assertEqual(written, {"_PORT_TABLE:PortInitDone"})
        self.assertEqual(self.orchagent.names()[self.popped:], ["PortInitDone"])
        self.assertEqual(self.published(), before, "oper_status and flap_count are orchagent's")

    def test_no_change_of_asic_db(self) -> None:
        """orchagent changes it for what it is given, and it is given nothing; portsyncd itself never does."""
        with self.switch.redis.connect() as listener:
            listener.call("PSUBSCRIBE", f"__keyspace@{ASIC_DB}__:*")
            self.restart()
            self.assertFalse(listener.wait(0.1))
        self.assertEqual(self.switch.watch.writes(ASIC_DB), [])

    def test_host_tx_ready_is_kept(self) -> None:
        self.restart()
        for number in range(self.ports):
            self.assertEqual(self.switch.row(port(number))["host_tx_ready"], "true")
        self.switch.state_db.call("HSET", f"PORT_TABLE|{port(2)}", "host_tx_ready", "false")
        self.switch.others[port(2)]["host_tx_ready"] = "false"
        self.switch.far.ip("link set p8 down")
        process.wait_for(lambda: self.switch.row(port(2))["netdev_oper_status"] == "down", 10, "the row says down")
        self.assertEqual(self.switch.row(port(2))["host_tx_ready"], "false")

    def test_warm_restart_states_of_others_are_left_alone(self) -> None:
        self.restart()
        for name in self.others:
            self.assertEqual(self.switch.state_db.hash(f"WARM_RESTART_TABLE|{name}"),
                             {"state": "reconciled", "restore_count": "3"})

    def test_no_port_changes_its_admin_state(self) -> None:
        before = {name: (link.admin, link.ifindex) for name, link in self.switch.dut.links().items()}
        self.restart()
        self.assertEqual({name: (link.admin, link.ifindex) for name, link in self.switch.dut.links().items()}, before)

    def test_a_change_of_a_carrier_arrives_afterwards(self) -> None:
        self.restart()
        self.switch.far.ip("link set p8 down")
        process.wait_for(lambda: self.switch.row(port(2))["netdev_oper_status"] == "down", 10, "the row says down")
        self.assertEqual([self.switch.row(port(n))["netdev_oper_status"] for n in (0, 1)], ["up", "up"])


class SyncUp(SonicCase):
    """test_swss_port_state_syncup: swss as a whole restarts warm."""

    def test_orchagents_state_count_is_2(self) -> None:
        """
        orchagent stores three states: initialized before it takes anything, then restored and reconciled. So after the
        first event of a key of PORT_TABLE there are two, unless portsyncd touched such a key before orchagent took it.
        """
        switch = self.switch
        self.come_up().stop()
        switch.state_db.call("HSET", "WARM_RESTART_ENABLE_TABLE|swss", "enable", "true")
        self.assertEqual(switch.daemon.terminate(), 0)
        switch.watch.clear()
        switch.watch.init_done = False
        with switch.redis.connect() as listener:
            listener.call("PSUBSCRIBE", "__keyspace@0__:PORT_TABLE:*", "__keyspace@6__:WARM_RESTART_TABLE|orchagent")
            listener.read()  # the second subscription
            switch.start()
            process.wait_for(lambda: switch.staged("PortInitDone"), 10, "PortInitDone is staged")
            self.state(switch.state_db, "initialized")
            orchagent = switch.add(Orchagent(switch.redis, write_own=False))
            orchagent.wait_popped("PortInitDone")
            self.state(switch.state_db, "restored")
            self.state(switch.state_db, "reconciled")
            seen = []
            while listener.wait(0.2):
                _, _, channel, event = listener.read()
                seen.append((channel.partition(":")[2].partition("|")[0].partition(":")[0], event))
        first = seen.index(("PORT_TABLE", "hset"))
        self.assertEqual(seen[first:].count(("WARM_RESTART_TABLE", "hset")), 2, seen)

    def state(self, client: resp.Client, state: str) -> None:
        client.call("HSET", "WARM_RESTART_TABLE|orchagent", "state", state)


class Breakout(UpCase):
    """port_dpb.py: ports are broken out and in again, and others change beside them."""

    def delete_port(self, name: str) -> None:
        self.switch.config_db.call("DEL", f"PORT|{name}")
        produce(self.switch.appl_db, name, None)

    def create_port(self, name: str, fields: Row) -> None:
        self.switch.config_db.call("HSET", f"PORT|{name}", *flat(fields))
        produce(self.switch.appl_db, name, fields)

    def change(self, old: list[str], new: list[str], speed: str) -> None:
        """As `config interface breakout`: all old ports go, and then the new ones come."""
        xcvrd = self.switch.add(Xcvrd(self.switch.redis))
        for name in old:
            self.delete_port(name)
        for name in old:
            process.wait_for(lambda name=name: not self.switch.row(name), 10, f"the row of {name} is gone")
        for name in new:
            self.create_port(name, {**port_config(0), "lanes": name.removeprefix("Ethernet"), "speed": speed})
        for name in new:
            self.switch.wait_row(name)
        self.switch.wait_equal()
        xcvrd.wait_quiet()
        order = [(name, event) for name, event in xcvrd.order() if name in old + new]
        gone: set[str] = set()
        for name, event in order:
            if event == "del":
                gone.add(name)
            elif gone != set(old):  # a port that goes may be set down first
                self.assertIn(name, set(old) - gone, "each DEL is before any SET of a new port")
        last = max(number for number, (_, event) in enumerate(order) if event == "del")
        self.assertEqual({name for name, _ in order[last + 1:]}, set(new))
        xcvrd.stop()

    def test_out_in_four_and_two_and_in_again(self) -> None:
        four = [f"Ethernet{number}" for number in range(4)]
        self.change(["Ethernet0"], four, "25000")
        self.change(four, ["Ethernet0"], "100000")
        self.change(["Ethernet0"], ["Ethernet0", "Ethernet2"], "50000")
        self.change(["Ethernet0", "Ethernet2"], ["Ethernet0"], "100000")

    def test_several_at_once(self) -> None:
        new = [f"Ethernet{first + number}" for first in (0, 8) for number in range(4)]
        self.change(["Ethernet0", "Ethernet8"], new, "25000")

    def test_another_speed_is_no_event(self) -> None:
        subscriber = self.switch.add(Subscriber(self.switch.redis))
        self.switch.config_db.call("HSET", "PORT|Ethernet0", "speed", "40000")
        produce(self.switch.appl_db, "Ethernet0", {"speed": "40000"})
        process.wait_for(lambda: self.switch.published("Ethernet0")["speed"] == "40000", 10, "orchagent has it")
        self.switch.dut.ip("link set Ethernet12 mtu 2000")
        process.wait_for(lambda: self.switch.row("Ethernet12")["mtu"] == "2000", 10, "a later change arrives")
        subscriber.wait_quiet()
        self.assertEqual(subscriber.events("Ethernet0"), [])

    def test_ports_removed_and_added_ten_times(self) -> None:
        """test_port_add_remove.py."""
        for _ in range(10):
            for number in (1, 2):
                self.delete_port(port(number))
            for number in (1, 2):
                process.wait_for(lambda number=number: not self.switch.row(port(number)), 10, "the row is gone")
            for number in (1, 2):
                self.create_port(port(number), port_config(number))
            for number in (1, 2):
                self.switch.wait_row(port(number))
        self.switch.wait_equal()


class Flow(UpCase):
    """test_port.py, test_portchannel.py: from CONFIG_DB over portmgrd and the kernel into the row, and never back."""

    def portmgrd_applies(self, name: str, field: str, value: str) -> None:
        """CONFIG_DB changes, and portmgrd does to the netdev and to APPL_DB what it does."""
        self.switch.config_db.call("HSET", f"PORT|{name}", field, value)
        self.switch.dut.ip(f"link set {name} {value if field == 'admin_status' else f'{field} {value}'}")
        produce(self.switch.appl_db, name, {field: value})

    def test_admin_and_mtu_flow_into_the_row(self) -> None:
        switch = self.switch
        for field, value in (("mtu", "9100"), ("mtu", "1500"), ("admin_status", "down"), ("admin_status", "up")):
            with self.subTest(field=field, value=value):
                self.portmgrd_applies(port(0), field, value)
                process.wait_for(lambda field=field, value=value: switch.row(port(0))[field] == value, 10, "the row has it")
                process.wait_for(lambda field=field, value=value: switch.published(port(0)).get(field) == value, 10,
                                 "orchagent has it")
        self.assertEqual(switch.watch.writes(0), [], "portsyncd writes nothing into APPL_DB for it")

    def test_a_field_that_only_orchagent_knows_reaches_no_row(self) -> None:
        switch = self.switch
        produce(switch.appl_db, port(0), {"tpid": "0x9200", "fec": "rs"})
        process.wait_for(lambda: switch.published(port(0)).get("tpid") == "0x9200", 10, "orchagent has it")
        self.assertEqual(switch.row(port(0)).keys(), set(OWN_FIELDS))

    def test_a_member_of_a_lag_keeps_its_row_and_the_lag_gets_none(self) -> None:
        """A bridge stands in for the LAG: not every kernel has teams."""
        switch = self.switch
        switch.watch.bounced = {port(0), port(1)}
        switch.dut.ip("link add PortChannel111 type bridge", "link set PortChannel111 up",
                      "link set Ethernet0 master PortChannel111", "link set Ethernet4 master PortChannel111",
                      "link set Ethernet0 up", "link set Ethernet4 up")
        for number in (0, 1):
            process.wait_for(lambda number=number: switch.row(port(number)).get("netdev_oper_status") == "up", 10,
                             "the member is up")
        self.assertEqual((switch.published("PortChannel111"), switch.row("PortChannel111")), ({}, {}))

    def test_a_carrier_that_goes_and_comes(self) -> None:
        switch = self.switch
        for state in ("down", "up"):
            switch.far.ip(f"link set p0 {state}")
            process.wait_for(lambda state=state: switch.row(port(0))["netdev_oper_status"] == state, 10, "the row has it")
        self.assertEqual(switch.watch.writes(0), [], "oper_status of APPL_DB is orchagent's")
