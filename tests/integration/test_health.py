# SPDX-License-Identifier: Apache-2.0
"""The verdict, as STATUS= reports it to systemd: each situation of the table leads to its verdict, and to no other."""

import time
from pathlib import Path

from support import process
from support.case import Case
from support.daemon import Config
from support.refusals import REFUSALS


class HealthCase(Case):
    # Limits that only the situation under test exceeds, and timeouts that are short.
    config: Config = {
        "database": {"connection_timeout_secs": 1},
        "performance": {"max_latency_us": 60_000_000},
        "health": {"max_stall_seconds": 3},
    }

    def setUp(self) -> None:
        super().setUp()
        self.daemon.wait_status("Healthy")
        self.daemon.notifications.clear()

    def wait_reported(self, text: str, limit: float = 10) -> None:
        """Waits until a STATUS= has begun with `text`, even if another one has followed."""
        process.wait_for(lambda: any(status.startswith(text) for status in self.daemon.statuses()), limit,
                         f"STATUS was {text!r}; it was {self.daemon.statuses()}")

    def verdicts(self) -> list[str]:
        """Returns the verdicts that were reported, without repetitions."""
        words = [status.partition(":")[0] for status in self.daemon.statuses()]
        return [word for i, word in enumerate(words) if i == 0 or words[i - 1] != word]

    def reload(self, section: str, **keys: object) -> str:
        self.effective_config[section] = {**self.effective_config.get(section, {}), **keys}
        self.daemon.configure(self.effective_config)
        return self.daemon.reload()

    def name(self) -> str:
        return f"Redis at {self.redis.socket}"


class ShortestStall(Case):
    config = {"health": {"max_stall_seconds": 1}, "sync": {"audit_interval_secs": 1}}

    def test_rows_that_are_stored_in_time_are_never_overdue(self) -> None:
        """The first report says that rows wait. They are stored a millisecond later, and a second later that must be known."""
        process.wait_for(lambda: self.daemon.log().count("debug Audit of ") >= 3, 20, "three seconds of it")
        self.assertNotIn("Unhealthy", self.daemon.log())


class RedisAway(HealthCase):
    config = {**HealthCase.config, "sync": {"audit_interval_secs": 1}}

    def test_nothing_pending_is_degraded_and_then_healthy(self) -> None:
        self.redis.stop_process()
        self.wait_reported(f"Degraded: waiting for {self.name()}: ")
        process.wait_for(lambda: self.daemon.statistics()["redis_timeouts"] >= 3, 15, "more than max_stall_seconds",
                         0.1)
        self.assertEqual(self.verdicts(), ["Degraded"])
        self.redis.continue_process()
        self.daemon.wait_status("Healthy")
        self.assertEqual(self.verdicts(), ["Degraded", "Healthy"])
        self.daemon.wait_for_log("info Health Healthy")


class Rows(HealthCase):
    def test_a_row_stuck_for_max_stall_seconds_is_unhealthy_and_named(self) -> None:
        self.redis.stop_process()
        self.dut.ip("link set Ethernet8 mtu 1600")
        began = time.monotonic()
        self.wait_reported("Degraded: ")
        self.wait_reported(f"Unhealthy: Ethernet8 not written to {self.name()}")
        self.assertGreater(time.monotonic() - began, 2.5)
        self.redis.continue_process()
        self.daemon.wait_status("Healthy")
        self.assertEqual(self.verdicts(), ["Degraded", "Unhealthy", "Healthy"])

    def test_a_row_stuck_for_less_is_degraded_at_worst(self) -> None:
        log = self.reload("health", max_stall_seconds=3600)
        self.assertIn("Reload: applied health.max_stall_seconds = 3600, was 3", log)
        self.redis.stop_process()
        self.dut.ip("link set Ethernet8 mtu 1600")
        self.wait_reported(f"Degraded: waiting for {self.name()}")
        process.wait_for(lambda: self.daemon.statistics()["redis_timeouts"] >= 4, 15, "more than 3 s", 0.1)
        self.redis.continue_process()
        self.daemon.wait_status("Healthy")
        self.assertNotIn("Unhealthy", self.verdicts())

    def test_a_refused_row_is_degraded_then_unhealthy_and_named(self) -> None:
        end = REFUSALS["wrongtype"](self.redis, "PORT_TABLE|Ethernet8")
        self.dut.ip("link set Ethernet8 mtu 1600", "link set Ethernet4 mtu 1600")
        self.wait_reported(f"Degraded: {self.name()} refuses Ethernet8: ")
        self.wait_reported(f"Unhealthy: {self.name()} refuses Ethernet8: ")
        end()
        del self.foreign[(6, "PORT_TABLE|Ethernet8")]
        self.daemon.wait_status("Healthy")
        self.assertEqual(self.verdicts(), ["Degraded", "Unhealthy", "Healthy"])
        self.assertEqual(self.redis.db.hash("PORT_TABLE|Ethernet8")["mtu"], "1600")

    def test_rows_on_their_way_in_a_flood_are_healthy(self) -> None:
        load = self.load("mixed")
        time.sleep(4)  # more than max_stall_seconds: under test is that nothing is reported
        self.finish(load)
        self.wait_equal()
        # Whether the flood overruns the receive buffer depends on the machine.
        machine = ("Healthy", "Degraded: link messages were lost")
        others = [status for status in self.daemon.statuses() if not status.startswith(machine)]
        self.assertEqual(others, [])


class Rates(HealthCase):
    ports = 32

    def test_rows_refused_over_the_limit_are_unhealthy(self) -> None:
        end = REFUSALS["oom"](self.redis, "")
        self.dut.ip(*(f"link set {self.port(i)} mtu 1600" for i in range(self.ports)))
        self.wait_reported("Unhealthy: ")
        end()
        self.wait_equal()
        # The rows are right, but too many writes of the last minute were refused. The numbers are updated once a
        # minute.
        self.daemon.wait_status(f" writes to {self.name()} were refused in the last minute, limit 5 %")
        self.assertRegex(self.daemon.status(), r"^Unhealthy: \d+ of \d+ writes")
        self.reload("health", max_failure_rate_percent=100)
        self.daemon.wait_status("in the last minute, 99 % must succeed")
        self.assertRegex(self.daemon.status(), r"^Degraded: \d+ of \d+ writes")
        self.reload("performance", min_success_rate=0)
        self.daemon.wait_status("Healthy")

    def test_p99_over_max_latency_is_degraded_for_a_minute(self) -> None:
        self.reload("performance", max_latency_us=1)
        self.dut.ip(*(f"link set {self.port(i)} mtu 1600" for i in range(self.ports)))
        self.wait_reported("Degraded: p99 latency ")
        self.assertRegex(self.daemon.status(), r"^Degraded: p99 latency \d+ us in the last minute, limit 1 us$")
        began = time.monotonic()
        self.daemon.wait_status("Healthy", 75)  # nothing happens meanwhile, so only time ends it
        self.assertGreater(time.monotonic() - began, 45)


class SyncRate(HealthCase):
    config = {**HealthCase.config, "database": {"connection_timeout_secs": 30}, "health": {"max_stall_seconds": 30}}

    def test_rows_behind_are_degraded(self) -> None:
        self.redis.stop_process()
        self.dut.ip("link set Ethernet8 mtu 1600")
        self.wait_reported(f"Degraded: 7 of 8 rows in {self.name()} equal the kernel, 90 % must")
        self.redis.continue_process()
        self.daemon.wait_status("Healthy")
        self.assertEqual(self.verdicts(), ["Degraded", "Healthy"])


class Kernel(HealthCase):
    ports = 64
    # When other tests remove their links, the kernel may keep a reader of links waiting.
    config = {**HealthCase.config, "health": {"max_stall_seconds": 30}}

    def test_lost_messages_are_degraded_while_links_are_read_again(self) -> None:
        self.daemon.freeze()
        self.finish(self.load("mixed", 20_000))
        self.daemon.thaw()
        self.wait_reported("Degraded: link messages were lost, reading all links again")
        self.daemon.wait_status("Healthy")
        self.assertEqual(self.verdicts(), ["Degraded", "Healthy"])

    def test_a_deaf_socket_is_degraded_until_it_is_replaced(self) -> None:
        self.assertGreaterEqual(self.daemon.deafen(), 1)
        self.wait_reported("Degraded: the netlink socket does not answer", 30)  # a probe after 10 s of silence
        self.daemon.wait_status("Healthy")
        self.assertEqual(self.verdicts(), ["Degraded", "Healthy"])


class Quiet(HealthCase):
    config = {**HealthCase.config, "dbus": {"enabled": "false"}}  # D-Bus would look for a bus every few seconds

    def test_nothing_wakes_a_quiet_switch(self) -> None:
        def switches() -> int:
            status = Path(f"/proc/{self.daemon.pid}/status").read_text()
            return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
        self.dut.ip("link set Ethernet8 mtu 1600")
        self.wait_equal()
        time.sleep(1.5)  # for the one report about it
        before = switches()
        time.sleep(6)  # under test is what happens while nothing happens
        self.assertLessEqual(switches() - before, 3)
        self.assertEqual(self.daemon.statuses(), [])
