# SPDX-License-Identifier: Apache-2.0
"""portsyncd sends no command to Redis that is newer than 6.0, the version that SONiC has."""

import re

from support import process, resp
from support.case import Case
from support.proxy import Proxy
from support.redis_server import CONFIG_DB

# Each command with its options that portsyncd may send, as a regular expression, and the Redis version that introduced
# the newest part of it.
KNOWN = {
    r"AUTH \S+ \S+": "6.0",                  # with redis_username
    r"SELECT \d+": "1.0",
    r"CLIENT SETNAME \S+": "2.6.9",
    r"CLIENT ID": "5.0",
    r"CLIENT LIST": "2.4",
    r"EXISTS \S+": "1.0",
    r"GET \S+": "1.0",
    r"PSUBSCRIBE \S+": "2.0",
    r"CLIENT KILL ID \d+": "2.8.12",
    r"INFO server": "1.0",
    r"SCAN \d+ MATCH \S+ COUNT \d+": "2.8",
    r"HGETALL \S+": "2.0",
    r"HMGET \S+( \S+)+": "2.0",
    r"MULTI": "1.2",
    r"EXEC": "1.2",
    r"HSET \S+( \S+ \S+)+": "4.0",          # with several fields
    r"HDEL \S+( \S+)+": "2.4",              # with several fields
}
RARE = {
    r"PING": "1.0",                          # after 10 s of silence
    r"DISCARD": "2.0",                       # after a refused EXEC, which may have left the MULTI open
    r"DEL \S+": "1.0",                       # EraseMode::whole_key
    r"AUTH \S+": "1.0",
}


class Commands(Case):
    config = {"ports": {"scope": "configured"}, "sync": {"audit_interval_secs": 1},
              "database": {"connection_timeout_secs": 1, "redis_username": "switch"}}
    autostart = False
    ports = 4

    def test_nothing_is_newer_than_redis_6_0(self) -> None:
        with self.redis.connect(CONFIG_DB) as config_db:
            config_db.call("SET", "CONFIG_DB_INITIALIZED", "1")
            for number in range(self.ports):
                config_db.call("HSET", f"PORT|{self.port(number)}", "lanes", "0")
        self.redis.db.call("ACL", "SETUSER", "switch", "on", ">secret", "~PORT*", "~CONFIG_DB_INITIALIZED",
                           "&__keyspace@4__:PORT|*", "+@all")
        password = self.directory / "password"
        password.write_text("secret\n")
        proxy = Proxy(self.directory / "proxy.sock", self.redis.socket)
        self.addCleanup(proxy.close)
        self.start({"database": {"redis_socket": proxy.path, "redis_password_file": str(password)}})
        self.wait_equal()
        self.dut.ip("link set Ethernet0 mtu 1600", "link del Ethernet4")
        self.wait_equal()
        for pair in list(proxy.pairs):
            pair.holding = True
        accepted = proxy.accepted
        self.dut.ip("link set Ethernet0 mtu 1700")
        process.wait_for(lambda: proxy.accepted > accepted, 15, "a connection is given up; the next one kills it")
        self.wait_equal()
        sent = {" ".join(words) for pair in proxy.pairs for words in resp.decode(bytes(pair.sent))}
        known = {pattern: [text for text in sent if re.fullmatch(pattern, text)] for pattern in {**KNOWN, **RARE}}
        self.assertEqual(sent.difference(*known.values()), set(), "sent, but not in the list")
        self.assertEqual([pattern for pattern in KNOWN if not known[pattern]], [], "in the list, but not sent")
