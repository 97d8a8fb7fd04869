# SPDX-License-Identifier: Apache-2.0
"""
The package in a virtual machine: kinds of links that not every kernel has, and the limits of control groups in force.
"""

import re
import time

from support import process
from support.box import SystemCase
from support.case import GROUP
from support.vm import Vm

BOOT_PORTS, FLAPPING = 1024, 512
MEMORY_MAX = 64 << 20
CONTROL_GROUP = "/sys/fs/cgroup/system.slice/portsyncd.service"

ROWS = """redis-cli -n 6 --raw EVAL "
local rows = {}
for _, key in ipairs(redis.call('KEYS', 'PORT_TABLE|*')) do
  local row = redis.call('HMGET', key, 'state', 'admin_status', 'netdev_oper_status', 'mtu')
  rows[#rows + 1] = string.sub(key, 12) .. ' ' .. table.concat(row, ' ')
end
return rows" 0"""


def dummies(count: int) -> list[str]:
    """Returns the `ip` commands that make ports."""
    return [f"link add name Ethernet{4 * i} up group {GROUP} type dummy" for i in range(count)]


class VirtualMachine(SystemCase):
    """One machine for all tests. The first test, by name, has the ports of the boot; the others begin without any."""

    @classmethod
    def setUpClass(cls) -> None:
        began = time.monotonic()
        cls.box = Vm(dummies(BOOT_PORTS))
        cls.addClassCleanup(cls.box.close)
        print(f"the virtual machine is made and has booted: {time.monotonic() - began:.0f} s", flush=True)

    def setUp(self) -> None:
        if "boot" not in self._testMethodName:
            self.remove_links()
        # If portsyncd does not run, only one test should fail because of it.
        self.box.run("systemctl reset-failed portsyncd; systemctl start portsyncd")

    def remove_links(self) -> None:
        self.box.run(f"ip link del group {GROUP}; echo 1 >/sys/bus/netdevsim/del_device; "
                     "for link in PortChannel1 PortChannel2; do ip link del $link; done", check=False)

    def make(self, *commands: str) -> None:
        self.box.run("ip -batch - <<'END_OF_BATCH'\n" + "\n".join(commands) + "\nEND_OF_BATCH\n")

    def rows(self) -> dict[str, str]:
        return dict(line.split(" ", 1) for line in self.box.run(ROWS).splitlines() if line)

    def links(self) -> dict[str, str]:
        """Returns the kernel's ports as rows."""
        found = {}
        for name, flags, mtu in re.findall(r"(?m)^\d+: (Ethernet\d+): <(.*?)> mtu (\d+)", self.box.run("ip -o link")):
            admin = "up" if "UP" in flags.split(",") else "down"
            found[name] = f"ok {admin} {'down' if 'NO-CARRIER' in flags.split(',') else admin} {mtu}"
        return found

    def settle(self, wanted: dict[str, str]) -> None:
        """Waits until the kernel's ports are these, and the rows, too."""
        try:
            process.wait_for(lambda: self.links() == self.rows() == wanted, 60, "links and rows are as wanted", 0.2)
        except process.TimedOut as e:
            for what, found in ("links", self.links()), ("rows", self.rows()):
                print(f"{what} that differ:", sorted(set(found.items()) ^ set(wanted.items()))[:6])
            raise e from None

    def masters(self) -> dict[str, str]:
        """Returns the ports as portsyncctl prints them."""
        return {line.split()[0]: line.split()[6] for line in self.box.run("portsyncctl ports").splitlines()[1:]}

    def test_a_boot_with_1024_ports(self) -> None:
        self.assertEqual(self.show("portsyncd", "ActiveState"), "active")
        # On a slow machine the first rows are late, which counts for a minute.
        self.wait_for("systemctl show -p StatusText portsyncd", "StatusText=Healthy\n", 90)
        began, ready = (int(self.show("portsyncd", name)) / 1e6
                        for name in ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic"))
        print(f"{BOOT_PORTS} ports: READY {ready:.2f} s after the kernel's start, {ready - began:.2f} s after its own")
        self.assertEqual(self.show("portsyncd", "NRestarts"), "0")
        self.assertEqual(self.box.run("journalctl -q -b -u portsyncd -p err"), "")
        self.settle({f"Ethernet{4 * i}": "ok up up 1500" for i in range(BOOT_PORTS)})
        self.assertEqual(self.box.run("redis-cli -n 6 HLEN PORT_TABLE").strip(), str(BOOT_PORTS))

    def test_carrier(self) -> None:
        self.make(*dummies(4), "link set Ethernet4 carrier off", "link set Ethernet8 down",
                  "link set Ethernet12 mtu 9100")
        rows = {"Ethernet0": "ok up up 1500", "Ethernet4": "ok up down 1500", "Ethernet8": "ok down down 1500",
                "Ethernet12": "ok up up 9100"}
        self.settle(rows)
        self.make("link set Ethernet4 carrier on")
        self.settle({**rows, "Ethernet4": "ok up up 1500"})

    def test_members_of_lags(self) -> None:
        """Bond and team: rows of the members, none of the LAG, and the master of each member."""
        self.make(*dummies(5), "link add name PortChannel1 up type bond mode active-backup miimon 100",
                  "link add name PortChannel2 up type team",
                  "link add link Ethernet16 name Ethernet16.10 up type vlan id 10")
        masters = {"Ethernet0": "PortChannel1", "Ethernet4": "PortChannel1",
                   "Ethernet8": "PortChannel2", "Ethernet12": "PortChannel2"}
        for port, master in masters.items():  # a bond takes no port that is up, and sets it up itself
            self.make(f"link set {port} down", f"link set {port} master {master}")
        self.make("link set PortChannel1 mtu 9100", "link set PortChannel2 mtu 9100")  # and so the mtu of their members
        rows = {**dict.fromkeys(masters, "ok up up 9100"), "Ethernet16": "ok up up 1500"}
        self.settle(rows)
        self.assertEqual(self.masters(), {**masters, "Ethernet16": "-"})
        self.make("link set Ethernet0 carrier off", "link set Ethernet8 carrier off")
        self.settle({**rows, "Ethernet0": "ok up down 9100", "Ethernet8": "ok up down 9100"})
        self.make("link set Ethernet4 nomaster", "link del PortChannel2")
        process.wait_for(lambda: self.masters() == {**dict.fromkeys(rows, "-"), "Ethernet0": "PortChannel1"}, 15,
                         "only Ethernet0 has a master", 0.2)

    def test_physical_port_names(self) -> None:
        """As a switch's driver makes its ports: they have phys_port_name, and get their names afterwards."""
        folder = "/sys/bus/netdevsim/devices/netdevsim1/net"
        self.box.run("modprobe netdevsim && echo '1 4' >/sys/bus/netdevsim/new_device")
        self.wait_for(f"ls {folder} | wc -l", "4")
        physical = {}
        for name in self.box.run(f"ls {folder}").split():
            number = self.box.run(f"cat {folder}/{name}/phys_port_name").strip()
            port = f"Ethernet{4 * (int(number.removeprefix('p')) - 1)}"
            self.make(f"link set {name} name {port}", f"link set {port} up")
            physical[port] = number
        self.assertEqual(sorted(physical), ["Ethernet0", "Ethernet12", "Ethernet4", "Ethernet8"])
        self.settle(dict.fromkeys(physical, "ok up up 1500"))
        for port, number in physical.items():
            self.assertRegex(self.box.run(f"portsyncctl port {port}"), rf"(?m)Physical port: +{number}$")

    def kept(self, file: str, field: str) -> int:
        """Returns a number that the kernel keeps about the service's control group."""
        return int(re.search(rf"(?m)^{field} *(\d+)", self.box.run(f"cat {CONTROL_GROUP}/{file}"))[1])

    def test_limits_while_512_ports_flap(self) -> None:
        """
        MemoryMax= and CPUQuota= of the unit are in force: portsyncd is throttled, and the rows are right in the end.
        """
        self.box.run("systemctl restart portsyncd")
        self.make(*dummies(FLAPPING))
        self.settle({f"Ethernet{4 * i}": "ok up up 1500" for i in range(FLAPPING)})
        before = self.pid()
        self.assertEqual(self.kept("memory.max", ""), MEMORY_MAX)
        self.assertEqual(self.box.run(f"cat {CONTROL_GROUP}/cpu.max").split(), ["50000", "100000"])
        share = self.share_of_a_processor_while_flapping()
        peak, throttled = self.kept("memory.peak", ""), self.kept("cpu.stat", "nr_throttled")
        rounds = self.box.run("wc -l </run/rounds").strip()
        print(f"{FLAPPING} ports down and up {rounds} times: {share:.0%} of a processor, slowed {throttled} times, "
              f"at most {peak / (1 << 20):.1f} MiB")
        ways = {f"Ethernet{4 * i}": "up" if i % 2 else "down" for i in range(FLAPPING)}
        self.make(*(f"link set {port} {way}" for port, way in ways.items()))
        self.settle({port: f"ok {way} {way} 1500" for port, way in ways.items()})
        self.assertEqual(self.pid(), before)
        self.assertGreater(throttled, 0)
        self.assertLess(share, 0.55)
        self.assertLessEqual(peak, MEMORY_MAX)
        self.assertEqual(self.kept("memory.events", "oom_kill"), 0)

    def share_of_a_processor_while_flapping(self) -> float:
        """Measures portsyncd while all ports go down and up for half a minute."""
        measure = f"cut -d' ' -f1 /proc/uptime; sed -n 's/^usage_usec //p' {CONTROL_GROUP}/cpu.stat"
        flaps = "\n".join(f"link set Ethernet{4 * i} {way}" for way in ("down", "up") for i in range(FLAPPING))
        self.box.run(f"cat >/run/flaps <<'END_OF_BATCH'\n{flaps}\nEND_OF_BATCH\n"
                     "systemd-run -q --unit flapping sh -c 'while ip -batch /run/flaps; do echo >>/run/rounds; done'")
        self.wait_for("cat /run/rounds", "\n", 60)
        began, used_before, ended, used = map(float, self.box.run(f"{measure}; sleep 30; {measure}").split())
        self.box.run("systemctl stop flapping")
        return (used - used_before) / 1e6 / (ended - began)
