# SPDX-License-Identifier: Apache-2.0
"""The checks that Debian's own machines run on packages: debian/tests with autopkgtest, and piuparts."""

import os
import shutil
import subprocess
import unittest
from pathlib import Path

from support import debian_root, packages
from support.package_list import packages_for
from support.packages import PackageCase


class Autopkgtest(PackageCase):
    """autopkgtest in a booted root that has all dependencies, and no network."""

    root_name = "autopkgtest-root"
    more = ["autopkgtest", "dpkg-dev", "g++", "pkgconf", *packages_for("library")]

    def test_autopkgtests(self) -> None:
        self.boot()
        self.box.run("mkdir /root/portsync && cp -r /mnt/source/debian /root/portsync/")
        said = self.box.run("autopkgtest --no-built-binaries --summary-file=/root/summary /mnt/packages/*.deb "
                            "/root/portsync/ -- null", check=False, limit=600)
        summary = self.box.run("cat /root/summary", check=False)
        self.assertEqual(dict(line.split()[:2] for line in summary.splitlines()),
                         dict.fromkeys(("daemon", "portsyncctl", "library"), "PASS"), said[-20000:])


class Piuparts(unittest.TestCase):
    def test_piuparts(self) -> None:
        """Packages are installed, removed and purged, alone and together, and leave nothing."""
        if os.geteuid() != 0:
            self.skipTest("needs root")
        if shutil.which("piuparts") is None:
            self.skipTest("piuparts is not installed")
        # systemd, on which portsyncd depends, is installed before, because its purge leaves folders of its own.
        root = debian_root.make_root("", Path(os.environ["PORTSYNC_BUILD"], "piuparts-root"), ["apt", "systemd"])
        files = [str(file) for file in sorted(packages.folder().glob("*.deb"))]
        done = subprocess.run(
            ["piuparts", "--existing-chroot", str(root), "--distribution", debian_root.this_suite(),
             "--mirror", f"{debian_root.archive()} main", "--no-eatmydata", *files],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:])
