# SPDX-License-Identifier: Apache-2.0
"""
sync.mode = "sonic", the starts: cold, warm, dpu, alone after a crash, with netdevs that exist; and what comes late.
"""

import json
import os

from support import process
from support.sonic import SonicCase, Switch, database_config, flat, port, port_config
from support.sonic_neighbours import produce


class ColdStart(SonicCase):
    def test_ports_then_config_done_by_the_producer_protocol(self) -> None:
        switch = self.switch
        switch.start()
        switch.wait_loaded("PortConfigDone")
        for number in range(self.ports):
            self.assertEqual(switch.staged(port(number)), port_config(number))
        self.assertEqual(switch.staged("PortConfigDone"), {"count": str(self.ports)})
        names = {port(number) for number in range(self.ports)} | {"PortConfigDone"}
        self.assertEqual(set(switch.appl_db.call("SMEMBERS", "PORT_TABLE_KEY_SET")), names)
        written = [words[1] for words in switch.watch.writes(0) if words[0] == "hset"]
        self.assertEqual(written[-1], "_PORT_TABLE:PortConfigDone", "it comes after all ports")
        # orchagent has popped nothing, so only the staged rows may exist.
        self.assertEqual(switch.appl_db.scan("PORT_TABLE:*"), [])
        switch.wait_restore_count("0")

    def test_whole_start_with_orchagent(self) -> None:
        orchagent = self.come_up()
        self.assertEqual(orchagent.out_of_order(), [])
        self.assertEqual(sorted(orchagent.names()),
                         [port(number) for number in range(self.ports)] + ["PortConfigDone", "PortInitDone"])
        self.assertEqual(self.switch.published("PortConfigDone"), {"count": str(self.ports)})
        self.assertEqual(self.switch.published("PortInitDone"), {"lanes": "0"})
        for number in range(self.ports):
            self.assertEqual(self.switch.published(port(number)),
                             {**port_config(number), "oper_status": "down", "flap_count": "0"})

    def test_set_publishes_only_what_was_not_published_yet(self) -> None:
        # Two keys are in the key set: orchagent was notified of them and has not read them yet.
        self.switch.appl_db.call("SADD", "PORT_TABLE_KEY_SET", port(0), port(1))
        self.switch.start()
        self.switch.wait_loaded("PortConfigDone")
        steps = [words for words in self.switch.watch.writes(0) if words[0] in ("sadd", "publish")]
        published = [i for i, words in enumerate(steps) if words[0] == "publish"]
        self.assertGreaterEqual(len(published), 1)
        self.assertLessEqual(len(published), self.ports - 2 + 1)
        self.assertEqual([words[0] for words in steps[-2:]], ["publish", "sadd"],
                         "PortConfigDone is published, and only then in the key set")

    def test_a_port_without_fields_of_its_own_is_counted(self) -> None:
        self.switch.config_db.call("HSET", f"PORT|{port(3)}", "NULL", "NULL")  # how SONiC writes an empty row
        self.switch.start()
        self.switch.wait_loaded("PortConfigDone")
        self.assertEqual(self.switch.staged("PortConfigDone"), {"count": "4"})

    def test_odd_values_arrive_as_they_are(self) -> None:
        odd = {"description": "to 'spine \"1\"' \\ $x\r\n*3\r\n", "tpid": "", "ünïcode": "…", "alias": "etp1;2"}
        self.switch.config_db.call("HSET", f"PORT|{port(0)}", *flat(odd))
        self.switch.watch.close()  # it reads MONITOR, and quoting is not its business
        self.switch.watch = None
        self.switch.start()
        self.switch.wait_loaded("PortConfigDone")
        self.assertEqual(self.switch.staged(port(0)), {**port_config(0), **odd})

    def test_ports_of_other_kinds_count_when_they_are_configured(self) -> None:
        inner = ["Ethernet-IB0", "Ethernet-Rec0", "Ethernet-BP0"]
        for number, name in enumerate(inner):
            self.switch.config_db.call("HSET", f"PORT|{name}", "lanes", str(100 + number), "role", "Inb")
        orchagent = self.come_up()
        self.assertEqual(self.switch.published("PortConfigDone"), {"count": str(self.ports + 3)})
        self.assertEqual(sorted(set(inner) & set(orchagent.names())), sorted(inner))
        for name in inner:
            self.assertEqual(self.switch.row(name)["state"], "ok")

    def test_logger_is_written_when_it_is_absent(self) -> None:
        self.switch.config_db.call("DEL", "LOGGER|portsyncd")
        self.switch.start()
        defaults = {"LOGLEVEL": "NOTICE", "LOGOUTPUT": "SYSLOG"}
        process.wait_for(lambda: self.switch.config_db.hash("LOGGER|portsyncd") == defaults, 10, "the defaults are written")

    def test_logger_is_left_alone_when_it_is_there(self) -> None:
        self.come_up()
        self.assertEqual(self.switch.watch.writes(4), [])


class NoPorts(SonicCase):
    ports = 0

    def test_no_configured_port_is_a_count_of_0(self) -> None:
        self.switch.start()
        self.switch.wait_init_done()
        self.assertEqual(self.switch.staged("PortConfigDone"), {"count": "0"})
        self.assertEqual(self.switch.staged("PortInitDone"), {"lanes": "0"})
        self.assertEqual(set(self.switch.appl_db.call("SMEMBERS", "PORT_TABLE_KEY_SET")), {"PortConfigDone", "PortInitDone"})


class InitDone(SonicCase):
    def held_back(self) -> None:
        self.assertEqual(self.switch.loaded("PortInitDone"), {})

    def test_not_before_the_last_netdev(self) -> None:
        switch = self.switch
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        orchagent.wait_popped("PortConfigDone")
        self.held_back()
        switch.plug(2)
        switch.wait_row(port(1))
        self.held_back()
        switch.plug(1, first=2)
        switch.wait_init_done()

    def test_the_rows_come_first(self) -> None:
        """As in the old daemon: a program that waits for PortInitDone then finds the rows of all ports."""
        self.come_up()
        self.switch.watch.commands()
        self.assertEqual(self.switch.watch.without_row, [])

    def test_not_before_the_last_port_is_in_appl_db(self) -> None:
        switch = self.switch
        switch.start()
        switch.wait_loaded("PortConfigDone")
        switch.plug()
        # orchagent gets all keys but one.
        switch.appl_db.call("SREM", "PORT_TABLE_KEY_SET", port(1))
        orchagent = switch.orchagent(hardware=False)
        orchagent.wait_popped("PortConfigDone")
        switch.wait_row(port(0))
        switch.wait_row(port(2))
        self.held_back()
        self.assertEqual(switch.row(port(1)), {})
        produce(switch.appl_db, port(1), port_config(1))
        switch.wait_init_done()

    def test_a_netdev_of_another_name_does_not_count(self) -> None:
        switch = self.switch
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        orchagent.wait_popped("PortConfigDone")
        switch.plug(2)
        switch.create("Ethernet400")
        switch.create("Ethernet8.10")
        switch.wait_row(port(1))
        self.held_back()
        switch.dut.ip("link set Ethernet400 name Ethernet8")  # Linux 6.2 and later: while it is up
        switch.wait_init_done()

    def test_a_port_that_was_seen_and_went_counts(self) -> None:
        """As in the old daemon: each port is waited for once."""
        switch = self.switch
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        orchagent.wait_popped("PortConfigDone")
        switch.plug(1)
        switch.wait_row(port(0))
        switch.delete(port(0))
        process.wait_for(lambda: not switch.row(port(0)), 10, "its row goes")
        switch.plug(2, first=1)
        switch.wait_row(port(2))
        switch.create(port(0))
        switch.wait_init_done()

    def test_once(self) -> None:
        orchagent = self.come_up()
        self.switch.delete(port(0))
        process.wait_for(lambda: not self.switch.row(port(0)), 10, "its row goes")
        self.switch.create(port(0))
        self.switch.wait_row(port(0))
        self.assertEqual(orchagent.names().count("PortInitDone"), 1)


class Late(SonicCase):
    def nothing_yet(self, switch: Switch, waits_for: str) -> None:
        """Waits until portsyncd has reported what it waits for. It has written nothing."""
        switch.daemon.wait_for_log(f"Waiting for {waits_for}")
        self.assertTrue(switch.daemon.alive())
        self.assertEqual(switch.appl_db.scan("*"), [])

    def test_config_db_is_read_once_it_is_initialized(self) -> None:
        other = self.make_switch()
        self.switch.config_db.call("DEL", "CONFIG_DB_INITIALIZED")
        other.config_db.call("SET", "CONFIG_DB_INITIALIZED", "0")
        for switch in self.switches:
            switch.start()
        for switch in self.switches:
            self.nothing_yet(switch, "CONFIG_DB_INITIALIZED")
        for switch in self.switches:
            switch.config_db.call("HSET", f"PORT|{port(3)}", "lanes", "12", "alias", "late")
            switch.config_db.call("SET", "CONFIG_DB_INITIALIZED", "1")
        for switch in self.switches:
            switch.wait_loaded("PortConfigDone")
            self.assertEqual(switch.staged("PortConfigDone"), {"count": "4"})

    def test_database_config_is_waited_for(self) -> None:
        text = self.switch.config_file.read_text()
        self.switch.config_file.unlink()
        self.switch.start()
        self.nothing_yet(self.switch, "the databases")
        self.switch.config_file.with_suffix(".new").write_text(text)
        os.rename(self.switch.config_file.with_suffix(".new"), self.switch.config_file)
        self.switch.wait_loaded("PortConfigDone")

    def test_database_config_is_replaced_while_it_is_wrong(self) -> None:
        """The image's own file names port 6379. It is replaced when the instances are known."""
        text = self.switch.config_file.read_text()
        wrong = text.replace(self.switch.redis.socket, str(self.directory / "nobody"))
        self.switch.config_file.write_text(wrong)
        self.switch.start()
        self.nothing_yet(self.switch, "CONFIG_DB")
        self.switch.config_file.with_suffix(".new").write_text(text)
        os.rename(self.switch.config_file.with_suffix(".new"), self.switch.config_file)
        self.switch.wait_loaded("PortConfigDone")

    def test_half_a_database_config_is_waited_out(self) -> None:
        text = self.switch.config_file.read_text()
        self.switch.config_file.write_text(text[:len(text) // 2])
        self.switch.start()
        self.nothing_yet(self.switch, "the databases")
        self.switch.config_file.write_text(text)
        self.switch.wait_loaded("PortConfigDone")

    def test_redis_is_late(self) -> None:
        self.switch.redis.connect().call("SAVE")
        self.switch.watch.close()
        self.switch.watch = None
        self.switch.forget_clients()
        self.switch.redis.kill()
        self.switch.start()
        self.switch.daemon.wait_for_log("Waiting for CONFIG_DB")
        self.switch.redis.start()
        self.switch.wait_loaded("PortConfigDone")

    def test_sigterm_while_it_waits(self) -> None:
        self.switch.config_db.call("DEL", "CONFIG_DB_INITIALIZED")
        other = self.make_switch()
        other.config_file.unlink()
        for switch in self.switches:
            switch.start()
        for switch, waits_for in ((self.switch, "CONFIG_DB_INITIALIZED"), (other, "the databases")):
            self.nothing_yet(switch, waits_for)
            self.assertEqual(switch.daemon.terminate(), 0)
            switch.daemon = None


class WarmStart(SonicCase):
    def warm(self, switch: Switch, table: str, count: str = "3") -> None:
        """As after a warm reboot: APPL_DB is complete, the netdevs exist, and the rows lack our fields."""
        switch.state_db.call("HSET", f"WARM_RESTART_ENABLE_TABLE|{table}", "enable", "true")
        if count:
            switch.state_db.call("HSET", "WARM_RESTART_TABLE|portsyncd", "restore_count", count)
        for number in range(self.ports):
            switch.appl_db.call("HSET", f"PORT_TABLE:{port(number)}", *flat(port_config(number)))
            switch.plant_row(port(number), {"supported_speeds": "100000", "host_tx_ready": "true"})
        switch.appl_db.call("HSET", "PORT_TABLE:PortConfigDone", "count", str(self.ports))
        switch.plug()

    def test_warm_start(self) -> None:
        for table in ("system", "swss"):
            switch = self.switch if table == "system" else self.make_switch()
            self.warm(switch, table)
            switch.start()
        for switch in self.switches:
            switch.wait_equal()  # our fields are there again, and those of others are kept
            switch.wait_init_done()
            switch.wait_restore_count("4")
            written = {words[1] for words in switch.watch.writes(0) if words[0] == "hset"}
            self.assertEqual(written, {"_PORT_TABLE:PortInitDone"}, "no port is written, nor PortConfigDone")
            self.assertEqual(set(link.admin for name, link in switch.dut.links().items() if "Ether" in name), {"up"})

    def test_init_done_is_sent_again(self) -> None:
        """PortInitDone existed before the reboot, but orchagent waits for it again."""
        self.warm(self.switch, "system")
        self.switch.appl_db.call("HSET", "PORT_TABLE:PortInitDone", "lanes", "0")
        self.switch.start()
        process.wait_for(lambda: self.switch.staged("PortInitDone"), 10, "PortInitDone is staged")

    def test_init_done_waits_for_the_netdevs(self) -> None:
        self.warm(self.switch, "system")
        self.switch.delete(port(1))
        self.switch.start()
        self.switch.wait_row(port(2))
        self.assertEqual(self.switch.loaded("PortInitDone"), {})
        self.switch.create(port(1))
        self.switch.wait_init_done()

    def test_warm_without_a_count_is_a_cold_start(self) -> None:
        switch = self.switch
        switch.state_db.call("HSET", "WARM_RESTART_ENABLE_TABLE|system", "enable", "true")
        switch.start()
        switch.wait_loaded("PortConfigDone")
        switch.wait_restore_count("0")

    def test_only_true_is_warm(self) -> None:
        switch = self.switch
        switch.state_db.call("HSET", "WARM_RESTART_ENABLE_TABLE|system", "enable", "false")
        switch.state_db.call("HSET", "WARM_RESTART_ENABLE_TABLE|swss", "enable", "")
        switch.state_db.call("HSET", "WARM_RESTART_TABLE|portsyncd", "restore_count", "7")
        switch.start()
        switch.wait_loaded("PortConfigDone")
        switch.wait_restore_count("0")

    def test_a_count_that_is_none(self) -> None:
        """Whatever the field contains, the daemon starts, and the field is a number afterwards."""
        self.warm(self.switch, "system", "garbage")
        self.switch.start()
        self.switch.wait_init_done()
        self.assertRegex(self.switch.state_db.hash("WARM_RESTART_TABLE|portsyncd")["restore_count"], "^[0-9]+$")


class ExistingNetdevs(SonicCase):
    def admin(self, switch: Switch) -> set[str]:
        return {link.admin for name, link in switch.dut.links().items() if name.startswith("Ethernet")}

    def test_leftovers_are_set_down_and_ignored_until_they_are_replaced(self) -> None:
        switch = self.switch
        switch.plug()
        switch.create("Ethernet0.10")  # intfmgrd's, so portsyncd must not set it down
        links = switch.dut.links()
        switch.ignored = {links[port(number)].ifindex for number in range(self.ports)}
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        orchagent.wait_popped("PortConfigDone")
        process.wait_for(lambda: {switch.dut.links()[port(number)].admin for number in range(self.ports)} == {"down"}, 10,
                         "they are set down")
        self.assertEqual(switch.dut.links()["Ethernet0.10"].admin, "up")
        # Whatever happens to the leftovers, they have no rows.
        switch.dut.ip("link set Ethernet0 up", "link set Ethernet4 mtu 2000", "link set Ethernet8 down")
        # One is deleted and made again. One is deleted after the new one has come under another name. One stays.
        switch.delete(port(0))
        switch.create(port(0))
        switch.wait_row(port(0))
        self.assertEqual((switch.row(port(1)), switch.row(port(2))), ({}, {}))
        switch.create("new1")
        switch.delete(port(1))
        switch.dut.ip("link set new1 name Ethernet4")
        switch.wait_row(port(1))
        self.assertEqual(switch.row(port(2)), {})
        self.assertEqual(switch.loaded("PortInitDone"), {}, "a leftover does not count as a port")
        switch.delete(port(2))
        switch.create(port(2))
        switch.wait_init_done()

    def test_the_index_of_a_leftover_may_come_again(self) -> None:
        switch = self.switch
        index = switch.create(port(0))
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        orchagent.wait_popped("PortConfigDone")
        switch.delete(port(0))
        switch.create(port(0), index=index)
        switch.wait_row(port(0))

    def test_netdevs_made_after_config_done_are_new(self) -> None:
        """
        The old daemon looked for leftovers after PortConfigDone, so it mistook the netdevs of a fast syncd for
        leftovers.
        """
        switch = self.switch
        switch.orchagent(at_once=True)
        switch.start()
        switch.wait_init_done()
        self.assertEqual(self.admin(switch), {"up"})

    def test_dpu_adopts(self) -> None:
        switch = self.switch
        switch.config_db.call("HSET", "DEVICE_METADATA|localhost", "switch_type", "dpu")
        switch.plug()
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        orchagent.wait_popped("PortInitDone")
        self.assertEqual(self.admin(switch), {"up"})
        self.assertEqual(switch.published("PortConfigDone"), {"count": str(self.ports)})

    def test_other_switch_types_do_not(self) -> None:
        switch = self.switch
        switch.config_db.call("HSET", "DEVICE_METADATA|localhost", "switch_type", "voq")
        switch.ignored = {switch.create(port(0))}
        switch.start()
        switch.wait_loaded("PortConfigDone")
        process.wait_for(lambda: self.admin(switch) == {"down"}, 10, "it is set down")

    def test_without_net_admin_they_are_adopted(self) -> None:
        switch = self.switch
        switch.plug()
        orchagent = switch.orchagent(hardware=False)
        daemon = switch.start(command=switch.without_net_admin())
        orchagent.wait_popped("PortInitDone")
        self.assertEqual(self.admin(switch), {"up"})
        daemon.wait_for_log("CAP_NET_ADMIN")

    def test_on_a_host_they_are_adopted(self) -> None:
        """With NOTIFY_SOCKET: a restart by systemd must not set a port down."""
        switch = self.switch
        switch.plug()
        orchagent = switch.orchagent(hardware=False)
        switch.start(host=True)
        orchagent.wait_popped("PortInitDone")
        self.assertEqual(self.admin(switch), {"up"})


class Alone(SonicCase):
    """portsyncd alone ended and was started again. It writes nothing that exists, and sets no port down."""

    def again(self, switch: Switch) -> None:
        switch.daemon.kill()
        switch.watch.clear()
        switch.start()

    def test_after_everything(self) -> None:
        self.come_up()
        switch = self.switch
        self.again(switch)
        switch.dut.ip("link set Ethernet0 mtu 2000")
        switch.wait_equal()
        writes = [words[:2] for words in switch.watch.writes()]
        self.assertEqual(writes, [("hset", "PORT_TABLE|Ethernet0")])

    def test_what_changed_meanwhile_is_made_up_for(self) -> None:
        self.come_up()
        switch = self.switch
        switch.daemon.kill()
        switch.dut.ip("link set Ethernet0 mtu 2000", "link set Ethernet4 down")
        switch.delete(port(2))
        switch.start()
        switch.wait_equal()
        self.assertEqual({link.admin for link in switch.dut.links().values() if link.name == port(0)}, {"up"})

    def test_after_config_done_was_staged(self) -> None:
        switch = self.switch
        switch.start()
        switch.wait_loaded("PortConfigDone")
        switch.plug()
        self.again(switch)
        orchagent = switch.orchagent(hardware=False)
        orchagent.wait_popped("PortInitDone")
        self.assertEqual({link.admin for name, link in switch.dut.links().items() if "Ether" in name}, {"up"})
        written = {words[1] for words in switch.watch.writes(0) if words[0] == "hset"}
        self.assertEqual(written, {"_PORT_TABLE:PortInitDone"})

    def test_before_init_done(self) -> None:
        switch = self.switch
        orchagent = switch.orchagent(hardware=False)
        switch.start()
        orchagent.wait_popped("PortConfigDone")
        switch.plug(2)
        switch.wait_row(port(1))
        self.again(switch)
        switch.plug(1, first=2)
        orchagent.wait_popped("PortInitDone")

    def test_with_some_ports_loaded(self) -> None:
        """portsyncd ended before PortConfigDone: it loads what is missing, and orchagent gets each port once."""
        switch = self.switch
        produce(switch.appl_db, port(1), port_config(1))
        orchagent = self.come_up()
        self.assertEqual(sorted(set(orchagent.names())), sorted([port(0), port(1), port(2), "PortConfigDone", "PortInitDone"]))
        self.assertEqual(orchagent.out_of_order(), [])


class Environment(SonicCase):
    def test_explicit_keys_win_over_database_config(self) -> None:
        switch = self.switch
        switch.config_file.write_text(database_config(
            {"APPL_DB": switch.redis, "CONFIG_DB": switch.redis, "STATE_DB": switch.redis},
            dict.fromkeys(("APPL_DB", "CONFIG_DB", "STATE_DB"), str(self.directory / "nobody"))))
        switch.start(environment={"PORTSYNCD_DATABASE_REDIS_SOCKET": switch.redis.socket})
        switch.wait_loaded("PortConfigDone")

    def test_by_tcp_when_there_is_no_socket_path(self) -> None:
        switch = self.switch
        switch.watch.close()  # it finds portsyncd by the unix socket
        switch.watch = None
        switch.config_file.write_text(database_config(
            {"APPL_DB": switch.redis, "CONFIG_DB": switch.redis, "STATE_DB": switch.redis},
            dict.fromkeys(("APPL_DB", "CONFIG_DB", "STATE_DB"), "")))
        self.come_up()


class Numbers(SonicCase):
    """Numbers and separators of databases other than SONiC's usual ones."""

    watched = False  # it expects the usual keys
    ports = 0

    def test_ids_and_separators_are_those_of_database_config(self) -> None:
        appl_db, config_db, state_db = (self.switch.client(number) for number in (3, 9, 12))
        config = json.loads(self.switch.config_file.read_text())
        for name, number, separator in (("APPL_DB", 3, "|"), ("CONFIG_DB", 9, "~"), ("STATE_DB", 12, "!")):
            config["DATABASES"][name].update(id=number, separator=separator)
        self.switch.config_file.write_text(json.dumps(config))
        config_db.pipeline([("HSET", f"PORT~{port(0)}", "lanes", "0"), ("SET", "CONFIG_DB_INITIALIZED", "1")])
        with self.switch.redis.connect() as listener:
            listener.call("SUBSCRIBE", "PORT_TABLE_CHANNEL@3")
            self.switch.start()
            process.wait_for(lambda: appl_db.call("EXISTS", "_PORT_TABLE|PortConfigDone"), 10, "the ports are staged")
            self.assertTrue(listener.wait(10))
        self.assertEqual(appl_db.hash(f"_PORT_TABLE|{port(0)}"), {"lanes": "0"})
        self.assertEqual(appl_db.hash("_PORT_TABLE|PortConfigDone"), {"count": "1"})
        appl_db.call("RENAME", f"_PORT_TABLE|{port(0)}", f"PORT_TABLE|{port(0)}")  # as if orchagent had popped it
        self.switch.create(port(0))
        process.wait_for(lambda: state_db.hash(f"PORT_TABLE!{port(0)}").get("state") == "ok", 10, "it has a row")
        process.wait_for(lambda: appl_db.call("EXISTS", "_PORT_TABLE|PortInitDone"), 10, "PortInitDone is staged")
        self.assertEqual(state_db.hash("WARM_RESTART_TABLE!portsyncd"), {"restore_count": "0"})
        self.assertEqual(config_db.scan("LOGGER*"), ["LOGGER~portsyncd"])
        self.assertEqual(self.switch.appl_db.scan("*"), [])
