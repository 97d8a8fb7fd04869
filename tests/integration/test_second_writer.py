# SPDX-License-Identifier: Apache-2.0
"""Two programs that write the same rows would overwrite each other's: portsyncd reports the other one."""

from support.case import Case
from support.daemon import Config
from support.redis_server import STATE_DB


class SecondWriter(Case):
    autostart = False
    config: Config = {"health": {"max_stall_seconds": 60}}

    def test_another_portsyncd_is_named_and_forgotten(self) -> None:
        other = self.redis.connect()
        other.call("CLIENT", "SETNAME", "portsyncd-mirror-1-0a0b0c0d")
        self.start()
        self.daemon.wait_status("Degraded: a second writer of the same rows: "
                                "the Redis client portsyncd-mirror-1-0a0b0c0d")
        self.daemon.wait_for_log("warning There is a second writer of the same rows")
        other.close()
        self.daemon.reload()
        self.daemon.wait_status("Healthy")
        self.daemon.wait_for_log("No other portsyncd writes the same rows any more")

    def test_sonics_own_is_recognized_by_what_it_leaves_in_state_db(self) -> None:
        state_db = self.redis.connect(STATE_DB)
        state_db.call("HSET", "WARM_RESTART_TABLE|portsyncd", "restore_count", "0")
        self.start()
        self.daemon.wait_status("Degraded: a second writer of the same rows: "
                                "SONiC's own portsyncd (WARM_RESTART_TABLE|portsyncd of STATE_DB is there)")
        state_db.call("DEL", "WARM_RESTART_TABLE|portsyncd")
        self.daemon.reload()
        self.daemon.wait_status("Healthy")

    def test_a_refused_query_is_logged_and_the_others_are_made(self) -> None:
        other = self.redis.connect()
        other.call("CLIENT", "SETNAME", "portsyncd-mirror-1-0a0b0c0d")
        self.redis.db.call("ACL", "SETUSER", "default", "-exists")
        self.start()
        self.daemon.wait_status("Degraded: a second writer of the same rows: "
                                "the Redis client portsyncd-mirror-1-0a0b0c0d")
        refusal = "warning Cannot look for every program that could write the same rows: "
        self.daemon.wait_for_log(refusal)
        self.daemon.reload()
        self.redis.db.call("ACL", "SETUSER", "default", "+exists")
        other.close()
        self.daemon.reload()
        self.daemon.wait_status("Healthy")
        self.assertEqual(self.daemon.log().count(refusal), 1)

    def test_alone_it_is_healthy(self) -> None:
        self.start()
        self.daemon.wait_status("Healthy")
        self.daemon.notifications.clear()
        for _ in range(3):
            self.daemon.reload()
        self.daemon.wait_status("Healthy")
        self.assertNotIn("second writer", self.daemon.log())
