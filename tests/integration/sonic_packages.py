# SPDX-License-Identifier: Apache-2.0
"""
The packages portsyncd-swss, as build.sh made them: PORTSYNC_SWSS_PACKAGES/SUITE/portsyncd-swss_*_ARCHITECTURE.deb.
`run.sh --all` builds them.
"""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

# The libraries of SONiC's swss container, by their package names in Debian 12 and 13. The name of hiredis' package ends
# with its version.
CONTAINER = re.compile(r"libc6|libgcc-s1|libstdc\+\+6|libnl-3-200(t64)?|libnl-route-3-200(t64)?|libhiredis[\d.]+")
HIREDIS = {"bookworm": "libhiredis0.14", "trixie": "libhiredis1.1.0"}
BUILT = {(suite, architecture) for suite in ("bookworm", "trixie") for architecture in ("amd64", "arm64")}
FILES = {"./usr/bin/portsyncd", "./usr/bin/portsyncctl"}


def field(package: Path, name: str) -> str:
    return subprocess.run(["dpkg-deb", "--field", package, name], capture_output=True, text=True, check=True).stdout.strip()


class SwssPackages(unittest.TestCase):
    def setUp(self) -> None:
        folder = os.environ.get("PORTSYNC_SWSS_PACKAGES")
        if not folder:
            self.skipTest("PORTSYNC_SWSS_PACKAGES names no folder")
        self.packages = sorted(Path(folder).glob("*/portsyncd-swss_*.deb"))
        self.assertTrue(self.packages)

    def test_there_is_one_for_each_suite_and_architecture(self) -> None:
        self.assertEqual({(package.parent.name, field(package, "Architecture")) for package in self.packages}, BUILT)

    def test_they_need_nothing_that_the_container_has_not(self) -> None:
        for package in self.packages:
            with self.subTest(package=package):
                needed = re.findall(r"(?:^|, )([a-z0-9.+-]+)", field(package, "Depends"))
                self.assertEqual([name for name in needed if not CONTAINER.fullmatch(name)], [])
                self.assertIn(HIREDIS[package.parent.name], needed)
                self.assertEqual(field(package, "Debian-Codename"), package.parent.name)
                self.assertTrue(package.name.endswith(f"_{field(package, 'Architecture')}.deb"))

    def test_they_have_the_two_programs_without_symbols(self) -> None:
        for package in self.packages:
            with self.subTest(package=package), tempfile.TemporaryDirectory() as folder:
                subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
                programs = {"./" + str(path.relative_to(folder)) for path in Path(folder).rglob("*")
                            if path.is_file() and os.access(path, os.X_OK)}
                self.assertEqual(programs, FILES)
                for name in FILES:
                    sections = subprocess.run(["readelf", "--section-headers", "--wide", f"{folder}/{name}"],
                                              capture_output=True, text=True, check=True).stdout
                    self.assertNotIn(".symtab", sections)
                    self.assertNotIn(".debug_info", sections)


if __name__ == "__main__":
    unittest.main()
