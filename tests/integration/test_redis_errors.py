# SPDX-License-Identifier: Apache-2.0
"""Every error that Redis replies with: Redis counts it, portsyncd survives it, and the rows are right afterwards."""

import shutil

from support import process, resp
from support.case import Case


class Errors(Case):
    def change_links(self) -> None:
        """Changes one row, removes one and adds one."""
        self.dut.ip("link set Ethernet0 mtu 1600", "link set Ethernet4 down", "link del Ethernet8")
        self.add_ports(1, first=50)

    def wait_refused(self, name: str) -> None:
        process.wait_for(lambda: self.redis.error_count(name) > 0, 15, f"Redis answers {name}")
        self.assertTrue(self.daemon.statistics(), "the loop turns meanwhile")

    def refuse(self, setting: str, value: object, name: str, normal: object) -> None:
        """Changes links while a CONFIG setting makes Redis reply with this error."""
        self.redis.config(setting, value)
        self.change_links()
        self.wait_refused(name)
        self.redis.config(setting, normal)
        self.wait_equal()

    def test_oom(self) -> None:
        self.refuse("maxmemory", 1, "OOM", 0)
        self.assertGreaterEqual(self.daemon.statistics()["failures"], 1)

    def test_noreplicas(self) -> None:
        self.refuse("min-replicas-to-write", 1, "NOREPLICAS", 0)

    def test_readonly(self) -> None:
        self.redis.db.call("REPLICAOF", "127.0.0.1", 1)
        self.change_links()
        self.wait_refused("READONLY")
        self.redis.db.call("REPLICAOF", "NO", "ONE")
        self.wait_equal()

    def test_misconf(self) -> None:
        self.redis.config("save", "3600 1000000")
        shutil.rmtree(self.redis.directory)  # the snapshot would be written there
        self.redis.db.call("BGSAVE")
        process.wait_for(lambda: self.redis.info("persistence")["rdb_last_bgsave_status"] == "err", 10, "BGSAVE fails")
        self.change_links()
        self.wait_refused("MISCONF")
        self.redis.config("stop-writes-on-bgsave-error", "no")
        self.wait_equal()

    def test_noperm(self) -> None:
        self.redis.db.call("ACL", "SETUSER", "default", "-hset", "-hdel", "-del", "-unlink")
        self.change_links()
        self.wait_refused("NOPERM")
        self.redis.db.call("ACL", "SETUSER", "default", "+@all")
        self.wait_equal()

    def test_noperm_for_one_key(self) -> None:
        self.redis.db.call("ACL", "SETUSER", "default", "resetkeys", "~PORT_TABLE|Ethernet1*", "~PORT_TABLE")
        self.change_links()
        self.wait_refused("NOPERM")
        self.redis.db.call("ACL", "SETUSER", "default", "allkeys")
        self.wait_equal()

    def test_noauth(self) -> None:
        self.redis.config("requirepass", "a password that portsyncd does not have")
        self.redis.kill_clients()
        self.change_links()
        self.wait_refused("NOAUTH")
        self.redis.config("requirepass", "")
        self.wait_equal()

    def test_busy(self) -> None:
        with self.redis.connect() as script:
            script.send("EVAL", "while true do end", 0)
            self.change_links()
            busy = self.redis.connect()
            process.wait_for(lambda: self._is_busy(busy), 10, "Redis is busy")
            # Redis now executes nothing but SCRIPT KILL, so the refusals are counted afterwards.
            process.wait_for(lambda: self.daemon.statistics()["failures"] > 0 or "BUSY" in self.daemon.log(), 15,
                             "portsyncd was answered BUSY", 0.05)
            busy.call("SCRIPT", "KILL")
            process.wait_for(lambda: not self._is_busy(busy), 10, "the script has ended")
            busy.close()
        self.redis.reconnect()
        self.wait_equal()
        self.wait_refused("BUSY")

    @staticmethod
    def _is_busy(client: resp.Client) -> bool:
        try:
            client.call("PING")
            return False
        except resp.RedisError as e:
            return str(e).startswith("BUSY")

    def test_loading(self) -> None:
        with self.redis.connect(9) as other:
            other.call("DEBUG", "POPULATE", 30_000)
        self.redis.db.call("SAVE")
        self.redis.kill()
        self.change_links()
        self.redis.start("--key-load-delay", "50", "--loading-process-events-interval-bytes", "1024", wait=False)
        self.wait_refused("LOADING")
        process.wait_for(lambda: self.redis.info("persistence")["loading"] == "0", 60, "the dataset is loaded", 0.05)
        self.wait_equal()

    def test_wrongtype_of_one_row_does_not_hurt_the_others(self) -> None:
        self.foreign[(6, "PORT_TABLE|Ethernet0")] = "not a hash"
        self.redis.db.call("SET", "PORT_TABLE|Ethernet0", "not a hash")
        self.dut.ip("link set Ethernet0 mtu 1600", "link set Ethernet4 mtu 1600", "link del Ethernet8")
        self.wait_refused("WRONGTYPE")
        process.wait_for(lambda: all("Ethernet0 " in line for line in self.differences()), 10,
                         "all other rows are right")
        self.assertEqual(self.redis.db.call("GET", "PORT_TABLE|Ethernet0"), "not a hash")
        self.redis.db.call("DEL", "PORT_TABLE|Ethernet0")
        del self.foreign[(6, "PORT_TABLE|Ethernet0")]
        self.wait_equal()

    def test_wrongtype_of_the_index_does_not_hurt_the_rows(self) -> None:
        self.redis.db.call("SET", "PORT_TABLE", "not a hash")
        self.change_links()
        self.wait_refused("WRONGTYPE")
        def rows_are_right() -> bool:
            links = self.kernel_ports()
            return all(self.row_of(link).items() <= self.redis.db.hash(f"PORT_TABLE|{name}").items()
                       for name, link in links.items())
        process.wait_for(rows_are_right, 10, "the rows are right")
        self.redis.db.call("DEL", "PORT_TABLE")
        self.wait_equal(15)

    config = {"sync": {"audit_interval_secs": 2}}

    def test_max_clients(self) -> None:
        self.redis.config("maxclients", 1)
        rejected = int(self.redis.info("stats")["rejected_connections"])
        self.redis.kill_clients()
        self.change_links()
        process.wait_for(lambda: int(self.redis.info("stats")["rejected_connections"]) > rejected, 15,
                         "Redis turns portsyncd away")
        self.redis.config("maxclients", 100)
        self.wait_equal()


class Password(Case):
    autostart = False
    SECRET = "correct-horse-battery"

    def start_with(self, secret: str, ready: bool = True) -> None:
        path = self.directory / "password"
        path.write_text(secret + "\n")
        self.redis.db.call("ACL", "SETUSER", "switch", "on", ">" + self.SECRET, "~PORT_TABLE*", "+@all")
        self.start({"database": {"redis_username": "switch", "redis_password_file": str(path)}}, ready=ready)

    def test_right_password(self) -> None:
        self.start_with(self.SECRET)
        self.wait_equal()
        self.assertNotIn(self.SECRET, self.daemon.log())

    def test_wrong_password_is_never_shown(self) -> None:
        self.start_with("wrong-" + self.SECRET, ready=False)
        self.wait_refused_password()
        self.assertNotIn(self.SECRET, self.daemon.log() + " ".join(self.daemon.statuses()))
        self.redis.db.call("ACL", "SETUSER", "switch", ">wrong-" + self.SECRET)
        self.daemon.wait_ready()

    def wait_refused_password(self) -> None:
        process.wait_for(lambda: self.redis.error_count("WRONGPASS") > 0, 10, "Redis answers WRONGPASS")
        self.assertTrue(self.daemon.statistics())
