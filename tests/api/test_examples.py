# SPDX-License-Identifier: Apache-2.0
"""Every example: built as its first lines say, against an installed library, and does what they say on real links."""

import contextlib
import fcntl
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from support import documents, process
from support.case import Case, SettledCase
from support.examples import EXAMPLES, SOURCES, Programs, Running, build_command, built, built_beside, built_of_document, compiles, \
    installed
from support.installed import run
from support.link_requests import LinkRequests
from support.netns import Netns
from support.redis_server import Redis

HERE = Path(__file__).resolve().parent
APPL_DB = 0
GUIDES = documents.TOP / "libportsync/doc"
OWN_SINK = "libportsync/doc/write-your-own-sink.md"
FROM_NETDISPATCHER = "libportsync/doc/from-netdispatcher.md"
PROGRAMS = sorted(source.stem for source in SOURCES if source.suffix == ".cpp")


class Texts(SettledCase):
    """Rules for all examples."""

    def settle(self) -> None:
        pass

    def test_each_is_short_and_says_what_it_shows(self) -> None:
        for source in SOURCES:
            with self.subTest(example=source.name):
                lines = source.read_text().splitlines()
                self.assertLess(len(lines), 120)
                self.assertEqual(lines[0], "// SPDX-License-Identifier: Apache-2.0")
                self.assertRegex(lines[1], r"^// \w")

    def test_the_table_has_each(self) -> None:
        table = (EXAMPLES / "README.md").read_text()
        for source in SOURCES:
            self.assertIn(f"| {source.name} |", table)
        for name in re.findall(r"^\| ([a-z_]+\.[a-z]+) \|", table, re.MULTILINE):
            self.assertTrue((EXAMPLES / name).exists(), name)

    def test_each_is_tested(self) -> None:
        tests = Path(__file__).read_text()
        for name in PROGRAMS:
            self.assertRegex(tests, rf'"{name}"')
            self.assertIn(f" {name}.cpp -o {name} ", build_command(EXAMPLES / f"{name}.cpp"))

    def test_the_meson_project_builds_each(self) -> None:
        build = self.directory / "build"
        run("meson", "setup", str(build), str(EXAMPLES), **installed().pkg_config)
        targets = json.loads(run("meson", "introspect", "--targets", str(build)))
        self.assertEqual(sorted(target["name"] for target in targets), PROGRAMS)
        run("meson", "compile", "-C", str(build), "link_monitor")
        self.assertTrue((build / "link_monitor").exists())


class ExampleCase(Programs, SettledCase):
    """
    Before each test: a namespace. After each test that passed: programs that were started and not ended still run.
    """

    def setUp(self) -> None:
        super().setUp()
        self.dut = Netns()
        self.addCleanup(self.dut.close)
        self.links = LinkRequests(self.dut)
        self.addCleanup(self.links.close)

    def settle(self) -> None:
        self.check_programs()

    def add_link(self, name: str = "Ethernet0", index: int = 100, mtu: int = 1500) -> None:
        self.dut.ip(f"link add name {name} index {index} mtu {mtu} type veth peer name p{index} index {20000 + index}")


class Monitors(ExampleCase):
    def follows(self, name: str) -> Running:
        self.add_link()
        monitor = self.run_example(name)
        at = monitor.wait_line("lo new admin=up oper=up mtu=65536")
        monitor.wait_line("Ethernet0 new admin=down oper=down mtu=1500")
        # More changes than one process() handles, and no later event: each step is reported.
        monitor.process.send_signal(signal.SIGSTOP)
        for mtu in range(2000, 4000):
            self.links.set_mtu(100, mtu)
        monitor.process.send_signal(signal.SIGCONT)
        at = monitor.wait_line("Ethernet0 changed admin=down oper=down mtu=3999", at)
        changes = [line for line in monitor.lines if line.startswith("Ethernet0 changed")]
        self.assertEqual(changes, [f"Ethernet0 changed admin=down oper=down mtu={mtu}" for mtu in range(2000, 4000)])
        self.dut.ip("link set Ethernet0 up", "link set p100 up")
        at = monitor.wait_line("Ethernet0 changed admin=up oper=up mtu=3999", at)
        self.dut.ip("link set Ethernet0 down", "link set Ethernet0 name Ethernet4")
        at = monitor.wait_line("Ethernet4 was Ethernet0", at)
        self.dut.ip("link del Ethernet4")
        monitor.wait_line("Ethernet4 removed", at)
        return monitor

    def test_link_monitor(self) -> None:
        self.follows("link_monitor")

    def test_embed_sd_event(self) -> None:
        self.assertEqual(self.follows("embed_sd_event").terminate(), 0)

    def test_embed_asio(self) -> None:
        self.assertEqual(self.follows("embed_asio").terminate(), 0)

    def test_embed_epoll_select(self) -> None:
        self.assertEqual(self.follows("embed_epoll_select").terminate(), 0)


class JsonLines(ExampleCase):
    def setUp(self) -> None:
        super().setUp()
        self.reader, writer = os.pipe()
        self.addCleanup(lambda: os.close(self.reader) if self.reader >= 0 else None)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        self.sink = self.run_example("jsonl_sink", stdout=writer)
        os.close(writer)
        os.set_blocking(self.reader, False)
        self.text = ""
        self.rows: dict[str, dict] = {}
        self.count = 0

    def read(self) -> None:
        try:
            self.text += os.read(self.reader, 1 << 16).decode()
        except BlockingIOError:
            return
        *lines, self.text = self.text.split("\n")
        self.count += len(lines)
        for row in map(json.loads, lines):
            self.rows[row.pop("port")] = row

    def wait_rows(self, **rows: dict) -> None:
        def equal() -> bool:
            self.read()
            return self.rows == rows
        process.wait_for(equal, 20, f"{rows}, there is {self.rows}")

    def test_jsonl_sink(self) -> None:
        self.add_link()
        self.add_link("Ethernet4", 104)
        self.wait_rows(Ethernet0={"up": False, "mtu": 1500}, Ethernet4={"up": False, "mtu": 1500})
        # Its reader is slow. Rows that do not fit into the pipe are not queued but compared later, so the newest comes
        # next.
        for mtu in range(2000, 5000):
            self.links.set_mtu(100, mtu)
        self.links.set_mtu(104, 9000)
        self.wait_rows(Ethernet0={"up": False, "mtu": 4999}, Ethernet4={"up": False, "mtu": 9000})
        self.assertLess(self.count, 1500)
        self.links.set_name(104, 'Ethernet\\"4')
        self.wait_rows(**{"Ethernet0": {"up": False, "mtu": 4999}, "Ethernet4": {"removed": True},
                          'Ethernet\\"4': {"up": False, "mtu": 9000}})
        os.close(self.reader)
        self.reader = -1
        self.links.set_mtu(100, 1500)
        self.assertEqual(self.sink.end(), 1)


class RowsCase(Programs, Case):
    """For a program that keeps the rows instead of portsyncd: settle() makes the same demands on it."""

    autostart = False

    def settle(self) -> None:
        super().settle()
        self.check_programs()


class Composite(RowsCase):
    ports = 4

    def test_composite_sink(self) -> None:
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        composite = self.run_example("composite_sink", self.redis.socket, stdout=writer)
        os.close(writer)
        self.wait_equal()
        links = LinkRequests(self.dut)
        self.addCleanup(links.close)
        # The JSON lines are not read, so they are behind; Redis is not.
        for mtu in range(2000, 2100):
            for index in range(4):
                links.set_mtu(self.dut_index + index, mtu)
        self.wait_equal()
        # Redis is dead; the JSON lines continue.
        self.redis.kill()
        composite.wait_error("redis closed")
        links.set_mtu(self.dut_index, 9000)
        self.wait_lines(reader, {"Ethernet0": 9000, "Ethernet4": 2099, "Ethernet8": 2099, "Ethernet12": 2099})
        self.redis.start()
        self.plant()
        self.wait_equal()
        self.assertEqual([line for line in composite.errors if line == "redis opened"], ["redis opened"] * 2)

    def wait_lines(self, reader: int, want: dict[str, int]) -> None:
        os.set_blocking(reader, False)
        found: dict[str, int] = {}
        rest = ""

        def newest() -> bool:
            nonlocal rest
            try:
                rest += os.read(reader, 1 << 16).decode()
            except BlockingIOError:
                return found == want
            *lines, rest = rest.split("\n")
            found.update({row["port"]: row["mtu"] for row in map(json.loads, lines)})
            return found == want
        process.wait_for(newest, 20, f"{want}, there is {found}")


class Lags(ExampleCase):
    def test_lag_watcher(self) -> None:
        # Not every kernel has teams or bonds. A bridge has members as they have.
        self.dut.ip("link add PortChannel1 type bridge", "link set PortChannel1 up")
        for number in range(3):
            self.add_link(f"Ethernet{number}", 100 + number)
        self.dut.ip("link set Ethernet0 master PortChannel1")
        watcher = self.run_example("lag_watcher", "bridge")
        at = watcher.wait_line("PortChannel1 down: Ethernet0 down")
        self.dut.ip("link set Ethernet1 master PortChannel1", "link set Ethernet1 up", "link set p101 up")
        at = watcher.wait_line("PortChannel1 up: Ethernet0 down, Ethernet1 up", at)
        self.dut.ip("link set Ethernet0 nomaster", "link set Ethernet2 mtu 1400")
        at = watcher.wait_line("PortChannel1 up: Ethernet1 up", at)
        self.dut.ip("link set Ethernet1 name Ethernet9")
        at = watcher.wait_line("PortChannel1 up: Ethernet9 up", at)
        self.dut.ip("link add PortChannel2 type bridge", "link set Ethernet9 master PortChannel2")
        watcher.wait_line("PortChannel1 down:", at)
        at = watcher.wait_line("PortChannel2 down: Ethernet9 up", at)
        self.dut.ip("link del PortChannel1", "link set PortChannel2 name PortChannel3")
        watcher.wait_line("PortChannel1 removed", at)
        watcher.wait_line("PortChannel2 removed", at)
        at = watcher.wait_line("PortChannel3 down: Ethernet9 up", at)
        self.dut.ip("link set Ethernet9 mtu 1400", "link set Ethernet9 nomaster")
        watcher.wait_line("PortChannel3 down:", at)
        # A change of what the line does not show makes no line.
        self.assertEqual([line for line in watcher.lines if "Ethernet2" in line], [])
        self.assertEqual([a for a, b in zip(watcher.lines, watcher.lines[1:]) if a == b], [])


class Indexes(ExampleCase):
    def setUp(self) -> None:
        super().setUp()
        self.add_link()

    def ask(self, ifindex: int) -> str:
        """Returns the reply."""
        self.cache.process.stdin.write(f"{ifindex}\n".encode())
        self.cache.process.stdin.flush()
        at = self.asked
        self.asked += 1
        process.wait_for(lambda: len(self.cache.lines) > at, 20, f"answer number {at}")
        return self.cache.lines[at]

    def test_index_cache(self) -> None:
        self.cache = self.run_example("index_cache", stdin=subprocess.PIPE)
        self.addCleanup(self.cache.process.stdin.close)
        self.asked = 0
        self.assertEqual(self.ask(1), "1 lo, master 0, kind -")
        self.assertEqual(self.ask(100), "100 Ethernet0, master 0, kind veth")
        self.assertEqual(self.ask(77), "77 is no link")
        self.links.add_bridge("Bridge")
        bridge = self.links.index_of("Bridge")
        # A link made before the request is in the reply, however late the cache wakes up.
        self.links.set_master(100, bridge)
        self.assertEqual(self.ask(100), f"100 Ethernet0, master {bridge}, kind veth")
        for i in range(100):
            self.links.set_name(100, f"Ethernet{i}")
            self.assertEqual(self.ask(100), f"100 Ethernet{i}, master {bridge}, kind veth")
        self.assertEqual(self.ask(bridge), f"{bridge} Bridge, master 0, kind bridge")
        self.links.delete(100)
        self.assertEqual(self.ask(100), "100 is no link")
        self.cache.process.stdin.close()
        self.assertEqual(self.cache.end(), 0)

    def test_index_cache_is_quick(self) -> None:
        bench = run(str(built("index_cache")), "--bench", **installed().running)
        print(f"     {bench.strip()}")
        lookup, update = map(float, re.findall(r"([\d.]+) ns", bench))
        self.assertLessEqual(lookup, 50)
        self.assertLessEqual(update, 2000)


class Producer(ExampleCase):
    """The consumer's side, as in sonic-swss-common's ConsumerStateTable."""

    def setUp(self) -> None:
        super().setUp()
        self.redis = Redis(self.directory, self.dut)
        self.addCleanup(self.redis.close)
        self.redis.start()
        self.appl_db = self.redis.connect(APPL_DB)
        self.addCleanup(self.appl_db.close)

    def consume(self) -> None:
        db = self.appl_db
        names = db.call("SMEMBERS", "LINK_TABLE_KEY_SET")
        for name in names:
            db.call("SREM", "LINK_TABLE_KEY_SET", name)
            if db.call("SREM", "LINK_TABLE_DEL_SET", name):
                db.call("DEL", f"LINK_TABLE:{name}")
            fields = db.hash(f"_LINK_TABLE:{name}")
            if fields:
                db.call("HSET", f"LINK_TABLE:{name}", *(word for pair in fields.items() for word in pair))
                db.call("DEL", f"_LINK_TABLE:{name}")

    def wait_taken_over(self) -> None:
        """Waits until the table equals the links."""
        def equal() -> bool:
            self.consume()
            want = {name: {"admin_status": link.admin, "oper_status": link.oper, "mtu": str(link.mtu)}
                    for name, link in self.dut.links().items()}
            keys = self.appl_db.scan("LINK_TABLE:*")
            return {key.partition(":")[2]: self.appl_db.hash(key) for key in keys} == want
        process.wait_for(equal, 20, "LINK_TABLE equals the links")

    def test_producer_table(self) -> None:
        channel = self.redis.connect(APPL_DB)
        self.addCleanup(channel.close)
        channel.call("SUBSCRIBE", "LINK_TABLE_CHANNEL@0")
        self.add_link()
        producer = self.run_example("producer_table", self.redis.socket)
        self.assertEqual(channel.read(), ["message", "LINK_TABLE_CHANNEL@0", "G"])
        self.wait_taken_over()
        for mtu in range(2000, 2500):
            self.links.set_mtu(100, mtu)
        self.wait_taken_over()
        self.dut.ip("link set Ethernet0 name Ethernet4", "link set lo mtu 9000")
        self.wait_taken_over()
        # A refused write is tried again.
        self.redis.config("maxmemory", 1)
        self.links.set_mtu(100, 4000)
        producer.wait_error("tried again with the next change")
        self.redis.config("maxmemory", 0)
        self.dut.ip("link set lo mtu 8000")
        self.wait_taken_over()
        # Rows that Redis lost are published again, together with those that changed meanwhile.
        self.appl_db.close()
        self.redis.kill()
        producer.wait_error("redis: ")
        self.dut.ip("link del Ethernet4")
        self.add_link("Ethernet8", 108)
        self.redis.start()
        self.appl_db = self.redis.connect(APPL_DB)
        self.addCleanup(self.appl_db.close)
        self.wait_taken_over()
        self.assertEqual(self.appl_db.scan("*"), [f"LINK_TABLE:{name}" for name in ("Ethernet8", "lo", "p108")])


class Traces(ExampleCase):
    def replay(self, *args: str) -> list[str]:
        return run(str(built("scripted_source")), "replay", *args, **installed().running).splitlines()

    def test_scripted_source(self) -> None:
        trace = self.directory / "trace"
        self.add_link()
        monitor = self.run_example("link_monitor")
        monitor.wait_line("p100 new admin=down oper=down mtu=1500")
        recorder = self.run_example("scripted_source", "record", str(trace))
        process.wait_for(lambda: trace.exists() and " p100 " in trace.read_text(), 20, "the first snapshot is recorded")
        for mtu in range(2000, 2200):
            self.links.set_mtu(100, mtu)
        self.dut.ip("link set Ethernet0 name Ethernet4", "link set Ethernet4 up", "link set p100 up",
                    "link add Bridge type bridge", "link set Ethernet4 master Bridge", "link del Ethernet4")
        monitor.wait_line("p100 removed")
        gone = re.compile(r"^\d+ 1 1 20100 p100 ", re.MULTILINE)
        process.wait_for(lambda: gone.search(trace.read_text()), 20, "the removal is recorded")
        recorder.terminate()
        self.assertEqual(self.replay(str(trace), "0"), monitor.lines)

    def test_scripted_source_takes_its_time(self) -> None:
        trace = self.directory / "trace"
        lo = "1 lo 73 0 65536 - - - - 0 0 - - - -"
        trace.write_text(f"0 2 0\n0 0 0 {lo}\n0 3 0\n400000 0 1 {lo.replace('65536', '1500')}\n800000 1 1 {lo}\n")
        want = ["lo new admin=up oper=up mtu=65536", "lo changed admin=up oper=up mtu=1500", "lo removed"]
        for speed, seconds in (("1", 0.8), ("4", 0.2)):
            began = time.monotonic()
            self.assertEqual(self.replay(str(trace), speed), want)
            self.assertGreaterEqual(time.monotonic() - began, seconds)
        for wrong in ("0 0 0 1 lo", "0 9 0", "nothing"):
            trace.write_text(f"0 2 0\n{wrong}\n")
            with self.assertRaisesRegex(AssertionError, f"of a trace: {wrong}"):
                self.replay(str(trace))

    def test_a_trace_has_all_of_a_link(self) -> None:
        run(str(built_beside(HERE / "trace_round_trip.cpp")), **installed().running)


class SqliteHistory(RowsCase):
    ports = 2

    def test_sqlite_history(self) -> None:
        path = self.directory / "history.db"
        self.run_example("sqlite_history", str(path), self.redis.socket)
        self.wait_equal()
        links = LinkRequests(self.dut)
        self.addCleanup(links.close)

        def rows(query: str) -> list[tuple]:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                return database.execute(query).fetchall()

        def begun() -> bool:
            with contextlib.suppress(sqlite3.OperationalError):  # no file yet, or no table
                return bool(rows("SELECT * FROM transitions WHERE link = 'Ethernet4'"))
            return False

        process.wait_for(begun, 20, "the history has begun")
        # Redis stands still, and later receives only the newest state. The history has every step.
        self.redis.stop_process()
        for mtu in range(2000, 3000):
            links.set_mtu(self.dut_index, mtu)
        self.dut.ip("link set Ethernet4 down", "link set Ethernet4 name Ethernet8", "link del Ethernet8")
        removed = "SELECT count(*) FROM transitions WHERE link = 'Ethernet8' AND event = 'removed'"
        process.wait_for(lambda: rows(removed) == [(1,)], 20, "the removal is in the history")
        self.redis.continue_process()
        self.redis.reconnect()
        found = rows("SELECT mtu FROM transitions WHERE link = 'Ethernet0' AND event = 'changed' ORDER BY id")
        self.assertEqual(found, [(mtu,) for mtu in range(2000, 3000)])
        self.assertEqual(rows("SELECT event, admin, oper, cause FROM transitions WHERE ifindex = 101 AND was = '' "
                              "AND link = 'Ethernet4' ORDER BY id LIMIT 1"), [("new", "up", "up", "initial")])
        self.assertEqual(rows("SELECT link, cause FROM transitions WHERE was = 'Ethernet4'"),
                         [("Ethernet8", "notified")])
        times = [row[0] for row in rows("SELECT time FROM transitions ORDER BY id")]
        self.assertTrue(all(b - a > -0.001 for a, b in zip(times, times[1:])), "in order")
        self.assertLess(abs(time.time() - times[-1]), 60)


class Kafka(ExampleCase):
    """Runs against librdkafka's own mock cluster of three brokers; another client reads the topic."""

    def setUp(self) -> None:
        super().setUp()
        program = built_beside(HERE / "kafka_cluster.cpp", "rdkafka")
        self.cluster = self.run_program(program, stdin=subprocess.PIPE)
        self.addCleanup(self.cluster.process.stdin.close)
        process.wait_for(lambda: self.cluster.lines, 20, "the cluster is there")
        self.brokers = self.cluster.lines[0].partition(" ")[2]

    def command(self, *lines: str) -> None:
        for line in lines:
            done = self.cluster.errors.count("done") + 1
            self.cluster.process.stdin.write(f"{line}\n".encode())
            self.cluster.process.stdin.flush()
            process.wait_for(lambda want=done: self.cluster.errors.count("done") >= want, 20, line)

    def topic(self) -> dict[str, int]:
        """Returns what compaction leaves: the mtu of each key that is not removed."""
        newest = dict(line.split("\t") for line in self.cluster.lines[1:])
        return {key: json.loads(value)["mtu"] for key, value in newest.items() if value != "-"}

    def wait_topic(self, **ports: int) -> None:
        want = {f"leaf-1|{port}": mtu for port, mtu in ports.items()}
        try:
            process.wait_for(lambda: self.topic() == want, 30, f"{want} in the topic")
        except process.TimedOut as error:
            raise process.TimedOut(f"{error}; there is {self.topic()}\n" + "\n".join(self.sink.errors)) from None

    def test_kafka_sink(self) -> None:
        self.add_link()
        self.add_link("Ethernet4", 104)
        self.sink = self.run_example("kafka_sink", self.brokers, "links", "leaf-1")
        self.wait_topic(Ethernet0=1500, Ethernet4=1500)
        for mtu in range(2000, 2500):
            self.links.set_mtu(100, mtu)
        self.dut.ip("link set Ethernet4 name Ethernet8")
        self.wait_topic(Ethernet0=2499, Ethernet8=1500)
        # A broker goes down, and another leads its partitions: nothing is refused.
        self.command("leaders 1", "down 2", "down 3")
        self.links.set_mtu(100, 3000)
        self.wait_topic(Ethernet0=3000, Ethernet8=1500)
        self.assertEqual([line for line in self.sink.errors if "tried again" in line], [])
        # All brokers go down: what waits is stored when they return, in its newest state.
        self.command("down 1")
        self.sink.wait_error("brokers are down")
        self.links.set_mtu(100, 4000)
        self.links.set_mtu(100, 5000)
        self.dut.ip("link del Ethernet8")
        self.command("up 1", "up 2", "up 3")
        self.wait_topic(Ethernet0=5000)
        self.assertIn("leaf-1|Ethernet4\t-", self.cluster.lines)
        # A row that a broker refuses is tried again.
        self.command("refuse 1")
        self.links.set_mtu(100, 6000)
        self.sink.wait_error("Ethernet0 is tried again: Broker: Topic authorization failed")
        self.wait_topic(Ethernet0=6000)

    def test_kafka_sink_without_brokers(self) -> None:
        self.add_link()
        self.sink = self.run_example("kafka_sink", "127.0.0.1:1", "links", "leaf-1", "500")
        self.sink.wait_error("Ethernet0 is tried again: Local: Message timed out")

    def test_kafka_sink_is_quick(self) -> None:
        bench = self.run_program(built_beside(HERE / "kafka_cluster.cpp", "rdkafka"), "--bench", "100000")
        self.assertEqual(bench.end(), 0, bench.errors)
        print(f"     {bench.lines[0]}")
        self.assertGreater(int(bench.lines[0].split()[0]), 10_000)  # 100,000 on an idle machine


class Guides(ExampleCase):
    def run_shown(self, document: str, name: str) -> Running:
        program = built_of_document(document, name, self.directory)
        return self.run_program(Path("stdbuf"), "-oL", str(program))  # its output goes to a file

    def test_write_your_own_sink(self) -> None:
        self.run_program(built_of_document(OWN_SINK, "file_sink", self.directory), cwd=self.directory)
        ports = self.directory / "ports"

        def holds(name: str, text: str) -> bool:
            return (ports / name).exists() and (ports / name).read_text() == text
        _, shown = documents.block(OWN_SINK, "g++").text.split("sleep 1; cat ports/lo\n")
        process.wait_for(lambda: holds("lo", shown), 20, "the file of lo")
        self.add_link("v7")
        process.wait_for(lambda: holds("v7", "down\n1500\n"), 20, "the file of v7")
        self.dut.ip("link set v7 mtu 1400")
        process.wait_for(lambda: holds("v7", "down\n1400\n"), 20, "the new MTU of v7")
        self.dut.ip("link del v7")
        process.wait_for(lambda: not (ports / "v7").exists(), 20, "the file has gone with the link")

    def test_from_netdispatcher(self) -> None:
        running = self.run_shown(FROM_NETDISPATCHER, "link_sync")
        running.wait_line("lo up")
        self.add_link("v7")
        running.wait_line("v7 down")
        self.dut.ip("link set v7 name v8")
        running.wait_line("v7 -")
        self.dut.ip("link del v8")
        running.wait_line("v8 -")

    def test_the_program_of_the_readme(self) -> None:
        running = self.run_shown("README.md", "monitor")
        running.wait_line("lo up mtu 65536")
        self.add_link("v7")
        running.wait_line("v7 down mtu 1500")
        self.dut.ip("link set v7 mtu 1400")
        running.wait_line("v7 down mtu 1400")

    def test_an_adapter_for_select(self) -> None:
        compiles("#include <portsync/pollable.hpp>\n#include <cstdint>\n"
                 "struct Selectable {  // as in swss-common\n  virtual ~Selectable() = default;\n  virtual int getFd() = 0;\n"
                 "  virtual uint64_t readData() = 0;\n};\n" + documents.block(FROM_NETDISPATCHER, "class SelectablePollable").text,
                 self.directory)

    def test_all_functions_of_a_sink(self) -> None:
        compiles("#include <portsync/state_sink.hpp>\n#include <type_traits>\n" + documents.block(OWN_SINK, "class MySink").text +
                 "static_assert(!std::is_abstract_v<MySink>);\n", self.directory)

    def test_documents_build_alike(self) -> None:
        self.assertEqual(documents.block("examples/README.md", "g++").text.strip(), build_command(EXAMPLES / "link_monitor.cpp"))
        pages = ["README.md", "examples/README.md", *(f"libportsync/doc/{path.name}" for path in GUIDES.glob("*.md"))]
        shown = {re.sub(r"\w+\.cpp -o \w+", "NAME", line) for page in pages for block in documents.blocks(page)
                 for line in block.text.splitlines() if line.startswith("g++ ")}
        self.assertEqual(shown, {"g++ -std=c++17 NAME $(pkg-config --cflags --libs portsync)"})
