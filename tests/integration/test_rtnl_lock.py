# SPDX-License-Identifier: Apache-2.0
"""Another program holds the kernel's rtnl lock: only a thread beside the loop waits for it."""

import contextlib
import subprocess
import time
from pathlib import Path
from typing import Iterator

from support import process
from support.case import Case, program


class LockOfLinks(Case):
    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile this test may neither list nor change links, in any namespace."""
        holder = self.dut.call(lambda: subprocess.Popen([program("tests/support/hold_rtnl"), self.port(0)],
                                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        try:
            if holder.stdout.readline() != "held\n":
                self.skipTest("userfaultfd(2) may not stop the kernel here")
            yield
            self.assertIsNone(holder.poll(), "held all the while")
        finally:
            holder.communicate()

    def pings(self) -> int:
        return sum("WATCHDOG=1" in message for _, message in list(self.daemon.notifications))

    def restart(self) -> None:
        self.daemon.terminate()
        self.start({"sync": {"audit_interval_secs": 1}}, environment={"WATCHDOG_USEC": "300000"})
        self.wait_equal()

    def wait_for_a_listing_that_waits(self) -> None:
        tasks = Path(f"/proc/{self.daemon.pid}/task")
        def sleeps() -> bool:
            return any(" D " in (task / "stat").read_text() for task in tasks.iterdir())
        process.wait_for(sleeps, 2, "a thread that sleeps in the kernel", 0.01)

    def test_the_watchdog_is_pinged_and_health_names_the_lock(self) -> None:
        self.restart()
        with self.held():
            self.wait_for_a_listing_that_waits()
            before = self.pings()
            process.wait_for(lambda: "rtnl lock" in self.daemon.status(), 2.5, "a reason that names the lock", 0.02)
            self.assertGreater(self.pings(), before + 3)
        self.wait_equal()
        process.wait_for(lambda: self.daemon.status() == "Healthy", 10, "Healthy again")

    def test_sigterm_ends_it_while_the_listing_waits(self) -> None:
        self.restart()
        with self.held():
            self.wait_for_a_listing_that_waits()
            began = time.monotonic()
            self.daemon.signal(15)
            process.wait_for(lambda: self.daemon.notified("STOPPING=1") is not None, 1.5, "STOPPING=1", 0.01)
            process.wait_for(lambda: self.daemon.status() == "Stopped", 1.5, "Stopped", 0.01)
            self.assertLess(time.monotonic() - began, 2)
        # The kernel ends the process only when its last thread has returned from the system call.
        self.assertEqual(self.daemon.wait(10), 0)
        self.daemon = None
