# SPDX-License-Identifier: Apache-2.0
"""sync.mode = "sonic" with as many ports as a switch has. Prints the times; tests/bench has their limits."""

import threading
import time

from support import process
from support.sonic import SonicCase, flat, port, port_config
from support.sonic_redis import SonicRedis


class Stopwatch:
    """The times of PortConfigDone and of the last of `rows` rows, as a subscriber receives them."""

    def __init__(self, redis: SonicRedis, rows: int) -> None:
        self.config_done = self.last_row = 0.0
        self._missing = rows
        self._client = redis.connect(timeout=600)
        self._client.call("PSUBSCRIBE", "__keyspace@0__:_PORT_TABLE:PortConfigDone", "__keyspace@6__:PORT_TABLE|Ethernet*")
        self._client.read()
        threading.Thread(target=self._read, daemon=True).start()

    def close(self) -> None:
        self._client.close()

    def _read(self) -> None:
        try:
            while True:
                channel, event = self._client.read()[2:]
                if channel.endswith("PortConfigDone"):
                    self.config_done = self.config_done or time.monotonic()
                elif event == "hset":
                    self._missing -= 1
                    if self._missing == 0:
                        self.last_row = time.monotonic()
        except (OSError, ValueError):
            pass


class Scale(SonicCase):
    watched = False  # MONITOR of so many commands would cost more than what is measured

    def start_measured(self, limit: float = 60) -> None:
        switch = self.switch
        stopwatch = Stopwatch(switch.redis, self.ports)
        self.addCleanup(stopwatch.close)
        switch.start({"logging": {"level": "warning"}})
        switch.wait_init_done(limit)
        switch.wait_equal(limit)
        process.wait_for(lambda: stopwatch.last_row, limit, "the subscriber receives the last row")
        began = switch.daemon.started
        print(f"     {self.ports} ports, from exec: PortConfigDone {1000 * (stopwatch.config_done - began):.0f} ms, "
              f"every row {1000 * (stopwatch.last_row - began):.0f} ms", flush=True)
        self.assertLess(stopwatch.config_done - began, 5 * process.PATIENCE)

    def check_ports(self) -> None:
        self.assertEqual(self.switch.published("PortConfigDone"), {"count": str(self.ports)})
        replies = self.switch.appl_db.pipeline([("HGETALL", f"PORT_TABLE:{port(i)}") for i in range(self.ports)])
        self.assertEqual(replies, [flat(port_config(i)) for i in range(self.ports)])

    def cold(self) -> None:
        """The netdevs come after PortConfigDone."""
        self.switch.orchagent(write_own=False)
        self.start_measured()
        self.check_ports()

    def adopted(self) -> None:
        """The netdevs exist, as on a DPU, and orchagent pops at once: the fastest possible start."""
        self.switch.config_db.call("HSET", "DEVICE_METADATA|localhost", "switch_type", "dpu")
        self.switch.plug()
        self.switch.orchagent(hardware=False, write_own=False)
        self.start_measured()
        self.check_ports()


class Ports514(Scale):
    ports = 514

    def test_cold_start_with_514_ports(self) -> None:
        self.cold()


class Ports1028(Scale):
    ports = 1028

    def test_cold_start_with_1028_ports(self) -> None:
        self.cold()

    def test_cold_start_with_1028_netdevs_there(self) -> None:
        self.adopted()

    def test_1028_leftovers_are_set_down(self) -> None:
        switch = self.switch
        switch.plug()
        switch.ignored = {link.ifindex for link in switch.dut.links().values()}
        switch.start({"logging": {"level": "warning"}})
        switch.wait_loaded("PortConfigDone", 60)
        # Before PortConfigDone, because orchagent makes new netdevs after it.
        admins = [link.admin for name, link in switch.dut.links().items() if name.startswith("Ethernet")]
        self.assertEqual(admins.count("down"), self.ports)
