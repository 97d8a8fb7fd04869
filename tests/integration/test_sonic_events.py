# SPDX-License-Identifier: Apache-2.0
"""sync.mode = "sonic": events that neighbours depend on, although the row is the same before and after."""

import time

from support import process
from support.case import DUT_INDEX, OWN_FIELDS, program
from support.sonic import SonicCase, port
from support.sonic_neighbours import Subscriber


class EventCase(SonicCase):
    ports = 4

    def setUp(self) -> None:
        super().setUp()
        self.come_up(**self.options())
        self.wait_oper("Ethernet0", "up")
        self.switch.wait_equal()
        self.switch.watch.bounced = {"Ethernet0"}
        self.subscriber = self.switch.add(Subscriber(self.switch.redis))

    def options(self) -> dict[str, object]:
        return {}

    def wait_oper(self, name: str, oper: str) -> None:
        process.wait_for(lambda: self.switch.dut.links()[name].oper == oper, 10, f"the kernel says {name} is {oper}")

    def seen_of(self, name: str) -> list[tuple[str, set[str]]]:
        """Returns (event, fields) of this port, after all earlier changes of links have reached their rows."""
        last = port(self.ports - 1)
        mtu = str(2000 + len(self.subscriber.seen))
        self.switch.dut.ip(f"link set {last} mtu {mtu}")
        process.wait_for(lambda: self.switch.row(last).get("mtu") == mtu, 20, "the last change arrives")
        self.switch.wait_equal()
        self.subscriber.wait_quiet()
        return [(event, set(row)) for at, event, row in self.subscriber.seen if at == name]

    def writes_of(self, name: str) -> list[set[str]]:
        """Returns the fields of each HSET."""
        return [set(words[2::2]) for words in self.switch.watch.writes(6)
                if words[:2] == ("hset", f"PORT_TABLE|{name}")]


class Bounces(EventCase):
    def bounced(self, name: str) -> None:
        """Expects one HSET with all four fields."""
        self.assertEqual([event for event, _ in self.seen_of(name)], ["hset"])
        self.assertEqual(self.writes_of(name), [set(OWN_FIELDS)])

    def frozen_for_a_while(self) -> None:
        time.sleep(0.3)
        self.switch.daemon.thaw()

    def test_admin_down_and_up_in_one_batch(self) -> None:
        """intfmgrd sets the IPv6 link-local address again only after a SET with admin_status up."""
        self.switch.watch.clear()
        self.switch.daemon.freeze()
        self.switch.dut.ip("link set Ethernet0 down", "link set Ethernet0 up")
        self.wait_oper("Ethernet0", "up")
        self.frozen_for_a_while()
        self.bounced("Ethernet0")

    def test_running_lost_and_back_in_one_batch(self) -> None:
        self.switch.watch.clear()
        self.switch.daemon.freeze()
        self.switch.far.ip("link set p0 down")
        self.wait_oper("Ethernet0", "down")
        self.switch.far.ip("link set p0 up")
        self.wait_oper("Ethernet0", "up")
        self.frozen_for_a_while()
        self.bounced("Ethernet0")

    def test_many_bounces_in_one_batch_are_one_event(self) -> None:
        self.switch.watch.clear()
        self.switch.daemon.freeze()
        for _ in range(10):
            self.switch.dut.ip("link set Ethernet0 down", "link set Ethernet0 up")
        self.wait_oper("Ethernet0", "up")
        self.frozen_for_a_while()
        self.bounced("Ethernet0")

    def test_ten_bounces_in_a_burst_end_by_an_event_with_admin_up(self) -> None:
        """Whatever one batch contains, the last change is followed by a SET with admin_status up."""
        before = len(self.subscriber.seen)
        for _ in range(10):
            self.switch.dut.ip("link set Ethernet0 down", "link set Ethernet0 up")
        self.wait_oper("Ethernet0", "up")
        self.seen_of("Ethernet0")
        rows = [row for at, event, row in self.subscriber.seen[before:] if at == "Ethernet0" and event == "hset"]
        self.assertEqual(rows[-1]["admin_status"], "up")
        self.assertEqual(self.switch.row("Ethernet0")["netdev_oper_status"], "up")

    def test_what_is_no_bounce_is_no_event(self) -> None:
        self.switch.watch.clear()
        self.switch.daemon.freeze()
        self.switch.dut.ip("link set Ethernet0 alias a", "link set Ethernet0 promisc on", "link set Ethernet0 up")
        self.frozen_for_a_while()
        self.assertEqual(self.seen_of("Ethernet0"), [])


class Masters(EventCase):
    def test_a_change_of_master_is_an_event(self) -> None:
        """teammgrd adds a member again that was removed by hand."""
        self.switch.dut.ip("link add Bridge type bridge", "link set Bridge up")
        for number, command in enumerate(("master Bridge", "nomaster", "master Bridge"), 1):
            self.switch.watch.clear()
            self.switch.dut.ip(f"link set Ethernet0 {command}")
            self.assertEqual(len(self.seen_of("Ethernet0")), number)
            self.assertEqual(self.writes_of("Ethernet0"), [set(OWN_FIELDS)])


class Lost(EventCase):
    def options(self) -> dict[str, object]:
        return {"config": {"netlink": {"receive_buffer_bytes": 65536}}}

    def test_a_bounce_inside_an_overrun_is_seen_by_the_carrier_counters(self) -> None:
        self.switch.watch.clear()
        self.switch.daemon.freeze()
        process.run([program("tests/support/link_load"), "mixed", "2000", str(DUT_INDEX + 1), "2"], self.switch.dut)
        self.switch.far.ip("link set p0 down")
        self.wait_oper("Ethernet0", "down")
        self.switch.far.ip("link set p0 up")
        self.wait_oper("Ethernet0", "up")
        self.switch.daemon.thaw()
        self.seen_of("Ethernet0")
        self.assertGreaterEqual(self.switch.daemon.statistics()["overruns"], 1)
        self.assertEqual(self.writes_of("Ethernet0"), [set(OWN_FIELDS)])


class MadeAnewWhileAway(SonicCase):
    """A netdev is recreated while portsyncd does not run: DEL, and then HSET of all four fields."""

    def restarted(self, end: str) -> None:
        switch = self.switch
        self.come_up()
        subscriber = switch.add(Subscriber(switch.redis))
        if end == "kill":
            switch.daemon.kill()
        else:
            switch.daemon.terminate()
        before = switch.dut.links()["Ethernet0"]
        switch.delete("Ethernet0")
        switch.create("Ethernet0", up=before.admin == "up")
        process.wait_for(lambda: switch.dut.links()["Ethernet0"].oper == "up", 10, "the new one is up")
        switch.start()
        switch.daemon.wait_for_log("Synchronized", 20)
        switch.wait_equal()
        subscriber.wait_quiet()
        seen = [(name, event) for name, event, _ in subscriber.seen]
        self.assertEqual(seen, [("Ethernet0", "del"), ("Ethernet0", "hset")], "and nothing of the others")

    def test_after_a_kill(self) -> None:
        self.restarted("kill")

    def test_after_a_stop(self) -> None:
        self.restarted("stop")
