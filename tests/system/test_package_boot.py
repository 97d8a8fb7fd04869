# SPDX-License-Identifier: Apache-2.0
"""A system boots with the package, which was installed while no systemd ran."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from support import packages, process
from support.netns import Netns
from support.packages import PackageCase

PORTS = 256


class PackageBoot(PackageCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.mkdtemp(prefix="portsync-", dir=os.environ["PORTSYNC_BUILD"])
        self.addCleanup(shutil.rmtree, folder)
        subprocess.run(["cp", "--archive", "--reflink=auto", self.root, folder], check=True)
        self.root = Path(folder, self.root.name)
        shutil.copy(packages.portsyncd(), self.root / "tmp/portsyncd.deb")
        done = self.inside("dpkg", "-i", "/tmp/portsyncd.deb")
        self.assertEqual(done.returncode, 0, done.stdout)

    def inside(self, *command: str) -> subprocess.CompletedProcess:
        """Installs into a root that has only files: no systemd, no bus, no /proc."""
        return subprocess.run(["chroot", self.root, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, check=False)

    def test_boot_with_many_ports(self) -> None:
        self.assertIn("redis", self.inside("id", "-nG", "portsyncd").stdout.split())
        self.assertEqual(self.inside("systemctl", "is-enabled", "portsyncd").stdout.strip(), "enabled")
        inner, far = Netns(), Netns()
        self.addCleanup(inner.close)
        self.addCleanup(far.close)
        far.ip(*(f"link add name p{i} index {20000 + i} type veth peer name Ethernet{4 * i} index {100 + i} netns "
                 f"{inner.path}" for i in range(PORTS)))
        far.ip(*(f"link set p{i} up" for i in range(PORTS)))
        inner.ip(*(f"link set Ethernet{4 * i} up" for i in range(PORTS)))
        began = time.monotonic()
        self.boot(f"--network-namespace-path={inner.path}")
        self.healthy()
        print(f"from the start of the boot to Healthy, {PORTS} ports: {time.monotonic() - began:.2f} s")
        self.assertEqual(self.box.run("redis-cli -n 6 HLEN PORT_TABLE").strip(), str(PORTS))
        self.assertEqual(self.box.run("redis-cli -n 6 HVALS PORT_TABLE | sort -u").strip(), "up")
        self.assertEqual(self.box.run("journalctl -q -b -u portsyncd -p err"), "")

    def test_boot_without_redis(self) -> None:
        self.assertEqual(self.inside("systemctl", "mask", "redis-server").returncode, 0)
        began = time.monotonic()
        self.boot()  # returns when the system is running
        took = time.monotonic() - began
        print(f"boot without a Redis: {took:.1f} s")
        self.assertLess(took, 20 * process.PATIENCE)
        self.assertEqual(self.box.run("systemctl is-system-running").strip(), "running")
        self.assertRegex(self.show("portsyncd", "StatusText"), "^(Degraded|Unhealthy): waiting for Redis")
        self.box.run("systemctl unmask redis-server && systemctl start redis-server")
        self.healthy()
