# SPDX-License-Identifier: Apache-2.0
"""
sync.mode = "sonic": orchagent at any pace, Redis that ends and returns, portsyncd killed at any point, two portsyncds.
"""

import os
import threading
from pathlib import Path
from typing import Any, Callable

from support import process
from support.sonic import SonicCase, Switch, database_config, port, port_config
from support.step_proxy import StepProxy, Words

UNAVAILABLE, LOST_DATA = 69, 75


class Pace(SonicCase):
    """orchagent and syncd at any pace: the rows are right, and PortInitDone is set once, when it is true."""

    def race(self, **options: Any) -> None:
        """Runs several switches at once, because most of the time is waiting."""
        orchagents = [switch.orchagent(**options) for switch in self.switches]
        for switch in self.switches:
            switch.start()
        for orchagent, switch in zip(orchagents, self.switches):
            orchagent.wait_popped("PortInitDone", 30)
            switch.wait_equal()
            self.assertEqual(orchagent.names().count("PortInitDone"), 1)

    def test_pops_at_once_and_netdevs_come_at_once(self) -> None:
        self.race(at_once=True)

    def test_pops_after_5_ms(self) -> None:
        self.race(pop_after=0.005, create_after=0.005)

    def test_pops_after_100_ms(self) -> None:
        self.race(pop_after=0.1)

    def test_netdevs_come_100_ms_after_config_done(self) -> None:
        self.race(create_after=0.1)

    def test_netdevs_before_config_done_is_popped(self) -> None:
        """The netdevs are made before orchagent has popped anything; it pops late, one by one."""
        switch = self.switch
        switch.start()
        switch.wait_loaded("PortConfigDone")
        switch.plug()
        switch.orchagent(hardware=False, pop_after=0.1).wait_popped("PortInitDone")

    def test_netdevs_come_and_go_during_the_start(self) -> None:
        switch = self.switch
        stop = threading.Event()

        def churn() -> None:
            while not stop.is_set():
                switch.create("Ethernet0")
                switch.delete("Ethernet0")
        thread = threading.Thread(target=churn)
        thread.start()
        try:
            orchagent = switch.orchagent(hardware=False)
            switch.start()
            orchagent.wait_popped("PortConfigDone")
            switch.plug(2, first=1)
            switch.wait_row(port(2))
        finally:
            stop.set()
            thread.join()
        switch.create("Ethernet0")
        orchagent.wait_popped("PortInitDone")

    def test_no_consumer_pops(self) -> None:
        switch = self.switch
        switch.start()
        switch.wait_loaded("PortConfigDone")
        switch.plug()
        switch.create("Ethernet400")
        switch.appl_db.call("HSET", "PORT_TABLE:Ethernet400", "lanes", "1")
        switch.wait_row("Ethernet400")  # its loop turns, and it follows APPL_DB
        self.assertEqual(switch.loaded("PortInitDone"), {})
        self.assertEqual(switch.appl_db.scan("PORT_TABLE:Ethernet[048]"), [])


def stages(name: str) -> Callable[[Words], bool]:
    """Returns whether a command stages the row. Commands that look for the row do not count."""
    return lambda words: words[0].upper() == "EVAL" and f"_PORT_TABLE:{name}" in words


# The steps of a start. A step ends when the command comes that the function recognizes.
STEPS: dict[str, Callable[[Words], bool]] = {
    "before CONFIG_DB is read": lambda words: "CONFIG_DB_INITIALIZED" in words,
    "before a port is loaded": stages("Ethernet0"),
    "before PortConfigDone": stages("PortConfigDone"),
    "before the first row": lambda words: words[0].upper() == "HSET" and words[1].startswith("PORT_TABLE|"),
    "before PortInitDone": stages("PortInitDone"),
}


class Stepped(SonicCase):
    watched = False

    def proxied(self, stop_before: Callable[[int, Words], bool], **options: Any) -> tuple[Switch, StepProxy]:
        """Returns a switch whose portsyncd reaches Redis through a proxy. orchagent and its hardware run."""
        switch = self.make_switch(**options)
        proxy = StepProxy(switch.directory / "proxy", switch.redis.socket)
        self.addCleanup(proxy.close)
        proxy.stop_before = stop_before
        servers = {"APPL_DB": switch.redis, "CONFIG_DB": switch.redis, "STATE_DB": switch.redis}
        switch.config_file.write_text(database_config(servers, dict.fromkeys(servers, proxy.path)))
        switch.orchagent()
        switch.start()
        return switch, proxy

    def finished(self, switch: Switch) -> None:
        """Waits until the start is complete, and checks its result."""
        try:
            process.wait_for(lambda: switch.published("PortInitDone"), 20, "PortInitDone is popped")
        except process.TimedOut as e:
            waiting = switch.appl_db.call("SMEMBERS", "PORT_TABLE_KEY_SET")
            raise AssertionError(f"{e}; not popped: {waiting}; popped: {switch.threads[0].names()}") from None
        switch.wait_equal()
        self.assertEqual(switch.published("PortConfigDone"), {"count": str(switch.ports)})
        for number in range(switch.ports):
            self.assertLessEqual(port_config(number).items(), switch.published(port(number)).items())
        ports = [link for link in switch.dut.links().values() if link.name.startswith("Ethernet")]
        self.assertEqual({link.admin for link in ports}, {"up"}, "no port was set down")


def kind(words: Words) -> str:
    """Returns what identifies a kind of command, without what differs between clients."""
    if words[0].upper() == "EVAL":
        return "EVAL " + " ".join(word for word in words if word.startswith("_PORT_TABLE:"))
    return " ".join(words[:2])


class KilledAnywhere(Stepped):
    together = 4  # at once, because most of the time is waiting

    def test_killed_before_any_command_and_restarted(self) -> None:
        """
        portsyncd is killed before the first command, before the second kind of command, …: the next one continues from
        there.
        """
        self.remove(self.switch)
        first, proxy = self.proxied(lambda number, words: False, ports=2)
        self.finished(first)
        kinds = list(dict.fromkeys(map(kind, proxy.passed)))
        self.assertGreater(len(kinds), 10)
        self.end(first)
        for start in range(0, len(kinds), self.together):
            again = []
            for wanted in kinds[start:start + self.together]:
                switch, proxy = self.proxied(lambda _, words, wanted=wanted: kind(words) == wanted, ports=2)
                # Which commands come depends on timing; one of the last may be absent.
                process.wait_for(lambda p=proxy, s=switch: p.stopped() or s.published("PortInitDone"), 10, "it stops")
                switch.daemon.kill()
                proxy.go_on()
                switch.start()
                again.append((switch, proxy))
            for switch, proxy in again:
                with self.subTest(before=proxy.next, passed=len(proxy.passed)):
                    self.finished(switch)
                self.end(switch)

    def end(self, switch: Switch) -> None:
        self.assertEqual(switch.settle(), [])
        self.remove(switch)


class RedisRestarted(Stepped):
    def restarted(self, keep: bool) -> list[tuple[str, Switch]]:
        """Restarts Redis at each step of a start."""
        self.remove(self.switch)
        runs = [(name, *self.proxied(lambda number, words, wanted=wanted: wanted(words)))
                for name, wanted in STEPS.items()]
        for name, switch, proxy in runs:
            proxy.wait_stopped()
        for name, switch, proxy in runs:
            switch.restart_redis(keep)
            if not keep:
                switch.plant()
            proxy.go_on()
        return [(name, switch) for name, switch, _ in runs]

    def test_with_its_data_at_each_step(self) -> None:
        for name, switch in self.restarted(keep=True):
            with self.subTest(name):
                self.finished(switch)

    def test_without_its_data_at_each_step(self) -> None:
        """
        Once PortConfigDone was seen, swss as a whole has lost its data: exit. Before that, the start begins again.
        """
        for name, switch in self.restarted(keep=False):
            with self.subTest(name):
                if name in ("before the first row", "before PortInitDone"):
                    self.assertEqual(switch.daemon.wait(20), LOST_DATA)
                    self.remove(switch)
                else:
                    self.finished(switch)


class LostData(SonicCase):
    def lose(self, **options: Any) -> Switch:
        """Restarts Redis without its data while the switch is up."""
        switch = self.switch
        self.come_up(**options)
        for thread in switch.threads:
            thread.stop()
        switch.restart_redis(keep=False)
        return switch

    def test_exit_75(self) -> None:
        switch = self.lose()
        self.assertEqual(switch.daemon.wait(20), LOST_DATA)
        self.assertIn("PortConfigDone", switch.daemon.log())
        switch.daemon = None
        self.assertEqual(switch.clean_up_after_loss(), [])

    def test_on_a_host_it_is_unhealthy_and_does_not_exit(self) -> None:
        switch = self.lose(host=True)
        switch.daemon.wait_status("Unhealthy", 20)
        self.assertTrue(switch.daemon.alive())
        self.assertRegex(switch.daemon.status(), "swss", "it names what the operator must restart")
        switch.daemon.terminate()
        switch.daemon = None
        self.assertEqual(switch.clean_up_after_loss(), [])

    def test_kept_data_is_no_loss(self) -> None:
        self.come_up()
        switch = self.switch
        switch.restart_redis(keep=True)
        switch.dut.ip("link set Ethernet0 mtu 2000")
        switch.wait_equal(20)
        self.assertTrue(switch.daemon.alive())

    def test_another_server_with_config_done_staged_is_no_loss(self) -> None:
        switch = self.switch
        switch.start()
        switch.wait_loaded("PortConfigDone")  # orchagent pops nothing
        switch.restart_redis(keep=True)
        switch.orchagent().wait_popped("PortInitDone", 20)

    def test_flushed_without_a_restart_is_no_exit(self) -> None:
        """The run_id is the same, so a program deleted it and Redis did not crash. The rows stay right."""
        self.come_up()
        switch = self.switch
        switch.appl_db.call("DEL", "PORT_TABLE:PortConfigDone")
        switch.redis.kill_clients()
        switch.dut.ip("link set Ethernet0 mtu 2000")
        switch.wait_equal(20)
        self.assertTrue(switch.daemon.alive())
        switch.daemon.wait_for_log("error Health Unhealthy: PortConfigDone is gone from APPL_DB: swss was started anew", 20)

    def test_emptied_by_a_start_of_swss_on_a_host_it_begins_again(self) -> None:
        """On a host no supervisor restarts portsyncd, and the new orchagent waits for the ports."""
        self.come_up(host=True)
        switch = self.switch
        pid = switch.daemon.pid
        switch.daemon.wait_status("Healthy")
        switch.watch.commands()
        switch.appl_db.call("FLUSHDB")
        switch.watch.init_done = False  # it is set again
        switch.redis.kill_clients()
        switch.daemon.wait_for_log("PortConfigDone is gone from APPL_DB: swss was started anew; beginning again")
        process.wait_for(lambda: switch.appl_db.call("EXISTS", "PORT_TABLE:PortInitDone"), 20, "orchagent has its ports")
        self.assertEqual(switch.loaded("PortConfigDone"), {"count": str(switch.ports)})
        switch.wait_equal(20)
        switch.daemon.wait_status("Healthy", 20)
        self.assertEqual(switch.daemon.pid, pid)
        self.assertNotIn("crash", switch.daemon.log())

    def test_scripts_are_lost(self) -> None:
        """NOSCRIPT: the scripts that were loaded are gone."""
        switch = self.switch
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        orchagent.wait_popped("PortConfigDone")
        switch.appl_db.call("SCRIPT", "FLUSH")
        switch.plug()
        orchagent.wait_popped("PortInitDone")

    def test_connections_are_cut_during_the_start(self) -> None:
        switch = self.switch
        switch.watch = None
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        for _ in range(3):
            switch.redis.kill_clients()
        orchagent.wait_popped("PortConfigDone", 20)
        switch.redis.kill_clients()
        switch.plug()
        switch.redis.kill_clients()
        orchagent.wait_popped("PortInitDone", 20)

    def test_a_name_that_came_while_redis_was_away_is_seen(self) -> None:
        """The gate's subscription was lost with the connection, so the names that came meanwhile are read."""
        self.come_up()
        switch = self.switch
        switch.create("Ethernet400")
        switch.dut.ip("link set Ethernet0 mtu 2001")
        switch.wait_equal()
        switch.redis.connect().call("SAVE")
        switch.forget_clients()
        switch.watch.close()
        switch.watch = None
        switch.redis.kill()
        switch.redis.start()
        switch.appl_db.call("HSET", "PORT_TABLE:Ethernet400", "lanes", "1")
        switch.wait_row("Ethernet400", 20)

    def test_refused_writes_are_tried_again(self) -> None:
        switch = self.switch
        switch.config_db.call("CONFIG", "SET", "maxmemory", "1")
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        process.wait_for(lambda: int(switch.redis.error_count("OOM")) > 0, 10, "a write is refused")
        switch.config_db.call("CONFIG", "SET", "maxmemory", "0")
        orchagent.wait_popped("PortConfigDone", 20)
        switch.plug()
        orchagent.wait_popped("PortInitDone", 20)


class TwoOfThem(SonicCase):
    def test_the_second_one_refuses(self) -> None:
        self.come_up()
        switch = self.switch
        first = switch.daemon
        switch.watch.clear()
        second = switch.start()
        self.assertEqual(second.wait(), UNAVAILABLE)
        self.assertRegex(second.log(), "portsyncd.*(runs|running)|another|second")
        self.assertEqual(switch.watch.writes(), [])
        switch.daemon = first
        switch.dut.ip("link set Ethernet0 mtu 2000")
        switch.wait_equal()

    def test_the_first_one_was_killed(self) -> None:
        """Redis may list its connections for a moment after its end."""
        self.come_up()
        switch = self.switch
        for _ in range(3):
            switch.daemon.kill()
            switch.start()
            switch.dut.ip(f"link set Ethernet0 mtu {2000 + len(switch.daemons)}")
            switch.wait_equal()


class End(SonicCase):
    def test_sigterm_exits_0_with_all_kept(self) -> None:
        self.come_up()
        switch = self.switch
        switch.watch.clear()
        self.assertEqual(switch.daemon.terminate(), 0)
        self.assertEqual(switch.watch.writes(), [])
        switch.daemon = None

    def test_sigterm_before_init_done(self) -> None:
        switch = self.switch
        switch.start()
        switch.wait_loaded("PortConfigDone")
        self.assertEqual(switch.daemon.terminate(), 0)
        self.assertEqual(switch.loaded("PortInitDone"), {})
        switch.daemon = None


class ApplApart(SonicCase):
    """APPL_DB on a Redis of its own."""

    appl_apart = True

    def test_whole_start(self) -> None:
        self.come_up()
        self.assertEqual(self.switch.appl_redis.db.scan("*"), [], "nothing of STATE_DB is there")
        with self.switch.redis.connect(0) as client:
            self.assertEqual(client.scan("*"), [], "nothing of APPL_DB is here")

    def test_each_restarted_with_its_data(self) -> None:
        self.come_up()
        switch = self.switch
        for server in switch.servers():
            server.connect().call("SAVE")
            switch.forget_clients()
            server.kill()
            server.start()
            switch.create(f"Ethernet40{server.port % 10}")
            switch.appl_db.call("HSET", f"PORT_TABLE:Ethernet40{server.port % 10}", "lanes", "1")
            switch.dut.ip(f"link set Ethernet0 mtu {server.port}")
            switch.watch = None
            switch.wait_equal(20)

    def test_state_db_alone_lost_its_data(self) -> None:
        """PortConfigDone is still there, so the rows are written again."""
        self.come_up()
        switch = self.switch
        switch.watch.close()
        switch.watch = None
        switch.forget_clients()
        switch.redis.restart(keep=False)
        switch.others = {}
        switch.config_db.call("SET", "CONFIG_DB_INITIALIZED", "1")
        switch.wait_equal(20)
        self.assertTrue(switch.daemon.alive())

    def test_appl_db_alone_lost_its_data(self) -> None:
        self.come_up()
        switch = self.switch
        for thread in switch.threads:
            thread.stop()
        switch.forget_clients()
        switch.appl_redis.restart(keep=False)
        self.assertEqual(switch.daemon.wait(20), LOST_DATA)
        switch.daemon = None
        switch.appl_db.call("HSET", "PORT_TABLE:Ethernet0", "lanes", "1")
        for number in range(1, 3):
            switch.appl_db.call("HSET", f"PORT_TABLE:{port(number)}", "lanes", "1")

    def test_appl_db_is_late(self) -> None:
        switch = self.switch
        switch.forget_clients()
        switch.appl_redis.kill()
        switch.start()
        switch.appl_redis.start()
        orchagent = switch.orchagent()
        orchagent.wait_popped("PortInitDone", 20)


class TwoNamespaces(SonicCase):
    """Two ASICs on one host: a Redis and a portsyncd for each."""

    def test_each_keeps_to_its_own(self) -> None:
        second = self.make_switch(ports=2)
        for switch in self.switches:
            orchagent = switch.orchagent()
            switch.start()
            orchagent.wait_popped("PortInitDone")
        second.dut.ip("link set Ethernet0 mtu 2000")
        second.wait_equal()
        self.switch.wait_equal()

    def test_database_global_leads_to_the_namespace(self) -> None:
        """On the host, the default file is the global one, and database.namespace names the instance."""
        second = self.make_switch(ports=2)
        folder = self.directory / "sonic-db"
        folder.mkdir()
        self.write_global(folder, {"": self.switch, "asic1": second})
        second.orchagent().stop()
        orchagent = second.orchagent()
        second.start(environment={"PORTSYNCD_DATABASE_NAMESPACE": "asic1",
                                  "PORTSYNCD_DATABASE_SONIC_DB_CONFIG": str(folder / "database_config.json")})
        orchagent.wait_popped("PortInitDone")
        self.assertEqual(second.published("PortConfigDone"), {"count": "2"})
        self.assertEqual(self.switch.appl_db.scan("*"), [])

    def test_a_namespace_that_comes_late(self) -> None:
        second = self.make_switch(ports=2)
        folder = self.directory / "sonic-db"
        folder.mkdir()
        second.start(environment={"PORTSYNCD_DATABASE_NAMESPACE": "asic1",
                                  "PORTSYNCD_DATABASE_SONIC_DB_CONFIG": str(folder / "database_config.json")})
        self.write_global(folder, {"": self.switch, "asic0": self.switch})
        self.assertTrue(second.daemon.alive())
        self.write_global(folder, {"": self.switch, "asic0": self.switch, "asic1": second})
        second.wait_loaded("PortConfigDone")

    def test_a_network_namespace_that_is_made_anew(self) -> None:
        """The process stays in the old namespace, whose links no other program sees."""
        name = f"portsync-test-{os.getpid()}"
        path = Path("/run/netns") / name
        if not os.access("/run", os.W_OK):
            self.skipTest("/run/netns cannot be written")
        path.parent.mkdir(exist_ok=True)
        self.addCleanup(path.unlink, missing_ok=True)
        switch = self.switch
        path.symlink_to(switch.dut.path)
        folder = self.directory / "sonic-db"
        folder.mkdir()
        self.write_global(folder, {"": switch, name: switch})
        orchagent = switch.orchagent()
        switch.start(host=True, environment={"PORTSYNCD_DATABASE_NAMESPACE": name,
                                             "PORTSYNCD_DATABASE_SONIC_DB_CONFIG": str(folder / "database_config.json")})
        orchagent.wait_popped("PortInitDone")
        switch.daemon.wait_status("Healthy")
        for make_anew in (lambda: None, lambda: path.symlink_to(switch.far.path)):
            path.unlink(missing_ok=True)
            make_anew()
            switch.daemon.wait_status(f"Degraded: {path} is another network namespace")
        self.assertTrue(switch.daemon.alive())

    def write_global(self, folder: Path, switches: dict[str, Switch]) -> None:
        includes = []
        for name, switch in switches.items():
            path = folder / (f"../redis-{name}" if name else ".")
            path.mkdir(exist_ok=True)
            (path / "database_config.json").write_text(switch.config_file.read_text())
            includes.append(f'{{"include": "{"../redis-" + name + "/" if name else ""}database_config.json"' +
                            (f', "namespace": "{name}", "container_name": "database{name}"' if name else "") + "}")
        new = folder / "database_global.new"
        new.write_text(f'{{"INCLUDES": [{", ".join(includes)}], "VERSION": "1.0"}}')
        new.rename(folder / "database_global.json")
