# SPDX-License-Identifier: Apache-2.0
"""Redis goes away, hangs, returns with other data, or is no Redis: the rows are right as soon as it works."""

from pathlib import Path

from support import process
from support.case import Case
from support.proxy import Proxy


class ConnectionCase(Case):
    def setUp(self) -> None:
        super().setUp()
        self.descriptors = self.daemon.descriptors()

    def change_links(self, mtu: int = 1600) -> None:
        self.dut.ip(f"link set Ethernet0 mtu {mtu}", "link set Ethernet4 down", "link del Ethernet8")
        self.add_ports(1, first=100 + mtu)

    def settle(self) -> None:
        super().settle()
        process.wait_for(lambda: self.daemon.descriptors() <= self.descriptors, 5, "no more descriptors than before")


class Reconnects(ConnectionCase):
    def test_killed_and_restarted_empty(self) -> None:
        self.redis.kill()
        self.change_links()
        self.redis.forget()
        self.redis.start()
        self.plant()
        self.wait_equal()

    def test_killed_and_restarted_with_old_data(self) -> None:
        self.redis.db.call("SAVE")
        self.dut.ip("link set Ethernet12 mtu 1700")
        self.wait_equal()
        self.redis.kill()
        self.change_links()
        self.redis.start()
        self.wait_equal()

    def test_killed_and_restarted_ten_times_while_links_change(self) -> None:
        load = self.load("mixed")
        for _ in range(10):
            self.redis.db.call("SAVE")
            self.redis.kill()
            self.redis.start()
        self.finish(load)
        self.wait_equal()

    def test_paused_3_s(self) -> None:
        self.redis.db.call("CLIENT", "PAUSE", 3000, "ALL")
        self.change_links()
        self.assertTrue(self.daemon.statistics())  # the loop turns meanwhile
        self.wait_equal()
        statistics = self.daemon.statistics()
        self.assertEqual((statistics["redis_opens"], statistics["redis_timeouts"]), (1, 0))

    def test_writes_paused_3_s(self) -> None:
        self.redis.db.call("CLIENT", "PAUSE", 3000, "WRITE")
        self.change_links()
        self.wait_equal()

    def test_client_kill(self) -> None:
        self.redis.kill_clients()
        self.change_links()
        self.wait_equal()
        self.assertGreaterEqual(self.daemon.statistics()["redis_opens"], 2)

    def test_client_kill_again_and_again_while_links_change(self) -> None:
        load = self.load("mixed")
        for opens in range(2, 5):
            self.redis.kill_clients()
            process.wait_for(lambda n=opens: self.daemon.statistics()["redis_opens"] >= n, 10,
                             f"connected {opens} times", 0.05)
        self.finish(load)
        self.wait_equal()


class ShortTimeout(ConnectionCase):
    """Timeouts of one second, because the tests wait until they are over."""

    config = {"database": {"connection_timeout_secs": 1}}

    def test_stopped_by_sigstop(self) -> None:
        self.redis.stop_process()
        self.change_links()
        process.wait_for(lambda: self.daemon.statistics()["redis_timeouts"] >= 1, 10, "a timeout", 0.05)
        self.redis.continue_process()
        self.wait_equal()


class AbsentAtStart(Case):
    autostart = False

    def setUp(self) -> None:
        super().setUp()
        self.redis.db.call("SAVE")
        self.redis.kill()

    def test_absent_at_start(self) -> None:
        Path(self.redis.socket).unlink()
        daemon = self.start(ready=False)
        daemon.wait_status("Degraded: waiting for Redis at")
        self.assertIsNone(daemon.notified("READY=1"))
        self.redis.start()
        daemon.wait_ready()
        self.assertLess(daemon.notified("READY=1"), 14, "ready because Redis came, not because 15 s had passed")
        self.wait_equal()
        daemon.wait_status("Healthy")

    def test_stale_socket_file(self) -> None:
        self.assertTrue(Path(self.redis.socket).exists())
        daemon = self.start(ready=False)
        daemon.wait_status("Degraded: waiting for Redis at")
        self.redis.start()
        daemon.wait_ready()
        self.wait_equal()


class Tcp(Case):
    def test_by_address(self) -> None:
        self.check("127.0.0.1")

    def test_by_name(self) -> None:
        self.check("localhost")

    autostart = False

    def check(self, host: str) -> None:
        self.redis.db.call("SAVE")
        self.start({"database": {"redis_socket": "", "redis_host": host, "redis_port": 6379}})
        self.wait_equal()
        self.redis.kill()
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.redis.start()
        self.wait_equal()


class BehindProxy(Case):
    autostart = False
    config = {"database": {"connection_timeout_secs": 1}}

    def setUp(self) -> None:
        super().setUp()
        self.proxy = Proxy(self.directory / "proxy.sock", self.redis.socket)
        self.addCleanup(self.proxy.close)
        self.behind = {"database": {"redis_socket": self.proxy.path}}

    def test_slow(self) -> None:
        self.start(self.behind)
        self.proxy.delay = 0.1
        self.finish(self.load("mixed", 5_000))
        self.wait_equal()
        self.assertEqual(self.daemon.statistics()["redis_opens"], 1)

    def test_half_closed(self) -> None:
        self.start(self.behind)
        self.proxy.half_close()
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.wait_equal()
        self.assertGreaterEqual(self.daemon.statistics()["redis_opens"], 2)

    def test_accepts_and_never_answers(self) -> None:
        self.check_stranger(b"")

    def test_answers_garbage(self) -> None:
        self.check_stranger(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def test_answers_an_endless_line(self) -> None:
        self.check_stranger(b"+" + b"x" * 60_000)

    def test_answers_a_reply_too_many(self) -> None:
        self.check_stranger(b"+OK\r\n" * 50)

    def test_answers_a_huge_array(self) -> None:
        self.check_stranger(b"*2147483647\r\n$2147483647\r\n")

    def check_stranger(self, answer: bytes) -> None:
        self.proxy.answer = answer
        self.start(self.behind, ready=False)
        process.wait_for(lambda: self.proxy.accepted >= 2, 15, "portsyncd gives up and tries again")
        self.assertTrue(self.daemon.statistics())
        self.proxy.answer = None
        self.daemon.wait_ready()
        self.wait_equal()

    def test_late_writes_of_a_dead_connection_do_not_land(self) -> None:
        self.start(self.behind)
        self.wait_equal()
        old = self.proxy.hold()
        self.dut.ip("link set Ethernet0 mtu 1666", "link set Ethernet4 down")
        process.wait_for(lambda: old.held_bytes > 0, 10, "the write is held back")
        process.wait_for(lambda: self.proxy.accepted >= 2, 15, "portsyncd gives the connection up")
        self.dut.ip("link set Ethernet0 mtu 1777", "link set Ethernet4 up")
        self.wait_equal()
        with self.redis.monitor() as monitor:
            self.proxy.release(old)
            process.wait_for(lambda: old.server_gone, 10, "Redis has closed the old connection, or read it to its end")
            self.assertEqual(self.differences(), [])
            self.assertFalse([words for words in monitor.commands() if "1666" in words])
