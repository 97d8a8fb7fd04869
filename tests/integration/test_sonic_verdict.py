# SPDX-License-Identifier: Apache-2.0
"""sync.mode = "sonic": the verdict is true, and neighbours may rely on PortInitDone and the rows."""

from support import process
from support.sonic import SonicCase, port


class Refused(SonicCase):
    def test_port_init_done_waits_for_a_row_that_is_refused(self) -> None:
        switch = self.switch
        switch.watch.close()  # its replica contains only hashes
        switch.watch = None
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        orchagent.wait_popped("PortConfigDone")
        switch.daemon.wait_for_log("Synchronized")
        switch.state_db.call("SET", f"PORT_TABLE|{port(1)}", "not a hash")
        switch.plug()
        switch.wait_row(port(2))
        switch.daemon.wait_for_log(f"refuses {port(1)}")
        self.assertEqual(switch.loaded("PortInitDone"), {})
        switch.state_db.call("DEL", f"PORT_TABLE|{port(1)}")
        orchagent.wait_popped("PortInitDone", 20)


class RedisRestarted(SonicCase):
    DEAF = "Redis was restarted; SONiC's other daemons do not reconnect: restart swss"

    def restart(self, **options: object) -> None:
        self.come_up(**options)
        self.switch.daemon.wait_for_log("Health Healthy")
        for thread in self.switch.threads:
            thread.stop()  # deaf, as swss-common's consumers are
        self.switch.restart_redis(keep=True)

    def test_with_its_data_it_is_degraded_until_swss_has_restarted(self) -> None:
        self.restart()
        switch = self.switch
        switch.daemon.wait_for_log(f"error {self.DEAF}", 20)
        switch.daemon.wait_for_log(f"Health Degraded: {self.DEAF}", 20)
        switch.dut.ip("link set Ethernet0 mtu 2000")
        switch.wait_equal(20)
        self.assertTrue(switch.daemon.alive())
        before = switch.daemon.log().count("Health Healthy")
        switch.orchagent(hardware=False)
        process.wait_for(lambda: switch.daemon.log().count("Health Healthy") > before, 20, "a new orchagent ends it")

    def test_end_is_75_once_the_rows_are_right(self) -> None:
        self.come_up(config={"sonic": {"redis_restart": "end"}})
        switch = self.switch
        for thread in switch.threads:
            thread.stop()
        switch.redis.connect().call("SAVE")
        switch.daemon.freeze()
        switch.dut.ip("link set Ethernet0 mtu 2000")  # portsyncd must store it before it ends
        switch.restart_redis(keep=True)
        switch.daemon.thaw()
        self.assertEqual(switch.daemon.wait(20), 75)
        self.assertEqual(switch.row(port(0))["mtu"], "2000")
        self.assertIn(self.DEAF.partition(":")[0], switch.daemon.log())
        switch.daemon = None

    def test_a_lost_connection_to_the_same_server_is_neither(self) -> None:
        self.come_up(config={"sonic": {"redis_restart": "end"}})
        switch = self.switch
        switch.redis.kill_clients()
        switch.dut.ip("link set Ethernet0 mtu 2000")
        switch.wait_equal(20)
        switch.daemon.wait_for_log("Health Healthy", 20)
        self.assertNotIn("Redis was restarted", switch.daemon.log())
        self.assertTrue(switch.daemon.alive())


class Leftovers(SonicCase):
    def test_rows_of_leftovers_do_not_stay_up(self) -> None:
        """swss was stopped, and its netdevs and its STATE_DB remain."""
        switch = self.switch
        switch.plug()
        for number in range(self.ports):
            switch.state_db.call("HSET", f"PORT_TABLE|{port(number)}", "state", "ok", "netdev_oper_status", "up",
                                 "admin_status", "up", "mtu", "1500")
        links = switch.dut.links()
        switch.ignored = {links[port(number)].ifindex for number in range(self.ports)}
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        orchagent.wait_popped("PortConfigDone")
        switch.wait_equal()
        self.assertNotIn("No netdev matches", switch.daemon.log())
        switch.daemon.wait_for_log(f"{self.ports} leftovers of an earlier swss")


class ManagementPort(SonicCase):
    def state(self) -> dict[str, str]:
        return self.switch.state_db.hash("MGMT_PORT_TABLE|eth0")

    def test_oper_status_of_eth0_is_written_when_it_is_asked_for(self) -> None:
        switch = self.switch
        switch.watch.management = True
        switch.dut.ip("link add eth0 type veth peer name e0")
        self.come_up(config={"sonic": {"mgmt_port": True}})
        process.wait_for(lambda: self.state() == {"oper_status": "down"}, 10, "it is down")
        switch.dut.ip("link set e0 up", "link set eth0 up")
        process.wait_for(lambda: self.state() == {"oper_status": "up"}, 10, "it is up")
        switch.watch.clear()
        switch.dut.ip("link set eth0 mtu 1400")  # no field of the row changes
        switch.dut.ip("link set e0 down")
        process.wait_for(lambda: self.state() == {"oper_status": "down"}, 10, "it is down again")
        writes = [words for words in switch.watch.writes(6) if words[1].startswith("MGMT_PORT_TABLE")]
        self.assertEqual(writes, [("hset", "MGMT_PORT_TABLE|eth0", "oper_status", "down")])

    def test_it_is_right_again_after_redis_came_back(self) -> None:
        switch = self.switch
        switch.watch.management = True
        switch.dut.ip("link add eth0 type veth peer name e0", "link set e0 up", "link set eth0 up")
        self.come_up(config={"sonic": {"mgmt_port": True}})
        process.wait_for(lambda: self.state() == {"oper_status": "up"}, 10, "it is up")
        switch.redis.connect().call("SAVE")
        switch.watch.close()
        switch.watch = None
        switch.forget_clients()
        switch.redis.kill()
        switch.dut.ip("link set e0 down")
        switch.redis.start()
        process.wait_for(lambda: self.state() == {"oper_status": "down"}, 20, "it is down")

    def test_by_default_it_is_not_written(self) -> None:
        self.switch.dut.ip("link add eth0 type veth peer name e0", "link set eth0 up")
        self.come_up()
        self.switch.dut.ip("link set e0 up", "link set Ethernet0 mtu 2000")
        self.switch.wait_equal()
        self.assertEqual(self.state(), {})
