# SPDX-License-Identifier: Apache-2.0
"""Start, readiness, end, and what remains after it."""

import time

from support import process
from support.case import SANITIZED, Case


class Restart(Case):
    def test_killed_and_restarted_while_links_change(self) -> None:
        load = self.load("mixed")
        for _ in range(3):
            self.daemon.kill()
            self.dut.ip(f"link set {self.port(0)} down")
            self.start()
        self.finish(load)
        self.wait_equal()

    def test_killed_links_come_and_go_and_restarted(self) -> None:
        self.daemon.kill()
        self.dut.ip("link del Ethernet0", "link set Ethernet4 down", "link set Ethernet4 name Ethernet400",
                    "link set Ethernet8 mtu 1600")
        self.add_ports(2, first=300)
        self.start()
        self.wait_equal()

    def test_restart_writes_nothing_that_did_not_change(self) -> None:
        self.assertEqual(self.daemon.terminate(), 0)
        with self.redis.monitor() as monitor:
            self.start()
            self.wait_equal()
            self.assertEqual(monitor.writes(), [])

    def test_restart_writes_what_changed_alone(self) -> None:
        self.assertEqual(self.daemon.terminate(), 0)
        self.dut.ip("link set Ethernet0 mtu 1600")
        with self.redis.monitor() as monitor:
            self.start()
            self.wait_equal()
            self.assertEqual([words[:2] for words in monitor.writes()], [["hset", "PORT_TABLE|Ethernet0"]])


class End(Case):
    def ended(self) -> None:
        """Lets the check at the end expect the rows, but no living daemon."""
        self.daemon = None

    def test_sigterm_exits_0_with_rows_kept(self) -> None:
        with self.redis.monitor() as monitor:
            self.assertEqual(self.daemon.terminate(), 0)
            self.assertEqual(monitor.writes(), [])
        self.assertIsNotNone(self.daemon.notified("STOPPING=1"))
        self.assertEqual(self.daemon.status(), "Stopped")
        self.assertRegex(self.daemon.log(), r"SIGTERM of uid=\d+ pid=\d+: stopping")
        self.ended()

    def test_sigint_exits_0(self) -> None:
        self.daemon.signal(2)
        self.assertEqual(self.daemon.terminate(), 0)
        self.ended()

    def test_sigterm_during_a_flush(self) -> None:
        self.redis.db.call("CLIENT", "PAUSE", 1500, "WRITE")
        self.dut.ip("link set Ethernet0 mtu 1600")
        process.wait_for(lambda: self.daemon.statistics()["pending"] > 0, 5, "a row waits for Redis", 0.02)
        self.dut.ip("link set Ethernet4 mtu 1700", "link del Ethernet8")
        process.wait_for(lambda: self.daemon.statistics()["pending"] > 2, 5, "more wait behind it", 0.02)
        self.assertEqual(self.daemon.terminate(), 0)
        self.ended()
        self.wait_equal(0.5)

    def test_sigterm_without_redis_ends_within_5_s(self) -> None:
        self.redis.stop_process()
        self.dut.ip("link set Ethernet0 mtu 1600")
        process.wait_for(lambda: self.daemon.statistics()["pending"] > 0, 5, "a row waits for Redis", 0.02)
        began = time.monotonic()
        self.assertEqual(self.daemon.terminate(), 0)
        self.assertLess(time.monotonic() - began, 6)
        self.redis.continue_process()
        self.start()
        self.wait_equal()


class Readiness(Case):
    autostart = False

    def test_ready_status_and_watchdog(self) -> None:
        daemon = self.start(environment={"WATCHDOG_USEC": "600000"})
        self.assertEqual(self.differences(), [], "READY=1 comes after the first snapshot was acknowledged")
        daemon.wait_status("Healthy")
        self.assertEqual(daemon.status(), "Healthy")
        def pings() -> int:
            return sum("WATCHDOG=1" in message for _, message in list(daemon.notifications))
        began, before = time.monotonic(), pings()
        process.wait_for(lambda: pings() >= before + 5, 5, "five pings")
        self.assertLess((time.monotonic() - began) / 5, 0.3 * process.PATIENCE, "a third of WATCHDOG_USEC, or less")

    def test_no_ping_while_the_loop_does_not_turn(self) -> None:
        daemon = self.start(environment={"WATCHDOG_USEC": "300000"})
        process.wait_for(lambda: daemon.notified("WATCHDOG=1") is not None, 5, "a ping")
        daemon.freeze()
        time.sleep(0.1)  # until what it sent before has arrived
        before = len(daemon.notifications)
        time.sleep(0.5)  # under test is silence
        self.assertEqual(len(daemon.notifications), before)
        daemon.thaw()

    def test_ready_after_15_s_without_redis(self) -> None:
        self.redis.db.call("SAVE")
        self.redis.kill()
        daemon = self.start(ready=False)
        daemon.wait_status("Degraded: waiting for Redis at")
        daemon.wait_ready(25)
        self.assertGreater(daemon.notified("READY=1"), 14)
        self.assertLess(daemon.notified("READY=1"), 17)
        daemon.wait_status("Unhealthy: ")  # rows have been pending for max_stall_seconds
        self.redis.start()
        self.wait_equal()
        daemon.wait_status("Healthy")

    def test_without_a_notify_socket(self) -> None:
        daemon = self.start(ready=False, environment={"NOTIFY_SOCKET": ""})
        self.wait_equal()
        self.assertEqual(daemon.notifications, [])

    def test_a_notify_socket_without_a_reader_does_not_stop_the_loop(self) -> None:
        daemon = self.start(ready=False, environment={"WATCHDOG_USEC": "30000"}, read_notifications=False)
        self.wait_equal()
        for mtu in range(1600, 1640):  # meanwhile pings are due: more than the socket's queue holds
            self.dut.ip(f"link set Ethernet0 mtu {mtu}")
            self.assertTrue(daemon.statistics())
            time.sleep(0.02)

    def test_idle_costs_nothing(self) -> None:
        daemon = self.start()
        before = daemon.cpu_seconds()
        time.sleep(2)  # under test is what happens while nothing happens
        self.assertLessEqual(daemon.cpu_seconds() - before, 0.02)

    def test_memory_and_descriptors_are_flat(self) -> None:
        daemon = self.start()
        self.finish(self.load("mixed", 20_000))
        self.wait_equal()
        rss, descriptors = daemon.rss_bytes(), daemon.descriptors()
        self.finish(self.load("mixed", 100_000))
        self.wait_equal()
        self.assertEqual(daemon.descriptors(), descriptors)
        if not SANITIZED:
            self.assertLess(daemon.rss_bytes() - rss, 512 * 1024)
            self.assertLess(daemon.rss_bytes(), 16 << 20)
