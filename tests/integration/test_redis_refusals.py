# SPDX-License-Identifier: Apache-2.0
"""Health and log quote what Redis refuses, with the key; a refused read never counts as an absent row."""

import subprocess
import time

from support import process
from support.case import Case, program

WRONG_INDEX = "PORT_TABLE: WRONGTYPE Operation against a key holding the wrong kind of value"


class Refusals(Case):
    def wait_said(self, *words: str) -> None:
        """
        Waits until a status and a log line, other than one of health, contain the words. portsyncctl prints them, too.
        """
        def said() -> bool:
            lines = [line for line in self.daemon.log().splitlines() if "Health" not in line]
            return (all(word in self.daemon.status() for word in words)
                    and any(all(word in line for word in words) for line in lines))
        process.wait_for(said, 10, f"status and log say {words}; the status is {self.daemon.status()!r}")
        self.assertTrue(all(word in self.ctl_status() for word in words), self.ctl_status())

    def ctl_status(self) -> str:
        return subprocess.run([program("portsyncd/portsyncctl"), "--socket", str(self.directory / "control.sock"),
                               "status"], capture_output=True, text=True, check=False).stdout

    def wait_healthy(self) -> None:
        process.wait_for(lambda: self.daemon.status() == "Healthy", 10, "Healthy")

    def assert_quiet_audits(self, audits: int = 3) -> None:
        """Waits for so many audits, none of which writes or repairs anything."""
        lines = self.daemon.log().count("Received event")
        before = self.daemon.statistics()
        process.wait_for(lambda: self.daemon.statistics()["audits"] >= before["audits"] + audits, 15, "audits", 0.1)
        after = self.daemon.statistics()
        self.assertEqual(after["writes"], before["writes"])
        self.assertEqual(after["drift_repaired"], before["drift_repaired"])
        self.assertEqual(self.daemon.log().count("Received event"), lines)

    def allow(self, *rules: str) -> None:
        self.redis.db.call("ACL", "SETUSER", "default", *rules)


class Reads(Refusals):
    config = {"sync": {"audit_interval_secs": 1}}

    def test_an_index_of_a_wrong_type_is_no_drift_and_named(self) -> None:
        self.redis.db.call("SET", "PORT_TABLE", "not a hash")
        self.wait_said(WRONG_INDEX)
        self.assertTrue(self.daemon.status().startswith("Degraded: "))
        self.assert_quiet_audits()
        self.dut.ip("link set Ethernet0 down", "link set Ethernet4 mtu 1600")
        rows = {name: self.row_of(link) for name, link in self.kernel_ports().items()}
        process.wait_for(lambda: all(row.items() <= self.redis.db.hash(f"PORT_TABLE|{name}").items()
                                     for name, row in rows.items()), 10, "the rows are right")
        self.assertTrue(self.daemon.status().startswith("Degraded: "))
        self.redis.db.call("DEL", "PORT_TABLE")
        self.wait_equal()
        self.wait_healthy()

    def test_an_index_without_permission_is_no_drift_and_named(self) -> None:
        self.allow("resetkeys", "~PORT_TABLE|*")
        self.wait_said("PORT_TABLE: NOPERM")
        self.assert_quiet_audits()
        self.dut.ip("link set Ethernet0 down")
        process.wait_for(lambda: self.redis.db.hash("PORT_TABLE|Ethernet0")["admin_status"] == "down", 10, "the row")
        self.assertTrue(self.daemon.status().startswith("Degraded: "))
        self.allow("allkeys")
        self.wait_equal()
        self.wait_healthy()

    def test_an_index_that_may_only_be_read_is_named(self) -> None:
        self.allow("resetkeys", "~PORT_TABLE|*", "%R~PORT_TABLE")
        self.dut.ip("link set Ethernet0 down")
        self.wait_said("PORT_TABLE: NOPERM")
        self.assert_quiet_audits()
        self.allow("allkeys")
        self.wait_equal()
        self.wait_healthy()

    def test_a_user_who_may_not_read_rewrites_nothing(self) -> None:
        self.allow("-hmget")
        self.wait_said(f"{self.ports} rows cannot be read, PORT_TABLE|Ethernet", "NOPERM ",
                       "has no permissions to run the 'hmget' command")
        self.assert_quiet_audits()
        self.dut.ip("link set Ethernet0 mtu 1600")
        process.wait_for(lambda: self.redis.db.hash("PORT_TABLE|Ethernet0")["mtu"] == "1600", 10, "the row is written")
        self.allow("+hmget")
        self.wait_healthy()

    def test_a_server_that_only_refuses_is_named(self) -> None:
        self.redis.config("replica-serve-stale-data", "no")
        self.redis.db.call("REPLICAOF", "127.0.0.1", 1)
        self.wait_said("MASTERDOWN Link with MASTER is down")
        self.redis.db.call("REPLICAOF", "NO", "ONE")
        self.wait_equal()
        self.wait_healthy()


class LateWrites(Refusals):
    # A probe each second, and no audit in between.
    config = {"sync": {"audit_interval_secs": 3600}, "health": {"max_stall_seconds": 2},
              "database": {"connection_timeout_secs": 1}}

    def test_late_writes_that_cannot_be_prevented_are_named(self) -> None:
        self.allow("-client|kill")
        audits = self.daemon.statistics()["audits"]
        self.redis.stop_process()
        self.dut.ip("link set Ethernet0 mtu 1600")
        process.wait_for(lambda: self.daemon.statistics()["redis_timeouts"] >= 1, 20, "the connection is given up")
        self.redis.continue_process()
        self.wait_equal()
        self.wait_said("late writes", "CLIENT KILL: NOPERM ", "has no permissions")
        process.wait_for(lambda: self.daemon.statistics()["audits"] > audits, 10, "the rows are compared once more", 0.1)
        self.allow("+client|kill")
        self.wait_healthy()  # the kill is tried again each second


class FromTheStart(Case):
    autostart = False

    def test_hmget_renamed(self) -> None:
        self.redis.db.call("SAVE")
        self.redis.kill()
        self.redis.start("--rename-command", "HMGET", "hidden")
        daemon = self.start({"sync": {"audit_interval_secs": 1}}, ready=False)
        # The row that SCAN finds first is named. Which one that is, Redis decides anew at each start.
        daemon.wait_status("rows cannot be read, PORT_TABLE|")
        self.assertRegex(daemon.status(), r"^Degraded: .*PORT_TABLE\|(Ethernet|PortChannel)[^ ]*: ERR unknown command")
        daemon.wait_for_log("rows cannot be read, PORT_TABLE|")
        self.wait_equal()

    def test_a_database_that_is_not_there(self) -> None:
        daemon = self.start({"database": {"state_db_number": 99}}, ready=False)
        daemon.wait_status("SELECT 99: ERR DB index is out of range")
        daemon.wait_for_log("SELECT 99: ERR DB index is out of range")
        self.stop_without_rows()

    def test_a_server_that_wants_tls(self) -> None:
        key, certificate = self.directory / "key.pem", self.directory / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=redis", "-keyout", key,
                        "-out", certificate, "-days", "1"], check=True, capture_output=True)
        self.redis.db.call("SAVE")
        self.redis.kill()
        self.redis.start("--tls-port", "6390", "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
                         "--tls-ca-cert-file", str(certificate))
        daemon = self.start({"database": {"redis_socket": "", "redis_host": "127.0.0.1", "redis_port": 6390}},
                            ready=False)
        daemon.wait_status("the server may want TLS")
        daemon.wait_for_log("the server may want TLS")
        self.stop_without_rows()

    def stop_without_rows(self) -> None:
        """There are no rows to compare at the end."""
        self.assertEqual(self.daemon.terminate(), 0)
        self.start()


class IdleTimeout(Case):
    """Redis closes connections that are idle for 3 s."""

    def test_a_server_that_closes_idle_connections_is_reopened_without_a_word(self) -> None:
        process.wait_for(lambda: self.daemon.status() == "Healthy", 10, "Healthy")
        self.redis.config("timeout", "3")
        log, statuses = len(self.daemon.log()), len(self.daemon.statuses())
        opens = self.daemon.statistics()["redis_opens"]
        ends = time.monotonic() + 20
        process.wait_for(lambda: time.monotonic() > ends, 21, "20 quiet seconds", 0.5)
        said = [line for line in self.daemon.log()[log:].splitlines() if " debug " not in line and "statistics" not in line]
        self.assertEqual(said, [])
        self.assertEqual(self.daemon.statuses()[statuses:], [])
        reopened = self.daemon.statistics()["redis_opens"] - opens
        self.assertGreaterEqual(reopened, 1, "Redis did close it")
        self.assertLessEqual(reopened, 2, "then it is asked for a sign of life in time")
        self.redis.reconnect()  # the test's own connection was idle, too
        self.redis.config("timeout", "0")
        self.dut.ip("link set Ethernet0 mtu 1600")
        self.wait_equal()
