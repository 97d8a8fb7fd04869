# SPDX-License-Identifier: Apache-2.0
"""sync.mode = "sonic": tests that take long because they wait. `run.sh --all` runs them, on a release build."""

import time

from support import process
from support.sonic import SonicCase, port


class Long(SonicCase):
    def test_orchagent_pops_after_10_s(self) -> None:
        switch = self.switch
        orchagent = switch.orchagent(pop_after=10)
        switch.start()
        orchagent.wait_popped("PortConfigDone", 20)
        orchagent.wait_popped("PortInitDone", 20)
        switch.wait_equal()

    def test_netdevs_come_10_s_after_config_done(self) -> None:
        switch = self.switch
        orchagent = switch.orchagent(create_after=10)
        switch.start()
        orchagent.wait_popped("PortInitDone", 30)
        switch.wait_equal()

    def test_a_missing_port_that_the_configuration_leaves_out(self) -> None:
        """The report says that the port's netdev would not count."""
        switch = self.switch
        orchagent = switch.orchagent(hardware=False)
        daemon = switch.start({"ports": {"match": [port(0), port(2)]}})
        orchagent.wait_popped("PortConfigDone")
        switch.plug(1)
        switch.plug(1, first=2)
        report = process.wait_for(lambda: [line for line in daemon.log().splitlines() if "is held back" in line], 40,
                                  "the missing port is reported", 0.1)[0]
        self.assertIn(f"1 of {switch.ports} ports", report)
        self.assertTrue(report.endswith(f"; ports.match leaves out {port(1)}"), report)

    def test_a_missing_port_with_a_name_that_none_can_have(self) -> None:
        """The report says so, and does not blame ports.match, which has its default."""
        switch = self.switch
        for name in ("Recirc0", "Recirc0123456789"):
            switch.config_db.call("HSET", f"PORT|{name}", "lanes", "200")
        daemon = switch.start()
        switch.orchagent(hardware=False).wait_popped("PortConfigDone")
        report = process.wait_for(lambda: [line for line in daemon.log().splitlines() if "is held back" in line], 40,
                                  "the missing ports are reported", 0.1)[0]
        self.assertTrue(report.endswith("; no port can be called Recirc0123456789"), report)

    def test_missing_ports_are_reported_and_never_made_up(self) -> None:
        """
        The missing ports are named after 30 s and then every minute. PortInitDone is never set because time has passed.
        """
        switch = self.switch
        orchagent = switch.orchagent(hardware=False)
        daemon = switch.start()
        orchagent.wait_popped("PortConfigDone")
        began = time.monotonic()
        switch.plug(1)

        def reports() -> list[str]:
            return [line for line in daemon.log().splitlines() if "PortInitDone is held back" in line]
        process.wait_for(reports, 40, "the missing ports are reported", 0.1)
        self.assertGreater(time.monotonic() - began, 28)
        for number in (1, 2):
            self.assertIn(port(number), reports()[0])
        self.assertNotIn(port(0) + " ", reports()[0])
        self.assertNotIn("ports.match", reports()[0])
        switch.plug(1, first=1)
        process.wait_for(lambda: len(reports()) > 1, 70, "and again after a minute", 0.1)
        self.assertGreater(time.monotonic() - began, 85)
        self.assertNotIn(port(1), reports()[1])
        self.assertEqual(switch.loaded("PortInitDone"), {})
        switch.plug(1, first=2)
        orchagent.wait_popped("PortInitDone")
        self.assertEqual(len(reports()), 2)
