# SPDX-License-Identifier: Apache-2.0
"""
sync.mode = "mirror", and a database_config.json of SONiC that is empty, cut or late: the wrong server gets no row.
"""

from support import process
from support.file_watch import FileWatch
from support.sonic import SonicCase, Switch, database_config, port


class MirrorCase(SonicCase):
    """
    STATE_DB is on the switch's second server. The first one, at 127.0.0.1:6379, is the server that a guess would find.
    """

    appl_apart = True
    watched = False

    def setUp(self) -> None:
        super().setUp()
        switch = self.switch
        self.text = database_config({"APPL_DB": switch.redis, "CONFIG_DB": switch.redis, "STATE_DB": switch.appl_redis})
        self.right = switch.appl_redis.connect(6)
        self.addCleanup(self.right.close)
        self.watch = FileWatch(switch.config_file)
        self.addCleanup(self.watch.close)

    def start(self, switch: Switch, **options: object) -> None:
        switch.start({"sync": {"audit_interval_secs": 1}}, environment={"PORTSYNCD_SYNC_MODE": "mirror"}, host=True, **options)

    def wait_right(self) -> None:
        """Waits for rows on the server that the file names. No other server has any."""
        process.wait_for(lambda: self.right.hash(f"PORT_TABLE|{port(0)}").get("state") == "ok", 20, "the right server has rows")
        self.assertEqual(self.switch.row(port(0)), {}, "the other one has none")
        self.assertEqual(self.switch.daemon.terminate(), 0)
        self.remove(self.switch)

    def nothing_yet(self) -> None:
        """Waits until portsyncd has looked at the file as it is now. It has written no row."""
        self.watch.forget()
        self.watch.wait_read(4)  # a look reads it twice
        self.assertTrue(self.switch.daemon.alive())
        self.assertEqual(self.switch.row(port(0)), {})

    def wait_audits(self, count: int) -> None:
        """Waits for so many seconds of the daemon's own clock: in mirror mode, it would look once in each."""
        done = self.switch.daemon.log().count("Audit of ")
        process.wait_for(lambda: self.switch.daemon.log().count("Audit of ") >= done + count, 20, f"{count} audits")

    def start_with_rows(self) -> None:
        """Waits until the server that the file names has a row."""
        self.switch.config_file.write_text(self.text)
        self.switch.plug()
        self.start(self.switch)
        process.wait_for(lambda: self.right.hash(f"PORT_TABLE|{port(0)}"), 20, "a row")

    def stays_though_another_is_named(self) -> None:
        """The file names the other server, and three audits later portsyncd has not begun again."""
        switch = self.switch
        switch.config_file.write_text(database_config(dict.fromkeys(("APPL_DB", "CONFIG_DB", "STATE_DB"), switch.redis)))
        self.wait_audits(3)
        self.assertNotIn("beginning again", switch.daemon.log())
        self.wait_right()

    def test_an_empty_one_is_waited_for(self) -> None:
        switch = self.switch
        switch.plug()
        switch.config_file.write_text("")
        self.start(switch)
        self.nothing_yet()
        self.assertIn(str(switch.config_file), switch.daemon.status())
        switch.config_file.write_text(self.text[:len(self.text) // 2])  # in place, so that portsyncd sees it cut, too
        self.nothing_yet()
        switch.config_file.write_text(self.text)
        self.wait_right()

    def test_one_that_comes_before_the_first_row_is_used(self) -> None:
        switch = self.switch
        switch.config_file.unlink()
        self.start(switch)
        switch.daemon.wait_for_log("Synchronized")  # with no port, on the wrong server
        switch.config_file.write_text(self.text[:40])
        switch.config_file.write_text(self.text)
        switch.daemon.wait_for_log("The databases are described anew: beginning again", 20)
        switch.plug()
        self.wait_right()

    def test_one_that_changes_before_the_first_row_is_used(self) -> None:
        switch = self.switch
        self.start(switch)
        switch.daemon.wait_for_log("Synchronized")
        switch.config_file.write_text(self.text)
        switch.daemon.wait_for_log("The databases are described anew: beginning again", 20)
        switch.plug()
        self.wait_right()

    def test_after_the_first_row_it_stays_where_it_is(self) -> None:
        """Only a restart uses the other server, as before."""
        self.start_with_rows()
        self.stays_though_another_is_named()

    def test_after_rows_that_were_right_it_stays_where_it_is(self) -> None:
        """The restart writes nothing, because the rows are right; the server counts as the right one all the same."""
        switch = self.switch
        self.start_with_rows()
        self.assertEqual(switch.daemon.terminate(), 0)
        self.start(switch)
        switch.daemon.wait_for_log("Synchronized")
        self.wait_audits(2)
        self.stays_though_another_is_named()

    def test_an_edited_configuration_waits_for_a_reload_or_a_restart(self) -> None:
        """Before the first row, only a change of SONiC's files begins the start again."""
        switch = self.switch
        self.start(switch)
        switch.daemon.wait_for_log("Synchronized")
        switch.daemon.configure({"database": {"redis_socket": switch.appl_redis.socket}})
        self.watch.forget()
        self.watch.wait_read(3)  # a look that finds no change reads it once
        self.assertNotIn("beginning again", switch.daemon.log())
        switch.config_file.write_text(self.text)
        switch.daemon.wait_for_log("The databases are described anew: beginning again", 20)
        switch.plug()
        self.wait_right()
