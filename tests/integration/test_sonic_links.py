# SPDX-License-Identifier: Apache-2.0
"""sync.mode = "sonic": changes of links on a switch that is up, as its neighbours see them."""

from support import process
from support.case import DUT_INDEX, program
from support.sonic import SonicCase, flat, port, port_config
from support.sonic_neighbours import Portmgrd, Row, Subscriber, Teammgrd, Xcvrd, produce


class UpCase(SonicCase):
    ports = 4

    def setUp(self) -> None:
        super().setUp()
        self.orchagent = self.come_up()
        self.switch.watch.clear()

    def subscribe(self, kind: type) -> Subscriber:
        return self.switch.add(kind(self.switch.redis))

    _mtu = 3000

    def fence(self) -> None:
        """Waits until all earlier changes of links have reached their rows: until a change of the last port has."""
        UpCase._mtu += 1
        last = port(self.ports - 1)
        self.switch.dut.ip(f"link set {last} mtu {self._mtu}")
        process.wait_for(lambda: self.switch.row(last).get("mtu") == str(self._mtu), 10, "the last change arrives")

    def seen_of(self, subscriber: Subscriber) -> list[tuple[str, str]]:
        """Returns (port, event), without those of the fence's port."""
        self.fence()
        self.switch.wait_equal()
        subscriber.wait_quiet()
        return [(name, event) for name, event, _ in subscriber.seen if name != port(self.ports - 1)]

    def changes(self, *commands: str) -> list[tuple[str, str]]:
        """Returns the events of rows that these `ip` commands cause."""
        subscriber = self.subscribe(Subscriber)
        self.switch.dut.ip(*commands)
        seen = self.seen_of(subscriber)
        subscriber.stop()
        return seen


class Rows(UpCase):
    def test_a_change_is_one_event(self) -> None:
        for command, field, value in (("mtu 9100", "mtu", "9100"), ("down", "admin_status", "down"),
                                      ("up", "admin_status", "up")):
            with self.subTest(command):
                self.changes(f"link set Ethernet0 {command}")
                self.assertEqual(self.switch.row("Ethernet0")[field], value)
        self.assertEqual(self.changes("link set Ethernet0 mtu 2000"), [("Ethernet0", "hset")])

    def test_carrier(self) -> None:
        subscriber = self.subscribe(Subscriber)
        self.switch.far.ip("link set p0 down")
        process.wait_for(lambda: self.switch.row("Ethernet0")["netdev_oper_status"] == "down", 10, "the row says down")
        self.switch.far.ip("link set p0 up")
        process.wait_for(lambda: self.switch.row("Ethernet0")["netdev_oper_status"] == "up", 10, "the row says up")
        self.assertEqual(self.seen_of(subscriber), [("Ethernet0", "hset"), ("Ethernet0", "hset")])

    def test_a_row_without_a_change_wakes_no_consumer(self) -> None:
        portmgrd, teammgrd = self.subscribe(Portmgrd), self.subscribe(Teammgrd)
        seen = self.changes(
            "link set Ethernet0 address 02:00:00:00:00:07", "link set Ethernet0 alias uplink", "link set Ethernet0 mtu 1500",
            "link set Ethernet0 promisc on", "link set Ethernet0 promisc off", "link set Ethernet0 txqueuelen 500",
            "addr add 2001:db8::1/64 dev Ethernet0", "link add Bridge type bridge", "link set Bridge up",
            "link property add dev Ethernet0 altname etp1", "link add link Ethernet0 name mv0 type macvlan", "link del mv0")
        self.assertEqual(seen, [])
        self.assertEqual((portmgrd.applied("Ethernet0"), teammgrd.members_added("Ethernet4")), (0, 0))

    def test_no_read_for_an_event(self) -> None:
        self.fence()
        self.switch.watch.clear()
        self.switch.dut.ip("link set Ethernet0 mtu 2000")
        process.wait_for(lambda: self.switch.row("Ethernet0")["mtu"] == "2000", 10, "the row has it")
        asked = [command.words[0] for command in self.switch.watch.ours()]
        self.assertLess(set(asked), {"multi", "exec", "hset", "ping"})
        self.assertLessEqual(len(asked), 4)

    def test_deleted_in_a_bridge(self) -> None:
        self.switch.watch.bounced = {"Ethernet4"}
        seen = self.changes("link add Bridge type bridge", "link set Bridge up", "link set Ethernet4 master Bridge",
                            "link del Ethernet4")
        self.assertEqual(seen[-1], ("Ethernet4", "del"))
        self.assertEqual(seen.count(("Ethernet4", "del")), 1)

    def test_removal_takes_the_key_with_all_that_is_in_it(self) -> None:
        self.switch.state_db.call("HSET", "PORT_TABLE|Ethernet0", "supported_speeds", "100000", "host_tx_ready", "true")
        self.switch.delete("Ethernet0")
        process.wait_for(lambda: not self.switch.state_db.call("EXISTS", "PORT_TABLE|Ethernet0"), 10, "the key is gone")

    def test_fields_of_others_are_kept(self) -> None:
        self.switch.plant_row("Ethernet0", {"supported_speeds": "100000", "host_tx_ready": "true"})
        self.switch.dut.ip("link set Ethernet0 mtu 2000", "link set Ethernet0 down")
        self.switch.wait_equal()

    def test_moved_to_another_namespace(self) -> None:
        self.assertEqual(self.changes(f"link set Ethernet4 netns {self.switch.far.path}")[-1], ("Ethernet4", "del"))

    def test_a_row_that_another_client_removed_comes_back_whole(self) -> None:
        self.switch.state_db.call("DEL", "PORT_TABLE|Ethernet0")
        self.switch.dut.ip("link set Ethernet0 mtu 2000")
        self.switch.wait_equal()


class Bounces(UpCase):
    """
    Changes that subscribers of the row must see although the row stays the same: `write_bounces` in
    libportsync/DESIGN.md, row sonic.events of tests/contract.tsv.
    """

    WHOLE_ROW = [("Ethernet0", "hset")]

    def setUp(self) -> None:
        super().setUp()
        self.switch.watch.bounced = {"Ethernet0"}

    def changes_while_stopped(self, *commands: str) -> list[tuple[str, str]]:
        subscriber = self.subscribe(Subscriber)
        self.switch.daemon.freeze()
        self.switch.dut.ip(*commands)
        process.wait_for(lambda: self.switch.dut.links()["Ethernet0"].oper == "up", 10, "the kernel says that it is up")
        self.switch.daemon.thaw()
        seen = self.seen_of(subscriber)
        subscriber.stop()
        return seen

    def test_admin_down_and_up_within_a_batch(self) -> None:
        self.assertEqual(self.changes_while_stopped("link set Ethernet0 down", "link set Ethernet0 up"), self.WHOLE_ROW)

    def test_carrier_lost_and_back_within_a_batch(self) -> None:
        subscriber = self.subscribe(Subscriber)
        self.switch.daemon.freeze()
        for state in ("down", "up"):
            self.switch.far.ip(f"link set p0 {state}")
            process.wait_for(lambda: self.switch.dut.links()["Ethernet0"].oper == state, 10, f"the kernel says {state}")
        self.switch.daemon.thaw()
        self.assertEqual(self.seen_of(subscriber), self.WHOLE_ROW)

    def test_another_master(self) -> None:
        self.switch.dut.ip("link add Bridge type bridge", "link set Bridge up")
        self.assertEqual(self.changes_while_stopped("link set Ethernet0 master Bridge"), self.WHOLE_ROW)
        self.assertEqual(self.changes_while_stopped("link set Ethernet0 nomaster"), self.WHOLE_ROW)


class Names(UpCase):
    def test_a_new_ifindex_is_a_del_and_then_all_four(self) -> None:
        for frozen in (False, True):
            with self.subTest(frozen=frozen):
                subscriber, teammgrd = self.subscribe(Subscriber), self.subscribe(Teammgrd)
                if frozen:
                    self.switch.daemon.freeze()
                self.switch.delete("Ethernet0")
                self.switch.create("Ethernet0")
                self.switch.daemon.thaw()
                self.switch.wait_equal()
                self.assertEqual([event for name, event in self.seen_of(subscriber) if name == "Ethernet0"].count("del"), 1)
                teammgrd.wait_quiet()
                self.assertEqual(teammgrd.members_added("Ethernet0"), 1)
                last = [row for name, event, row in subscriber.seen if (name, event) == ("Ethernet0", "hset")]
                self.assertEqual(last[-1].keys(), {"state", "netdev_oper_status", "admin_status", "mtu"})
                subscriber.stop()
                teammgrd.stop()

    def test_a_new_ifindex_with_the_same_values_is_written_in_full(self) -> None:
        """The row stays the same, but teammgrd needs the event."""
        self.switch.dut.ip("link set Ethernet0 down")
        self.switch.wait_equal()
        before = self.switch.row("Ethernet0")
        self.switch.daemon.freeze()
        self.switch.watch.clear()
        self.switch.delete("Ethernet0")
        self.switch.create("Ethernet0", up=False)
        self.switch.daemon.thaw()
        self.fence()
        writes = [words for words in self.switch.watch.writes(6) if words[1] == "PORT_TABLE|Ethernet0"]
        self.assertEqual([words[0] for words in writes], ["del", "hset"])
        self.assertEqual(dict(zip(writes[1][2::2], writes[1][3::2])), before)

    def test_rename_removes_the_old_row(self) -> None:
        seen = self.changes("link set Ethernet0 down", "link set Ethernet0 name away0")
        self.assertEqual(seen[-1], ("Ethernet0", "del"))
        seen = self.changes("link set away0 name Ethernet0")
        self.assertEqual(seen, [("Ethernet0", "hset")])

    def test_swap_of_names(self) -> None:
        for frozen in (False, True):
            with self.subTest(frozen=frozen):
                self.switch.dut.ip("link set Ethernet0 down", "link set Ethernet4 down", "link set Ethernet0 mtu 9000")
                self.switch.wait_equal()
                if frozen:
                    self.switch.daemon.freeze()
                subscriber = self.subscribe(Subscriber)
                self.switch.dut.ip("link set Ethernet0 name swapping", "link set Ethernet4 name Ethernet0",
                                   "link set swapping name Ethernet4")
                self.switch.daemon.thaw()
                seen = self.seen_of(subscriber)
                subscriber.stop()
                for name in ("Ethernet0", "Ethernet4"):
                    self.assertEqual([event for at, event in seen if at == name][-2:], ["del", "hset"])
                if frozen:  # to be one batch
                    self.assertEqual([event for _, event in seen], ["del", "del", "hset", "hset"])

    def test_removals_come_before_writes(self) -> None:
        """A breakout that reaches portsyncd at once: xcvrd needs the DEL of each old name before any SET."""
        xcvrd = self.subscribe(Xcvrd)
        self.switch.daemon.freeze()
        for number in range(3):
            self.switch.create(f"Ethernet{400 + number}")
            produce(self.switch.appl_db, f"Ethernet{400 + number}", port_config(100))
            process.wait_for(lambda name=f"Ethernet{400 + number}": self.switch.published(name), 10, "orchagent has it")
        for number in range(3):
            self.switch.delete(port(number))
        self.switch.daemon.thaw()
        self.switch.wait_row("Ethernet402")
        seen = [event for _, event in self.seen_of(xcvrd)]
        self.assertEqual(seen[:3], ["del"] * 3)
        self.assertEqual(seen.index("hset"), 3)
        self.assertNotIn("del", seen[3:])

    def test_what_is_not_a_port_is_not_touched(self) -> None:
        self.switch.plant_row("PortChannel2", {"state": "ok"})
        self.switch.plant_row("Ethernet4.20", {"state": "ok"})
        seen = self.changes(
            "link add PortChannel2 type bridge", "link set PortChannel2 up", "link del PortChannel2",
            "link add link Ethernet4 name Ethernet4.20 type macvlan", "link set Ethernet4.20 up", "link del Ethernet4.20",
            "link add Bridge type bridge", "link add eth9 type bridge", "link add ethernet0 type bridge", "link del eth9")
        self.assertEqual(seen, [])


class Gate(UpCase):
    """A netdev counts once its name is in APPL_DB, also if the name comes later."""

    new = "Ethernet400"

    def test_not_in_appl_db_no_row(self) -> None:
        self.assertEqual(self.changes(f"link add {self.new} type bridge", f"link set {self.new} up", f"link del {self.new}"), [])

    def test_the_name_comes_after_the_netdev(self) -> None:
        self.switch.create(self.new)
        self.fence()
        self.assertEqual(self.switch.row(self.new), {})
        produce(self.switch.appl_db, self.new, port_config(100))
        self.switch.wait_row(self.new)

    def test_the_name_is_written_without_a_message(self) -> None:
        """As orchagent writes it, by HSET alone."""
        self.switch.create(self.new)
        self.fence()
        self.switch.appl_db.call("HSET", f"PORT_TABLE:{self.new}", "lanes", "400")
        self.switch.wait_row(self.new)

    def test_the_state_of_then_is_what_is_written(self) -> None:
        self.switch.create(self.new)
        self.switch.dut.ip(f"link set {self.new} mtu 2345", f"link set {self.new} down")
        self.fence()
        subscriber = self.subscribe(Subscriber)
        self.switch.appl_db.call("HSET", f"PORT_TABLE:{self.new}", "lanes", "400")
        self.switch.wait_row(self.new)
        self.assertEqual(self.seen_of(subscriber), [(self.new, "hset")])

    def test_gone_before_the_name_comes(self) -> None:
        self.switch.create(self.new)
        self.fence()
        self.switch.delete(self.new)
        self.fence()
        self.switch.appl_db.call("HSET", f"PORT_TABLE:{self.new}", "lanes", "400")
        self.fence()
        self.assertEqual(self.switch.row(self.new), {})

    def subscriptions(self) -> int:
        clients = self.switch.appl_db.call("CLIENT", "LIST", "TYPE", "pubsub").splitlines()
        return sum(1 for line in clients if "addr=" + self.switch.redis.socket in line)

    def test_subscribed_only_while_a_netdev_waits(self) -> None:
        channel = f"__keyspace@0__:PORT_TABLE:{self.new}"

        def subscribed() -> bool:
            patterns = self.switch.appl_db.call("PUBSUB", "NUMPAT")
            return bool(patterns or self.switch.appl_db.call("PUBSUB", "NUMSUB", channel)[1])
        process.wait_for(lambda: not subscribed(), 10, "without a waiting netdev there is no subscription")
        self.switch.create(self.new)
        process.wait_for(subscribed, 10, "with a waiting netdev there is a subscription")
        self.switch.appl_db.call("HSET", f"PORT_TABLE:{self.new}", "lanes", "400")
        self.switch.wait_row(self.new)
        process.wait_for(lambda: not subscribed(), 10, "and then no more")

    def test_the_hashes_of_orchagent_cost_nothing(self) -> None:
        """orchagent writes oper_status and flap_count at every flap."""
        self.fence()
        self.switch.watch.clear()
        for number in range(20):
            self.switch.appl_db.call("HSET", "PORT_TABLE:Ethernet0", "oper_status", "up", "flap_count", str(number))
        self.switch.dut.ip("link set Ethernet4 mtu 2222")
        process.wait_for(lambda: self.switch.row("Ethernet4")["mtu"] == "2222", 10, "a change arrives")
        self.assertLessEqual(len(self.switch.watch.ours()), 4)


class Runtime(UpCase):
    def add_port(self, number: int) -> None:
        """As `config load` and portmgrd do it."""
        self.switch.config_db.call("HSET", f"PORT|{port(number)}", *flat(port_config(number)))
        produce(self.switch.appl_db, port(number), port_config(number))

    def test_a_port_added_at_run_time(self) -> None:
        self.add_port(50)  # orchagent pops it and makes the netdev
        self.switch.wait_row(port(50))
        self.switch.dut.ip(f"link set {port(50)} mtu 2000")
        self.switch.wait_equal()

    def test_a_port_added_with_the_netdev_before_the_name(self) -> None:
        self.switch.create(port(50))
        self.fence()
        self.orchagent.stop()
        self.add_port(50)
        orchagent = self.switch.orchagent(hardware=False)
        orchagent.wait_popped(port(50))
        self.switch.wait_row(port(50))

    def test_breakout(self) -> None:
        """
        Ethernet0 becomes four ports: portmgrd deletes the old one, orchagent removes its netdev, then the new ones
        come.
        """
        xcvrd = self.subscribe(Xcvrd)
        new = ["Ethernet0", "Ethernet1", "Ethernet2", "Ethernet3"]
        self.switch.config_db.call("DEL", "PORT|Ethernet0")
        produce(self.switch.appl_db, "Ethernet0", None)
        process.wait_for(lambda: not self.switch.row("Ethernet0"), 10, "the old port's row is gone")
        for number, name in enumerate(new):
            fields: Row = {**port_config(0), "lanes": str(number), "speed": "25000"}
            self.switch.config_db.call("HSET", f"PORT|{name}", *flat(fields))
            produce(self.switch.appl_db, name, fields)
        for name in new:
            self.switch.wait_row(name)
        seen = self.seen_of(xcvrd)
        first = seen.index(("Ethernet0", "del"))
        self.assertTrue(all(event == "hset" for _, event in seen[first + 1:]))
        self.assertEqual({name for name, _ in seen[first + 1:]}, set(new))

    def test_a_port_removed_from_config_db_alone_stays(self) -> None:
        self.switch.config_db.call("DEL", "PORT|Ethernet0")
        self.switch.dut.ip("link set Ethernet0 mtu 2000")
        self.switch.wait_equal()
        self.assertEqual(self.switch.row("Ethernet0")["mtu"], "2000")

    def test_config_db_changes_are_portmgrds(self) -> None:
        self.switch.config_db.call("HSET", "PORT|Ethernet0", "mtu", "1600", "admin_status", "down")
        self.fence()
        link = self.switch.dut.links()["Ethernet0"]
        self.assertEqual((link.mtu, link.admin), (1500, "up"))
        self.assertEqual(self.switch.watch.writes(0), [])


class Logger(UpCase):
    def lines(self, level: str) -> int:
        return sum(1 for line in self.switch.daemon.log().splitlines() if f" {level} " in line)

    def test_the_level_is_followed_live(self) -> None:
        """swssloglevel writes LOGLEVEL: at ERROR a change of a link is not logged, at DEBUG it is."""
        def changes_are_said() -> bool:
            before = self.lines("info") + self.lines("debug")
            self.fence()
            return self.lines("info") + self.lines("debug") > before
        self.switch.config_db.call("HSET", "LOGGER|portsyncd", "LOGLEVEL", "ERROR")
        process.wait_for(lambda: not changes_are_said(), 10, "at ERROR changes are not logged")
        self.switch.config_db.call("HSET", "LOGGER|portsyncd", "LOGLEVEL", "DEBUG")
        process.wait_for(changes_are_said, 10, "at DEBUG they are")

    def test_a_level_that_is_none_changes_nothing(self) -> None:
        self.switch.config_db.call("HSET", "LOGGER|portsyncd", "LOGLEVEL", "LOUD")
        self.switch.config_db.call("DEL", "LOGGER|portsyncd")
        self.fence()
        self.switch.wait_equal()


class Losses(SonicCase):
    def test_an_overrun_is_made_up_for(self) -> None:
        """Meanwhile a port is removed, and another one is configured and made."""
        self.come_up(config={"netlink": {"receive_buffer_bytes": 65536}})
        daemon = self.switch.daemon
        daemon.freeze()
        process.run([program("tests/support/link_load"), "mixed", "2000", str(DUT_INDEX), "2"], self.switch.dut)
        self.switch.delete(port(2))
        produce(self.switch.appl_db, port(9), port_config(9))
        process.wait_for(lambda: self.switch.dut.links().get(port(9)), 10, "orchagent makes the new port's netdev")
        daemon.thaw()
        self.switch.wait_equal()
        self.assertGreaterEqual(daemon.statistics()["overruns"], 1)
        self.assertEqual(self.switch.row(port(2)), {})
        self.assertEqual(self.switch.row(port(9))["state"], "ok")
