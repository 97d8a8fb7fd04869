# SPDX-License-Identifier: Apache-2.0
"""
SIGHUP applies a valid configuration while portsyncd runs, and ignores an invalid one; targets of the log; other
signals.
"""

import copy
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

from integration.test_command_line import PROFILES
from support import process
from support.case import SANITIZED, Case, program
from support.daemon import Config


class Reload(Case):
    def changed(self, change: Config) -> Config:
        config = copy.deepcopy(self.effective_config)
        for section, keys in change.items():
            config[section] = {**config.get(section, {}), **keys}
        return config

    def reload(self, change: Config) -> str:
        self.effective_config = self.changed(change)
        self.daemon.configure(self.effective_config)
        return self.daemon.reload()

    def test_another_match_removes_and_adds_rows(self) -> None:
        self.dut.ip("link add name eth7 index 4000 type veth peer name far7 index 24000 netns " + self.far.path)
        log = self.reload({"ports": {"match": ["eth*", "Ethernet0"]}})
        self.assertIn('Reload: applied ports.match = ["eth*", "Ethernet0"], was ["Ethernet*"]', log)
        self.assertNotIn("needs a restart", log)
        self.wait_equal()
        self.assertEqual(set(self.redis.db.hash("PORT_TABLE")), {"eth7", "Ethernet0"})
        self.assertIn("Reload: nothing has changed", self.daemon.reload())

    def test_another_level(self) -> None:
        self.set_level("error")
        self.daemon.wait_for_log('Reload: applied logging.level = "error", was "debug"')
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.wait_equal()
        self.assertNotIn("mtu=1600", self.daemon.log())
        self.set_level("info")
        self.daemon.wait_for_log('Reload: applied logging.level = "info", was "error"')
        self.dut.ip("link set Ethernet0 mtu 1700")
        self.daemon.wait_for_log("mtu=1700")

    def set_level(self, level: str) -> None:
        """Not by reload(), which ends with the statistics line, and a level above info hides that."""
        self.effective_config = self.changed({"logging": {"level": level}})
        self.daemon.configure(self.effective_config)
        self.daemon.signal(signal.SIGHUP)

    def test_another_audit_interval(self) -> None:
        self.reload({"sync": {"audit_interval_secs": 1}})
        self.redis.db.call("HDEL", "PORT_TABLE|Ethernet0", "mtu")
        self.wait_equal(5)

    def test_performance_is_applied_and_its_clamp_logged(self) -> None:
        log = self.reload({"performance": {"max_latency_us": 5000, "batch_timeout_ms": 50, "max_event_queue": 2}})
        self.assertIn("performance.batch_timeout_ms is held to half of max_latency_us hold_us=2500", log)
        self.finish(self.load("mixed", 2_000))
        self.wait_equal()
        self.assertGreater(self.daemon.statistics()["queue_collapses"], 0)

    def test_what_needs_a_restart_is_named_and_not_applied(self) -> None:
        before = self.effective_config
        log = self.reload({"database": {"redis_socket": "/does/not/exist"}, "sync": {"port_index": False}})
        self.assertIn('Reload: needs a restart: database.redis_socket = "/does/not/exist", was ', log)
        self.assertIn("Reload: needs a restart: sync.port_index = false, was true", log)
        self.effective_config = before
        self.dut.ip("link set Ethernet0 mtu 1600", "link set Ethernet4 down")
        self.wait_equal()
        self.assertIn("needs a restart: sync.port_index", self.daemon.reload(), "and is named again")

    def test_a_bad_file_changes_nothing(self) -> None:
        for bad, said in {
            "[ports]\nmatch = [\"eth*\"]\n[database]\nredis_port = 0\n":
                ":4:14: database.redis_port: found the integer 0, expected an integer from 1 to 65535",
            "[ports]\nmatch = eth*\n": ":2:9: ",
            "[logging]\ntarget = \"file\"\nfile = \"/dev/null/portsyncd.log\"\n[ports]\nmatch = [\"eth*\"]\n":
                "Cannot log to file",
        }.items():
            self.daemon.config_path.write_text(bad)
            log = self.daemon.reload()
            self.assertIn("Reload refused: nothing has changed", log)
            self.assertIn(said, log)
        self.daemon.config_path.unlink()  # a file that was named must exist
        self.assertIn("Reload refused", self.daemon.reload())
        self.assertEqual(len(self.redis.db.hash("PORT_TABLE")), self.ports)
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.wait_equal()

    def test_systemd_is_notified(self) -> None:
        self.daemon.notifications.clear()
        before = time.monotonic_ns() // 1000
        self.reload({"ports": {"match": ["Ethernet*", "eth*"]}})
        process.wait_for(lambda: self.daemon.notified("READY=1") is not None, 5, "READY=1 after the reload")
        first, second = [message for _, message in self.daemon.notifications if "STATUS=" != message[:7]][:2]
        self.assertEqual(first.splitlines()[0], "RELOADING=1")
        reported = int(first.splitlines()[1].removeprefix("MONOTONIC_USEC="))
        self.assertTrue(before <= reported <= time.monotonic_ns() // 1000)
        self.assertEqual(second.splitlines()[0], "READY=1")
        self.assertIn("STATUS=Healthy", second)

    def test_a_hundred_while_links_change(self) -> None:
        descriptors = self.daemon.descriptors()
        load = self.load("mixed")
        for number in range(100):
            self.effective_config = self.changed({"ports": {"match": ["Ethernet*", f"eth{number % 2}"]}})
            self.daemon.configure(self.effective_config)
            self.daemon.signal(signal.SIGHUP)
        self.finish(load)
        self.wait_equal()
        self.assertEqual(self.daemon.descriptors(), descriptors)


class Profiles(Case):
    def test_the_five_profiles_run(self) -> None:
        for name, keys in PROFILES.items():
            with self.subTest(name):
                self.assertEqual(self.daemon.terminate(), 0)
                config: Config = {}
                for key, value in keys.items():
                    section, short = key.split(".")
                    config.setdefault(section, {})[short] = float(value) if "." in value else int(value)
                self.start(config)
                self.dut.ip(f"link set Ethernet0 mtu {1600 + len(name)}")
                self.wait_equal()
                self.assertNotIn(" error ", self.daemon.log())


class ReloadWithoutRedis(Case):
    autostart = False

    def test_before_redis_is_there(self) -> None:
        self.redis.kill()
        self.start(ready=False)
        self.daemon.wait_status("Degraded")
        self.daemon.configure({**self.effective_config, "ports": {"match": ["Ethernet0"]}})
        self.effective_config["ports"] = {"match": ["Ethernet0"]}
        self.daemon.reload()
        self.assertIsNone(self.daemon.notified("READY=1"), "a reload does not make it ready")
        self.redis.start()
        self.foreign.clear()  # Redis was empty at its start
        self.wait_equal()


class LogFile(Case):
    autostart = False

    def test_it_is_written_and_opened_anew_after_a_rotation(self) -> None:
        path = self.directory / "log" / "portsyncd.log"
        daemon = self.start({"logging": {"target": "file", "file": str(path)}})
        process.wait_for(lambda: "Synchronized" in path.read_text(), 10, "the file has lines")
        self.assertRegex(path.read_text().splitlines()[0], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d info ")
        self.assertEqual(daemon.log(), "", "and standard error has none")
        path.rename(path.with_suffix(".1"))
        daemon.signal(signal.SIGHUP)
        process.wait_for(lambda: path.exists() and "Reload" in path.read_text(), 10, "the new file has lines")

    def test_a_moved_file_is_let_go_also_by_a_reload_that_is_refused(self) -> None:
        path = self.directory / "log" / "portsyncd.log"
        daemon = self.start({"logging": {"target": "file", "file": str(path)}})
        path.rename(path.with_suffix(".1"))
        daemon.config_path.write_text("[database]\nredis_port = 0\n")
        daemon.signal(signal.SIGHUP)
        process.wait_for(lambda: path.exists() and "Reload refused" in path.read_text(), 10, "the new file has lines")

    def test_a_full_file_that_cannot_be_put_aside_is_given_up(self) -> None:
        folder = self.directory / "log"
        folder.mkdir()
        path = folder / "portsyncd.log"
        path.write_bytes(b"#" * ((10 << 20) - 4096))
        daemon = self.start({"logging": {"target": "file", "file": str(path)}})
        folder.rename(self.directory / "old")
        folder.write_text("no folder any more")
        for mtu in range(1600, 1640):
            self.dut.ip(f"link set Ethernet0 mtu {mtu}")
            daemon.signal(signal.SIGUSR1)
        daemon.wait_for_log("The log file cannot be written (")
        daemon.wait_for_log("statistics ")
        self.wait_equal()

    def test_a_fifo_is_no_log_file(self) -> None:
        os.mkfifo(self.directory / "fifo")
        daemon = self.start({"logging": {"target": "file", "file": str(self.directory / "fifo")}})
        self.assertIn("fifo: found a device, pipe, socket or directory, expected a regular file; logging to standard error",
                      daemon.log())

    def test_a_target_that_could_not_be_had_at_the_start_does_not_stand_in_the_way_of_a_reload(self) -> None:
        logging = {"target": "file", "file": "/dev/null/portsyncd.log", "level": "debug"}
        daemon = self.start({"logging": logging})
        self.effective_config = {**self.effective_config, "ports": {"match": ["Ethernet0"]}}
        daemon.configure(self.effective_config)
        log = daemon.reload()
        self.assertIn("; the log stays where it is", log)
        self.assertIn("Reload: applied ports.match", log)
        self.wait_equal()

    def test_a_file_that_cannot_be_opened_is_reported_on_standard_error(self) -> None:
        daemon = self.start({"logging": {"target": "file", "file": "/dev/null/portsyncd.log"}})
        self.assertIn("Cannot log to file: ", daemon.log())
        self.assertIn("; logging to standard error", daemon.log())


class Signals(Case):
    def test_a_second_one_ends_at_once(self) -> None:
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT)):
            self.redis.stop_process()
            self.dut.ip(f"link set Ethernet0 mtu {1600 + first}")
            process.wait_for(lambda: self.daemon.statistics()["pending"] > 0, 5, "a row waits for Redis", 0.02)
            self.daemon.signal(first)
            self.daemon.wait_for_log("stopping")
            began = time.monotonic()
            self.daemon.signal(second)
            self.assertEqual(self.daemon.wait(), 128 + second)
            self.assertLess(time.monotonic() - began, 2)
            self.assertIn("Second signal: ending at once pending=1", self.daemon.log())
            self.redis.continue_process()
            self.start()
        self.wait_equal()

    def test_sigpipe_is_harmless(self) -> None:
        self.daemon.signal(signal.SIGPIPE)
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.wait_equal()

    def test_sigusr1_logs_the_statistics(self) -> None:
        self.assertEqual(self.daemon.statistics()["ports"], self.ports)


class NoArguments(Case):
    autostart = False

    def test_no_option_no_file_and_a_log_without_a_reader(self) -> None:
        """Redis is at the default address, inside the namespace. Standard error is a pipe whose reader goes away."""
        if Path("/etc/sonic/portsyncd.conf").exists():
            self.skipTest("this machine has a configuration of its own")
        running = process.start([program("portsyncd/portsyncd")], self.dut, stderr=subprocess.PIPE,
                                env={**{k: v for k, v in os.environ.items() if not k.startswith(("PORTSYNCD_", "REDIS_"))},
                                     "RUNTIME_DIRECTORY": str(self.directory)})
        self.addCleanup(process.end, running)
        self.wait_equal()
        log = os.read(running.stderr.fileno(), 65536).decode()
        self.assertIn("info No configuration file /etc/sonic/portsyncd.conf: every key has its default", log)
        running.stderr.close()
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.wait_equal()
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text()
        self.assertEqual((running.poll(), children), (None, ""), "it is alive, and has not forked")
        self.assertEqual(Path(f"/proc/{running.pid}/comm").read_text(), "portsyncd\n")
        running.terminate()
        self.assertEqual(running.wait(10), 0)


class Password(Case):
    autostart = False
    SECRET = "correct-horse-battery"

    def start_with_password(self, mode: int = 0o600, secret: str = SECRET, **options: object) -> None:
        self.secret = self.directory / "password"
        self.secret.write_text(secret + "\n")
        self.secret.chmod(mode)
        self.redis.db.call("ACL", "SETUSER", "switch", "on", ">" + self.SECRET, "~PORT_TABLE*", "+@all")
        self.start({"database": {"redis_username": "switch", "redis_password_file": str(self.secret)}}, **options)

    def test_another_password_is_used_by_the_next_connection_and_is_not_shown(self) -> None:
        self.start_with_password()
        another = "another-" + self.SECRET
        self.redis.db.call("ACL", "SETUSER", "switch", "resetpass", ">" + another)
        self.secret.write_text(another + "\n")
        self.assertIn("Reload: applied the password in database.redis_password_file", self.daemon.reload())
        self.redis.db.call("CLIENT", "KILL", "USER", "switch")
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.wait_equal()
        shown = self.daemon.log() + Path(f"/proc/{self.daemon.pid}/cmdline").read_text() + Path(
            f"/proc/{self.daemon.pid}/environ").read_text() + " ".join(self.daemon.statuses())
        self.assertNotIn(self.SECRET, shown)
        self.assertIn("Reload: nothing has changed", self.daemon.reload())

    def test_a_wrong_password_is_corrected_by_a_reload(self) -> None:
        self.start_with_password(ready=False, secret="wrong")
        self.daemon.wait_status("Degraded: ")
        self.daemon.wait_for_log("WRONGPASS")
        self.secret.write_text(self.SECRET + "\n")
        self.daemon.reload()
        self.daemon.wait_status("Healthy")

    def test_a_file_that_every_user_may_read_is_a_warning(self) -> None:
        self.start_with_password(mode=0o644)
        self.assertIn(f"warning database.redis_password_file: {self.secret}: every user may read it; chmod o-r {self.secret}",
                      self.daemon.log())
        self.secret.chmod(0o640)
        self.assertNotIn("every user may read it", self.daemon.reload())

    def test_it_is_in_no_core(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, (soft, hard))
        if hard == 0 or SANITIZED:
            self.skipTest("this machine writes no core")
        self.start({"database": {}})
        self.assertTrue(self.leaves_a_core(), "without a password, a core is written")
        self.start_with_password()
        self.assertFalse(self.leaves_a_core())
        self.start({"database": {}})
        self.daemon.configure({**self.effective_config, "database": {**self.effective_config["database"],
                                                                     "redis_password_file": str(self.secret)}})
        self.assertIn("needs a restart: database.redis_password_file", self.daemon.reload())
        self.assertFalse(self.leaves_a_core(), "a reload that cannot use the password has read it")
        self.start()

    def leaves_a_core(self) -> bool:
        self.daemon.signal(signal.SIGABRT)
        _, status = os.waitpid(self.daemon.pid, 0)
        return os.WCOREDUMP(status)
