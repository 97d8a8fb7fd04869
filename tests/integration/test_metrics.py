# SPDX-License-Identifier: Apache-2.0
"""The page for Prometheus: its values are right, its form is valid, it is documented, and it delays no row."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

from support import documents, process
from support.case import GROUP, SANITIZED, Case
from support.daemon import toml
from support.metrics_page import Page, names_used

TOP = Path(__file__).resolve().parents[2]
DATA = TOP / "portsyncd" / "data"
DOCUMENT = "portsyncd/doc/metrics.md"
LISTEN = "127.0.0.1:9101"
THREADS = 3  # of the web server
# The counters that are also keys in the log's statistics line.
SAME_AS = {
    "portsyncd_link_events_total": "events", "portsyncd_rows_written_total": "writes",
    "portsyncd_rows_removed_total": "erases", "portsyncd_rows_unchanged_total": "unchanged",
    "portsyncd_write_failures_total": "failures", "portsyncd_slow_rows_total": "slow_rows",
    "portsyncd_queue_collapses_total": "queue_collapses", "portsyncd_audits_total": "audits",
    "portsyncd_drift_repaired_total": "drift_repaired", "portsyncd_netlink_overruns_total": "overruns",
    "portsyncd_netlink_truncated_total": "truncated", "portsyncd_netlink_probe_failures_total": "probe_failures", "portsyncd_snapshots_total": "snapshots",
    "portsyncd_snapshots_interrupted_total": "interrupted", "portsyncd_resyncs_total": "resyncs",
    "portsyncd_ports": "ports", "portsyncd_rows_pending": "pending",
    "portsyncd_netlink_receive_buffer_bytes": "receive_buffer_bytes",
}


class Scraped(Case):
    config = {"metrics": {"listen": LISTEN}}

    def connect(self, address: str = LISTEN) -> socket.socket:
        host, _, port = address.rpartition(":")
        return self.dut.call(lambda: socket.create_connection((host.strip("[]"), int(port)), 10 * process.PATIENCE))

    def get(self, path: str = "/metrics", address: str = LISTEN) -> tuple[str, str]:
        """Returns the status line and the body of the reply."""
        with self.connect(address) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: s.recv(1 << 16), b"")).decode()
        head, _, body = answer.partition("\r\n\r\n")
        return head.splitlines()[0], body

    def page(self, address: str = LISTEN) -> Page:
        status, body = self.get(address=address)
        self.assertEqual(status, "HTTP/1.1 200 OK")
        return Page(body)

    def wait_page(self, what: str, condition: Callable[[Page], Any], limit: float = 10) -> Page:
        """Returns the first page for which the condition is true."""
        pages: list[Page] = []

        def arrived() -> bool:
            pages.append(self.page())
            return bool(condition(pages[-1]))
        process.wait_for(arrived, limit, what, 0.05)
        return pages[-1]

    def wait_ports(self) -> Page:
        """Returns a page with all ports. They are on the page within a second."""
        return self.wait_page("all ports", lambda page: len(page.series("portsyncd_port_flaps_total")) == self.ports, 30)

    def wait_value(self, name: str, value: float, limit: float = 10, **labels: str) -> Page:
        return self.wait_page(f"{name} {labels} is {value:g}", lambda page: page.find(name, **labels) == value, limit)

    def tasks(self) -> list[Path]:
        """
        Returns portsyncd's threads, the main one first. Leaves out ThreadSanitizer's own thread, which is made first.
        """
        tasks = sorted(Path(f"/proc/{self.daemon.pid}/task").iterdir(), key=lambda task: int(task.name))
        if "/libtsan." in Path(f"/proc/{self.daemon.pid}/maps").read_text():
            del tasks[1]
        return tasks

    @contextlib.contextmanager
    def hanging_scrapers(self, count: int) -> Iterator[None]:
        """Connects clients that send half a request and wait. Each takes a thread of the web server."""
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(self.connect()).sendall(b"GET /metrics HTTP/1.1\r\nHost:")
            time.sleep(0.2)  # until each has its thread
            yield


class Values(Scraped):
    maxDiff = None

    def test_the_page_is_what_the_documentation_says(self) -> None:
        page = self.wait_ports()
        rows = re.findall(r"^\| (portsyncd_\w+) \| (\w+) \| ([\w, ]*) ?\|",
                          (TOP / "portsyncd/doc/metrics.md").read_text(), re.M)
        documented = {name: (kind, set(labels.replace(" ", "").split(",")) - {""}) for name, kind, labels in rows}
        own = {name: (kind, page.labels(name)) for name, kind in page.types.items() if name.startswith("portsyncd_")}
        self.assertEqual(own, documented)
        self.assertEqual(len(rows), len(documented))
        self.assertEqual({name for name in page.types if name not in own},
                         {"exposer_scrapes_total", "exposer_transferred_bytes_total", "exposer_request_latencies"})
        self.assertEqual(page.types.keys(), page.helps.keys())
        self.assertEqual({name for name, kind in page.types.items() if name.endswith("_total") != (kind == "counter")},
                         set())

    def test_numbers_are_what_was_done(self) -> None:
        first = self.wait_page("all rows", lambda page: page.value("portsyncd_rows_written_total") >= self.ports)
        self.dut.ip("link set Ethernet0 mtu 1600", "link set Ethernet4 down", "link del Ethernet8")
        self.add_ports(1, first=50)
        self.wait_equal()
        statistics = self.daemon.statistics()
        page = self.wait_page("the same as in the log", lambda page: all(
            page.value(name) == statistics[key] for name, key in SAME_AS.items()))
        self.assertEqual(page.value("portsyncd_rows_removed_total") - first.value("portsyncd_rows_removed_total"), 1)
        self.assertGreaterEqual(
            page.value("portsyncd_rows_written_total") - first.value("portsyncd_rows_written_total"), 4)
        self.assertEqual(page.value("portsyncd_ports"), self.ports)
        self.assertEqual([page.value(f"portsyncd_{what}") for what in
                          ("health", "redis_connected", "netlink_connected", "redis_reconnects_total")], [0, 1, 1, 0])
        self.assertTrue(0 < page.value("portsyncd_redis_round_trip_seconds") < 1)
        self.assertLess(abs(page.value("portsyncd_start_time_seconds") - time.time()), 120 * process.PATIENCE)
        up = page.series("portsyncd_port_up")
        self.assertEqual({port: "up" if value else "down" for port, value in up.items()},
                         self.redis.db.hash("PORT_TABLE"))

    def test_the_histogram_counts_rows_that_answer_link_events(self) -> None:
        def counts(page: Page) -> list[float]:
            return [value for (name, _), value in page.samples.items()
                    if name == "portsyncd_row_latency_seconds_bucket"]
        before = self.page()
        bounds = list(before.series("portsyncd_row_latency_seconds_bucket"))
        self.assertEqual((float(bounds[0]), float(bounds[-2]), bounds[-1]), (25e-6, 1, "+Inf"))
        for mtu in range(1600, 1605):
            self.dut.ip(f"link set Ethernet0 mtu {mtu}")
            self.wait_equal()
        after = self.page()  # without a wait: each row updates the histogram at once
        name = "portsyncd_row_latency_seconds"
        self.assertEqual(after.value(name + "_count") - before.value(name + "_count"), 5)
        self.assertEqual(counts(after), sorted(counts(after)))
        self.assertGreater(after.value(name + "_sum"), before.value(name + "_sum"))

    def test_flaps_are_the_kernels_count(self) -> None:
        before = self.wait_ports()
        written = before.value("portsyncd_rows_written_total")
        self.daemon.freeze()  # what it reads afterwards leaves the row as it is
        for _ in range(3):
            self.far.ip("link set p0 down")
            self.wait_oper("down", "Ethernet0")
            self.far.ip("link set p0 up")
            self.wait_oper("up", "Ethernet0")
        self.daemon.thaw()
        flaps = before.value("portsyncd_port_flaps_total", port="Ethernet0") + 3
        page = self.wait_value("portsyncd_port_flaps_total", flaps, port="Ethernet0")
        self.assertEqual(page.value("portsyncd_rows_written_total"), written)
        self.assertEqual(page.value("portsyncd_port_flaps_total", port="Ethernet4"),
                         before.value("portsyncd_port_flaps_total", port="Ethernet4"))
        self.far.ip("link set p4 down")
        self.wait_value("portsyncd_port_up", 0, port="Ethernet16")
        self.wait_value("portsyncd_port_flaps_total",
                        before.value("portsyncd_port_flaps_total", port="Ethernet16") + 1, port="Ethernet16")

    def test_series_come_and_go_with_the_ports(self) -> None:
        self.far.ip("link set p0 down")
        self.wait_value("portsyncd_port_flaps_total", 1, port="Ethernet0")
        self.dut.ip("link set Ethernet0 down", "link set Ethernet0 name Ethernet400")
        page = self.wait_page("the new name", lambda page: "Ethernet400" in page.series("portsyncd_port_up"))
        self.assertNotIn("Ethernet0", page.series("portsyncd_port_up"))
        self.assertEqual(page.series("portsyncd_port_up").keys(), page.series("portsyncd_port_flaps_total").keys())
        self.dut.ip("link del Ethernet400", "link del Ethernet4")
        self.add_ports(1, first=1)
        self.wait_page("one port less", lambda page: page.value("portsyncd_ports") == self.ports - 1 and
                       len(page.series("portsyncd_port_flaps_total")) == self.ports - 1)

    def test_a_name_that_is_not_utf8_does_not_spoil_the_page(self) -> None:
        subprocess.run(["nsenter", "--net=" + self.dut.path, "ip", "link", "add", "name", b"Ethernet\xff", "type", "veth",
                        "peer", "name", b"peer\xff", "netns", self.far.path], check=True)
        try:
            page = self.wait_value("portsyncd_ports", self.ports + 1)
            self.assertEqual(len(page.series("portsyncd_port_up")), self.ports)
        finally:
            subprocess.run(["nsenter", "--net=" + self.dut.path, "ip", "link", "del", b"Ethernet\xff"], check=True)

    def test_a_name_with_an_escape_does_not_reach_a_terminal(self) -> None:
        name = "Ethernet\x1b[31m"
        subprocess.run(["nsenter", "--net=" + self.dut.path, "ip", "link", "add", "name", name, "type", "veth",
                        "peer", "name", "peer9", "netns", self.far.path], check=True)
        try:
            self.wait_value("portsyncd_ports", self.ports + 1)
            text = self.get("/metrics")[1]
            self.assertNotIn("\x1b", text)
            self.assertIn('portsyncd_port_up{port="Ethernet\\\\x1b[31m"}', text)  # the format doubles a backslash
        finally:
            subprocess.run(["nsenter", "--net=" + self.dut.path, "ip", "link", "del", name], check=True)

    def test_no_other_page_and_no_file_is_served(self) -> None:
        for path in ("/", "/metrics/../../etc/passwd", "/../../../etc/passwd", "/etc/passwd"):
            self.assertEqual(self.get(path)[0].split()[1], "404", path)

    def test_its_threads_take_no_signal(self) -> None:
        others = self.tasks()[1:]
        self.assertEqual(len(others), THREADS)
        for task in others:
            blocked = int(re.search(r"^SigBlk:\s*(\w+)", (task / "status").read_text(), re.M)[1], 16)
            for number in (1, 2, 10, 12, 14, 15, 17):
                self.assertTrue(blocked >> (number - 1) & 1, f"signal {number}")

    def test_another_address_needs_a_restart(self) -> None:
        self.daemon.configure({**self.effective_config, "metrics": {"listen": ""}})
        self.assertIn(f'Reload: needs a restart: metrics.listen = "", was "{LISTEN}"', self.daemon.reload())
        self.assertTrue(self.page())


class Troubles(Scraped):
    config = {"metrics": {"listen": LISTEN}, "health": {"max_stall_seconds": 1}, "sync": {"audit_interval_secs": 1}}

    def test_refused_rows(self) -> None:
        self.redis.config("maxmemory", 1)
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.wait_page("failures", lambda page: page.value("portsyncd_write_failures_total") >= 1)
        self.wait_value("portsyncd_health", 2)
        self.redis.config("maxmemory", 0)
        self.wait_equal()
        self.wait_value("portsyncd_health", 0)
        self.assertEqual(self.page().value("portsyncd_rows_pending"), 0)

    def test_reconnects(self) -> None:
        self.redis.kill_clients()
        self.wait_value("portsyncd_redis_reconnects_total", 1)
        self.redis.kill()
        self.wait_value("portsyncd_redis_connected", 0)
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.wait_page("pending", lambda page: page.value("portsyncd_rows_pending") >= 1)
        self.redis.start()
        self.plant()
        self.wait_equal()
        self.wait_value("portsyncd_redis_connected", 1)
        self.wait_value("portsyncd_redis_reconnects_total", 2)  # a page may be made between the two

    def test_drift_and_audits(self) -> None:
        before = self.page()
        self.redis.db.call("HSET", "PORT_TABLE|Ethernet0", "mtu", "1")
        self.wait_equal()
        page = self.wait_value("portsyncd_drift_repaired_total", before.value("portsyncd_drift_repaired_total") + 1)
        count = "portsyncd_row_latency_seconds_count"
        self.assertEqual(page.value(count), before.value(count), "no message causes a repair")
        self.assertGreater(page.value("portsyncd_audits_total"), 0)
        self.assertGreater(page.value("portsyncd_resyncs_total"), 0)


class SmallBuffer(Scraped):
    config = {"metrics": {"listen": LISTEN}, "netlink": {"receive_buffer_bytes": 4096}}

    def test_overruns(self) -> None:
        self.daemon.freeze()
        self.dut.ip(*(f"link set Ethernet0 mtu {mtu}" for mtu in range(1600, 1700)))
        self.daemon.thaw()
        self.wait_page("an overrun", lambda page: page.value("portsyncd_netlink_overruns_total") >= 1)


class ShortStates(Scraped):
    """A state that ends before the numbers are written is on the page for a second, and is counted."""

    def test_a_deaf_socket(self) -> None:
        self.assertEqual(self.page().value("portsyncd_netlink_connected"), 1)
        worsened = self.wait_value("portsyncd_health", 0).value("portsyncd_health_worsened_total")
        self.daemon.deafen()
        self.wait_value("portsyncd_netlink_connected", 0, 30)
        self.wait_value("portsyncd_netlink_connected", 1, 30)
        page = self.wait_value("portsyncd_health", 0)
        self.assertEqual(page.value("portsyncd_netlink_probe_failures_total"), 1)
        self.assertEqual(page.value("portsyncd_health_worsened_total"), worsened + 1)

    def test_redis_lost_and_back(self) -> None:
        before = self.wait_page("a quiet start", lambda page: page.value("portsyncd_health") == 0
                                and page.value("portsyncd_redis_connected") == 1)
        self.redis.db.call("CLIENT", "PAUSE", 60000, "WRITE")
        self.dut.ip("link set Ethernet0 mtu 1600")
        process.wait_for(lambda: "flags=b" in self.redis.db.call("CLIENT", "LIST"), 10, "a write waits in Redis")
        self.redis.kill_clients()
        self.redis.db.call("CLIENT", "UNPAUSE")
        self.wait_page("the loss, though it is over", lambda page: page.value("portsyncd_redis_connected") == 0
                       and page.value("portsyncd_redis_reconnects_total") == 1)
        page = self.wait_page("both well again", lambda page: page.value("portsyncd_redis_connected") == 1
                              and page.value("portsyncd_health") == 0)
        self.assertGreater(page.value("portsyncd_health_worsened_total"), before.value("portsyncd_health_worsened_total"))


class Listening(Scraped):
    autostart = False
    # D-Bus would look for a bus in a thread of its own.
    config: dict[str, dict[str, Any]] = {"dbus": {"enabled": "false"}}

    def listen(self, address: str) -> None:
        self.start({"metrics": {"listen": address}})

    def test_no_socket_listens_and_no_thread_runs_unless_configured(self) -> None:
        self.start()
        self.assertEqual(len(self.tasks()), 1)
        with self.assertRaises(ConnectionRefusedError):
            self.connect()

    def test_ipv6(self) -> None:
        """Only where civetweb supports IPv6; that of Debian 12 does not."""
        self.listen("[::1]:9101")
        if "No metrics" in self.daemon.log():
            self.assertIn("warning No metrics at [::1]:9101: civetweb, the web server that prometheus-cpp uses, was built "
                          "without IPv6 here", self.daemon.log())
            self.assertEqual(len(self.tasks()), 1)
        else:
            self.assertTrue(self.page("[::1]:9101"))
        with self.assertRaises(ConnectionRefusedError):
            self.connect(LISTEN)

    def test_all_addresses(self) -> None:
        self.listen(":9101")
        for address in ("127.0.0.1", "127.0.0.2"):
            self.assertTrue(self.page(f"{address}:9101"))

    def test_an_address_in_use_is_a_warning(self) -> None:
        for address, why in ((LISTEN, "Address already in use"), ("192.0.2.1:9101", "Cannot assign requested address"),
                             (":9101", "Address already in use")):
            with self.dut.call(lambda: socket.create_server(("127.0.0.1", 9101))):
                self.listen(address)
                self.assertIn(f"warning No metrics at {address}: {why}", self.daemon.log())
                self.assertEqual(len(self.tasks()), 1)
                self.dut.ip(f"link set Ethernet0 mtu {1600 + len(address)}")
                self.wait_equal()
                self.assertEqual(self.daemon.terminate(), 0)
        self.listen(LISTEN)
        self.assertTrue(self.page())

    def test_restarted_at_the_same_port_while_a_scraper_hangs(self) -> None:
        self.listen(LISTEN)
        with self.hanging_scrapers(1):
            self.daemon.kill()
            self.listen(LISTEN)
            self.assertTrue(self.page())


class Hanging(Scraped):
    def test_sigterm_ends_at_once(self) -> None:
        self.assertTrue(self.page())
        began = time.monotonic()
        self.assertEqual(self.daemon.terminate(), 0)
        print(f"     SIGTERM to the end: {time.monotonic() - began:.2f} s", flush=True)
        self.assertLess(time.monotonic() - began, 1 * process.PATIENCE)
        self.start()

    def test_sigterm_while_scrapers_hang(self) -> None:
        with self.hanging_scrapers(4):
            began = time.monotonic()
            self.assertEqual(self.daemon.terminate(), 0)
            print(f"     SIGTERM to the end: {time.monotonic() - began:.2f} s", flush=True)
            self.assertLess(time.monotonic() - began, 5 * process.PATIENCE)
        self.start()

    def test_rows_do_not_wait_for_a_scraper(self) -> None:
        with self.hanging_scrapers(4):
            self.finish(self.load("mixed", 2000))
            self.dut.ip("link set Ethernet0 mtu 1600")
            self.assertLess(self.wait_equal(), 1 * process.PATIENCE)

    def test_one_that_hangs_does_not_keep_another_from_the_page(self) -> None:
        with self.hanging_scrapers(1):
            began = time.monotonic()
            self.assertTrue(self.page())
            self.assertLess(time.monotonic() - began, 2 * process.PATIENCE)

    def test_scrapers_that_hang_are_given_up(self) -> None:
        with self.hanging_scrapers(8):
            with contextlib.closing(self.connect()) as s:
                s.settimeout(60 * process.PATIENCE)
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")
                self.assertIn(b"200 OK", s.recv(4096))


class Many(Scraped):
    ports = 1024
    settle_limit = 30.0

    def test_a_scrape_of_1024_ports(self) -> None:
        page = self.wait_ports()
        self.assertEqual(len(page.series("portsyncd_port_up")), self.ports)
        times = []
        for _ in range(20):
            began = time.perf_counter()
            self.get()
            times.append(time.perf_counter() - began)
        rss = self.daemon.rss_bytes() / (1 << 20)
        inside = self.page().value("exposer_request_latencies", quantile="0.5") / 1e3
        print(f"     scrape of {self.ports} ports, {len(page.text)} bytes: {1e3 * min(times):.1f} ms at best, "
              f"{1e3 * sorted(times)[10]:.1f} ms in the middle, {inside:.1f} ms of these in portsyncd; RSS {rss:.1f} MiB",
              flush=True)
        if not SANITIZED:
            self.assertLess(min(times), 0.05 * process.PATIENCE)
        self.dut.ip(f"link del group {GROUP}")
        self.wait_page("no ports", lambda page: not page.series("portsyncd_port_up"), 30)
        self.assertEqual(self.page().value("portsyncd_rows_removed_total"), self.ports)


class Cost(Scraped):
    ports = 64

    def test_memory_and_wake_ups(self) -> None:
        self.wait_ports()
        for _ in range(20):
            self.page()
        before, began = self.wake_ups(), time.monotonic()
        time.sleep(10)  # under test is what happens while nothing happens
        rate = (self.wake_ups() - before) / (time.monotonic() - began)
        rss = self.daemon.rss_bytes() / (1 << 20)
        print(f"     {self.ports} ports: {rate:.2f} wake-ups a second, RSS {rss:.1f} MiB", flush=True)
        self.assertLessEqual(rate, 2)
        if not SANITIZED:
            self.assertLess(rss, 12)

    def wake_ups(self) -> int:
        return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(), re.M)[1])
                   for task in self.tasks())


class Shipped(Scraped):
    """The alerts and the dashboard."""

    # The names that Prometheus itself adds.
    METRICS, LABELS = {"up"}, {"job", "instance"}

    @staticmethod
    def alerts() -> list[str]:
        text = (DATA / "portsyncd.rules.yml").read_text()
        found = re.findall(r"^ *expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)", text, re.M)
        return [" ".join((folded or plain).split()) for folded, plain in found]

    @staticmethod
    def dashboard() -> list[str]:
        dashboard = json.loads((DATA / "grafana-dashboard.json").read_text())
        found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        queries = [variable["query"]["query"] for variable in dashboard["templating"]["list"]
                   if variable["type"] == "query"]
        found += [re.fullmatch(r"label_values\((\w+), (\w+)\)", query).expand(r"count by (\2) (\1)") for query in queries]
        return [expr.replace("$__rate_interval", "5m").replace("$instance", ".*") for expr in found]

    def check(self, expressions: list[str]) -> set[str]:
        page = self.wait_ports()
        names = {name for name, _ in page.samples} | self.METRICS
        used: set[str] = set()
        for expression in expressions:
            with self.subTest(expression):
                metrics, labels = names_used(expression)
                self.assertNotEqual(metrics, set())
                self.assertLessEqual(metrics, names)
                known = self.LABELS.union(*(page.labels(page.family(name)) for name in metrics))
                self.assertLessEqual(labels, known)
                used |= metrics
        return used

    def test_every_alert_uses_what_the_page_has(self) -> None:
        text = (DATA / "portsyncd.rules.yml").read_text()
        self.assertEqual(len(self.alerts()), text.count("- alert: "))
        self.check(self.alerts())

    def test_the_dashboard_uses_what_the_page_has_and_shows_all_of_it(self) -> None:
        used = self.check(self.dashboard())
        page = self.page()
        shown = {page.family(name) for name in used}
        self.assertEqual({name for name in page.types if name.startswith("portsyncd_")} - shown, set())

    def promtool(self, *words: str, text: Optional[str] = None) -> str:
        if shutil.which("promtool") is None:
            self.skipTest("promtool is not installed")
        done = subprocess.run(["promtool", *words], input=text, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_promtool_takes_the_alerts_and_they_fire_when_they_are_to(self) -> None:
        self.assertIn(f"{len(self.alerts())} rules found", self.promtool("check", "rules", str(DATA / "portsyncd.rules.yml")))
        tests = TOP / "tests/integration/portsyncd.rules.test.yml"
        alerts = re.findall(r"- alert: (\w+)", (DATA / "portsyncd.rules.yml").read_text())
        self.assertEqual([alert for alert in alerts if f'"{alert}"' not in tests.read_text()], [])
        self.promtool("test", "rules", str(tests))

    def test_promtool_takes_the_dashboards_expressions(self) -> None:
        rules = {"groups": [{"name": "dashboard", "rules": [
            {"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(self.dashboard())]}]}
        path = self.directory / "dashboard.rules.yml"
        path.write_text(json.dumps(rules))
        self.promtool("check", "rules", str(path))

    def test_the_document_shows_this_configuration(self) -> None:
        self.assertEqual(documents.block(DOCUMENT, "[metrics]").text, toml(self.config).rstrip("\n") + "\n")

    def test_promtool_takes_the_scrape_configuration(self) -> None:
        path = self.directory / "prometheus.yml"
        path.write_text(documents.block(DOCUMENT, "scrape_configs").text)
        self.promtool("check", "config", str(path))

    def test_promtool_takes_the_page(self) -> None:
        own = "".join(line for line in self.wait_ports().text.splitlines(keepends=True)
                      if not re.match(r"(# \w+ )?exposer_", line))
        self.assertEqual(self.promtool("check", "metrics", text=own), "")
