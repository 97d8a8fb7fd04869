# SPDX-License-Identifier: Apache-2.0
"""As many ports as a switch has, and more: no loss is reported, no snapshot requested, and no port forgotten."""

from support import process
from support.case import GROUP, Case


class Scale(Case):
    settle_limit = 30.0

    def flap_all(self) -> None:
        """Changes every port twice while Redis does not answer, so that rows in flight wait again."""
        self.redis.stop_process()
        for _ in range(2):
            self.finish(self.load("mtu", 2 * self.ports))
            process.wait_for(lambda: self.daemon.statistics()["pending"] >= self.ports, 20, "all ports wait", 0.05)
        process.wait_for(lambda: self.daemon.statistics()["queue_collapses"] >= 1, 10,
                         "the queue is over its bound", 0.05)
        self.redis.continue_process()
        self.wait_equal()

    def check_no_resync(self) -> None:
        statistics = self.daemon.statistics()
        self.assertEqual((statistics["resyncs"], statistics["overruns"]), (0, 0))
        self.assertEqual(statistics["ports"], self.ports)


class Ports1028(Scale):
    ports = 1028
    config = {"sync": {"audit_interval_secs": 0}}

    def test_1028_ports_at_the_default_queue_bound(self) -> None:
        self.flap_all()
        self.check_no_resync()


class Ports512(Scale):
    ports = 512
    config = {"sync": {"audit_interval_secs": 0}, "performance": {"max_event_queue": 500}}

    def test_512_ports_at_a_queue_bound_of_500(self) -> None:
        self.flap_all()
        self.check_no_resync()


class Ports4096(Scale):
    ports = 4096
    autostart = False

    def setUp(self) -> None:
        self.ports, ports = 0, self.ports
        super().setUp()
        self.ports = ports

    def test_4096_ports_created_and_deleted(self) -> None:
        self.plant()
        self.start()
        self.add_ports(self.ports)
        self.wait_equal()
        self.assertEqual(self.redis.db.call("HLEN", "PORT_TABLE"), self.ports)
        self.dut.ip(f"link del group {GROUP}")
        self.wait_equal()
        self.assertEqual(self.redis.db.call("HLEN", "PORT_TABLE"), 0)
