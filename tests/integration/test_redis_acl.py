# SPDX-License-Identifier: Apache-2.0
"""The documents' ACL lines: with them Redis refuses nothing, and each permission in them is needed."""

import re
import shlex
from pathlib import Path

from support import process, resp
from support.case import Case
from support.redis_server import CONFIG_DB, Redis
from support.sonic import SonicCase, port

DOCUMENTS = Path(__file__).resolve().parents[2] / "portsyncd/doc"
PASSWORD = "the password"


def acl_line(document: str) -> list[str]:
    """Returns the words of ACL SETUSER in the document's one `redis-cli ACL SETUSER portsyncd …`."""
    text = (DOCUMENTS / document).read_text().replace("\\\n", " ")
    lines = re.findall(r"^redis-cli (ACL SETUSER portsyncd .*)$", text, re.MULTILINE)
    assert len(lines) == 1, f"{document} has {len(lines)} lines"
    return shlex.split(lines[0])


def refused(redis: Redis) -> list[str]:
    """Returns what the server has refused to user portsyncd: the commands, keys and channels of ACL LOG."""
    entries = [resp.pairs(entry) for entry in redis.db.call("ACL", "LOG", 100)]
    return [f"{entry['reason']} {entry['object']}" for entry in entries if entry["username"] == "portsyncd"]


class Mirror(Case):
    config = {"ports": {"scope": "configured"}, "sync": {"audit_interval_secs": 1},
              "health": {"max_stall_seconds": 2},  # a probe each second
              "database": {"connection_timeout_secs": 1, "redis_username": "portsyncd"}}
    autostart = False
    ports = 4

    def setUp(self) -> None:
        super().setUp()
        self.redis.config("notify-keyspace-events", "AKE")
        with self.redis.connect(CONFIG_DB) as config_db:
            config_db.call("SET", "CONFIG_DB_INITIALIZED", "1")
            for number in range(100):
                config_db.call("HSET", f"PORT|{self.port(number)}", "lanes", "0")
        self.line = acl_line("deployment.md")
        self.redis.db.call(*self.line)
        self.password = self.directory / "password"
        self.password.write_text(PASSWORD + "\n")
        self.next_port, self.mtu = self.ports, 2000

    def begin(self) -> None:
        self.start({"database": {"redis_password_file": str(self.password)}})
        self.wait_equal()

    def change_links(self) -> None:
        """Changes one row, removes one and adds one."""
        self.mtu += 1
        self.dut.ip(f"link set {self.port(0)} mtu {self.mtu}", f"link del {self.port(self.next_port - 1)}")
        self.add_ports(1, first=self.next_port)
        self.next_port += 1

    def reopen(self) -> None:
        opens = self.daemon.statistics()["redis_opens"]
        self.redis.db.call("CLIENT", "KILL", "USER", "portsyncd")
        process.wait_for(lambda: self.daemon.statistics()["redis_opens"] > opens, 10, "it is opened again", 0.05)

    def lose_connection(self) -> None:
        """Loses the connection while a write is outstanding, so that the next connection has to kill it."""
        timeouts = self.daemon.statistics()["redis_timeouts"]
        self.redis.stop_process()
        self.change_links()
        process.wait_for(lambda: self.daemon.statistics()["redis_timeouts"] > timeouts, 15, "it is given up", 0.05)
        self.redis.continue_process()

    def test_with_the_line_of_the_guide_nothing_is_refused(self) -> None:
        self.begin()
        self.change_links()
        self.wait_equal()
        self.lose_connection()
        self.wait_equal()
        with self.redis.connect(CONFIG_DB) as config_db:
            config_db.call("DEL", f"PORT|{self.port(1)}")
            process.wait_for(lambda: not self.redis.db.hash(f"PORT_TABLE|{self.port(1)}").get("state"), 10,
                             "the row of a port that is not configured goes")
            config_db.call("HSET", f"PORT|{self.port(1)}", "lanes", "0")
        self.wait_equal()
        audits = self.daemon.statistics()["audits"]
        process.wait_for(lambda: self.daemon.statistics()["audits"] > audits + 2, 15, "audits", 0.1)
        process.wait_for(lambda: "PING" in self.commands_seen(), 15, "a probe", 0.2)
        self.daemon.wait_status("Healthy")
        self.assertEqual(refused(self.redis), [])

    def commands_seen(self) -> set[str]:
        return {line.partition(":")[0].removeprefix("cmdstat_").upper()
                for line in self.redis.db.call("INFO", "commandstats").splitlines() if ":" in line}

    def test_each_permission_of_the_line_is_needed(self) -> None:
        self.begin()
        for permission in [word[1:] for word in self.line if word.startswith("+")]:
            with self.subTest(permission):
                self.redis.db.call("ACL", "SETUSER", "portsyncd", f"-{permission}")
                self.redis.db.call("ACL", "LOG", "RESET")
                if permission in ("client|list", "exists"):  # used at the start, to find a second writer
                    self.assertEqual(self.daemon.terminate(), 0)
                    self.begin()
                elif permission == "client|kill":
                    self.reopen()  # so that the connection's id is known again
                    self.lose_connection()
                else:
                    self.redis.db.call("CLIENT", "KILL", "USER", "portsyncd")
                    self.change_links()
                process.wait_for(lambda p=permission: f"command {p}" in refused(self.redis), 20,
                                 f"Redis refuses {permission}; it has refused {refused(self.redis)}", 0.1)
                self.redis.db.call("ACL", "SETUSER", "portsyncd", f"+{permission}")
                self.wait_equal()
        self.daemon.wait_status("Healthy", 30)


class Sonic(SonicCase):
    def test_with_the_line_of_the_sonic_document_nothing_is_refused(self) -> None:
        switch = self.switch
        switch.redis.db.call(*acl_line("swss.md"))
        password = self.directory / "password"
        password.write_text(PASSWORD + "\n")
        self.come_up(config={"database": {"redis_username": "portsyncd", "redis_password_file": str(password),
                                          "connection_timeout_secs": 1},
                             "health": {"max_stall_seconds": 2}, "sync": {"audit_interval_secs": 1}})
        switch.wait_restore_count("0")
        switch.delete(port(0))
        switch.wait_equal()
        switch.create(port(0))
        switch.wait_equal()
        timeouts = switch.daemon.statistics()["redis_timeouts"]
        switch.redis.stop_process()
        switch.delete(port(1))
        process.wait_for(lambda: switch.daemon.statistics()["redis_timeouts"] > timeouts, 15, "it is given up", 0.05)
        switch.redis.continue_process()
        switch.wait_equal()
        self.assertEqual(refused(switch.redis), [])
