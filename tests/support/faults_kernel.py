# SPDX-License-Identifier: Apache-2.0
"""The kernel's part of the random runs: messages that are lost, links that come and go, a lock that is held."""

import struct
import threading
import time
from typing import Any, Optional

from support import netns
from support.case import Case
from support.honesty import Honesty
from support.link_model import Links
from support.link_requests import LinkRequests

STEADY = 8  # the first cables belong to the load generator; they always exist
CHURNED = [f"Ethernet{9000 + i}" for i in range(64)]  # link_load churn_ports makes and deletes them
LOCKING = 4711  # the group of the bridges whose deletion holds the kernel's lock, 10 to 20 ms each


class KernelFaults(Case):
    """A fault is a method: ("overrun", 3000) calls _overrun(3000). A fault that does not apply does nothing."""

    links: Links
    honesty: Honesty
    running: Optional[Any] = None   # the load generator
    locking: Optional[threading.Thread] = None
    elsewhere: Optional[netns.Netns] = None

    def _overrun(self, changes: int) -> None:
        self._unload()
        self.finish(self.load("mixed", changes))

    def load(self, kind: str, count: int = 0, first: int = 0) -> Any:
        whole, self.ports = self.ports, STEADY
        try:
            return super().load(kind, count, first)
        finally:
            self.ports = whole

    def _load(self, kind: str) -> None:
        self.running = self.running or self.load(kind)

    def _unload(self) -> None:
        if self.running:
            self.finish(self.running)
        self.running = None

    def _spoof(self, number: int) -> None:
        index = self.links.cables[number].index
        lie = netns.attribute(netns.IFLA_IFNAME, b"Ethernet0\0") + netns.attribute(netns.IFLA_MTU, b"\x9a\2\0\0")
        with self.dut.netlink() as forger:
            forger.sendto(netns.link_message(netns.RTM_NEWLINK, 0, index, attrs=lie), (0, 1))
            forger.sendto(netns.link_message(netns.RTM_DELLINK, 0, self.dut_index), (0, 1))

    def _nap(self, milliseconds: int) -> None:
        """Gives the daemon time between two bursts, for a different interleaving; nothing depends on the time."""
        time.sleep(milliseconds / 1000)

    def _hold_lock(self, bridges: int) -> None:
        """Holds the kernel's rtnl lock for seconds: another namespace deletes a group of bridges at once."""
        if self.locking:
            return
        if self.elsewhere is None:
            self.elsewhere = netns.Netns()
            self.addCleanup(self.elsewhere.close)
        requests = LinkRequests(self.elsewhere)
        for number in range(bridges):
            requests.add_bridge(f"lock{number}", LOCKING)

        def delete() -> None:
            requests.delete_group(LOCKING)
            requests.close()

        self.locking = threading.Thread(target=delete, daemon=True)
        self.locking.start()

    def _await_lock(self) -> None:
        if self.locking:
            self.locking.join(60)
        self.locking = None

    def _all_away(self) -> None:
        """Renames all links, so that none is a port."""
        for number in range(self.ports):
            self.links.apply(("away", number))

    def _all_home(self) -> None:
        for number in range(self.ports):
            self.links.apply(("home_again", number))
