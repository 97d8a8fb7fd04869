# SPDX-License-Identifier: Apache-2.0
"""
Kernel messages that are lost, forged or withheld: portsyncd notices, lists the links again, and the rows are right.
"""

import struct
import time
from pathlib import Path

from support import netns, process
from support.case import Case

SMALLEST_BUFFER = 4096  # the smallest netlink.receive_buffer_bytes that the configuration accepts


class LossCase(Case):
    ports = 64
    settle_limit = 5.0  # less than the 10 s after which a probe would find a loss that went unnoticed

    def setUp(self) -> None:
        super().setUp()
        self.descriptors = self.daemon.descriptors()

    def settle(self) -> None:
        super().settle()
        process.wait_for(lambda: self.daemon.descriptors() <= self.descriptors, 5, "no more descriptors than before")

    def wait_statistic(self, name: str, least: int, limit: float = 10) -> None:
        process.wait_for(lambda: self.daemon.statistics()[name] >= least, limit, f"{name} >= {least}", 0.05)


class Capability(LossCase):
    config = {"netlink": {"receive_buffer_bytes": 5 << 20}}

    def test_a_socket_made_anew_after_an_overrun_has_the_buffer_that_only_the_capability_gives(self) -> None:
        before = self.daemon.netlink_receive_buffers()
        rmem_max = int(Path("/proc/sys/net/core/rmem_max").read_text())
        self.assertGreater(min(before), 2 * rmem_max)  # the kernel doubles the size that is requested
        self.daemon.freeze()
        self.finish(self.load("mixed", 10_000))
        self.daemon.thaw()
        self.wait_statistic("overruns", 1)
        self.wait_equal()
        self.assertEqual(self.daemon.netlink_receive_buffers(), before)


class Losses(LossCase):
    def test_overrun_by_20000_changes_while_stopped(self) -> None:
        self.daemon.freeze()
        self.finish(self.load("mixed", 20_000))
        self.daemon.thaw()
        self.wait_equal()
        statistics = self.daemon.statistics()
        self.assertGreaterEqual(statistics["overruns"], 1)
        self.assertGreaterEqual(statistics["resyncs"], 1)

    def test_overrun_with_links_still_changing_during_the_recovery(self) -> None:
        self.daemon.freeze()
        endless = self.load("mixed")
        self.finish(self.load("mixed", 20_000))
        self.daemon.thaw()
        self.wait_statistic("overruns", 1)
        self.wait_statistic("resyncs", 1)
        self.finish(endless)
        self.wait_equal()

    def test_links_that_come_and_go_while_stopped(self) -> None:
        self.daemon.freeze()
        self.dut.ip(f"link del {self.port(0)}", f"link set {self.port(1)} down",
                    f"link set {self.port(1)} name Ethernet4000")
        self.finish(self.load("mixed", 20_000, first=4))
        self.dut.ip(f"link del {self.port(2)}", f"link set {self.port(3)} down",
                    f"link set {self.port(3)} name Ethernet4004")
        self.add_ports(4, first=200)
        self.daemon.thaw()
        self.wait_equal()
        self.assertGreaterEqual(self.daemon.statistics()["overruns"], 1)

    def test_spoofed_messages_are_dropped_and_counted(self) -> None:
        links = self.dut.links()
        lie = netns.attribute(netns.IFLA_IFNAME, b"Ethernet0\0")
        lie += netns.attribute(netns.IFLA_MTU, struct.pack("=I", 666))
        message = netns.link_message(netns.RTM_NEWLINK, 0, links["Ethernet0"].ifindex, attrs=lie)
        gone = netns.link_message(netns.RTM_DELLINK, 0, links["Ethernet4"].ifindex,
                                  attrs=netns.attribute(netns.IFLA_IFNAME, b"Ethernet4\0"))
        with self.redis.monitor() as monitor, self.dut.netlink() as forger:
            for target in [(0, 1)] + [(address, 0) for address in self.daemon.netlink_addresses()]:
                try:
                    forger.sendto(message, target)
                    forger.sendto(gone, target)
                except ConnectionRefusedError:
                    pass  # a socket that takes messages only from the kernel
            self.dut.ip("link set Ethernet8 mtu 1600")  # queued after the forged ones
            self.wait_equal()
            self.assertEqual({words[1] for words in monitor.writes()}, {"PORT_TABLE|Ethernet8"})
        self.assertGreaterEqual(self.daemon.statistics()["foreign"], 2)
        self.assertEqual(self.daemon.statistics()["resyncs"], 0)


class SmallestBuffer(Losses):
    """The same tests with a receive buffer that overruns all the time."""

    config = {"netlink": {"receive_buffer_bytes": SMALLEST_BUFFER}}

    def test_overrun_with_the_smallest_buffer(self) -> None:
        self.assertLessEqual(self.daemon.statistics()["receive_buffer_bytes"], 4 * SMALLEST_BUFFER)
        for _ in range(5):
            self.finish(self.load("mixed", 2_000))
            self.wait_equal()
        self.assertGreaterEqual(self.daemon.statistics()["overruns"], 1)

    # Two messages fit into the buffer, and a forged one is one of them: whether it overruns the buffer depends on
    # timing.
    test_spoofed_messages_are_dropped_and_counted = None  # type: ignore[assignment]


class DumpInterrupted(Case):
    ports = 512
    config = {"sync": {"audit_interval_secs": 1}}
    settle_limit = 20.0

    def test_dump_interrupted_by_links_that_come_and_go(self) -> None:
        churn = self.load("churn")
        deadline = time.monotonic() + 30 * process.PATIENCE
        while self.daemon.statistics()["interrupted"] == 0:
            self.assertLess(time.monotonic(), deadline, "no dump was interrupted")
            # If portsyncd runs only for moments, a dump extends over many changes. Otherwise a dump takes about 2 ms of
            # each second.
            until = time.monotonic() + 2.0
            while time.monotonic() < until:
                self.daemon.freeze()
                time.sleep(0.002)
                self.daemon.thaw()
                time.sleep(0.0005)
        self.dut.ip("link set Ethernet0 mtu 1600", "link del Ethernet4")
        self.wait_equal()
        self.finish(churn)
        self.wait_equal()


class Deaf(Case):
    def test_deaf_netlink_socket_is_found_and_replaced(self) -> None:
        self.assertGreaterEqual(self.daemon.deafen(), 1)
        self.dut.ip("link set Ethernet0 mtu 1600", "link del Ethernet4", "link set Ethernet8 down")
        self.wait_equal(30)  # a probe after 10 s of silence, 1 s for its reply
        self.assertGreaterEqual(self.daemon.statistics()["probe_failures"], 1)
        self.dut.ip("link set Ethernet0 mtu 1700")
        self.wait_equal(2)
