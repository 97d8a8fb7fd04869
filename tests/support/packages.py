# SPDX-License-Identifier: Apache-2.0
"""The Debian packages of this checkout, in a box."""

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from support.box import RootCase

INSTALL = "apt-get install -y /mnt/packages/portsyncd_*.deb"


def folder() -> Path:
    """
    Returns their folder: those that tests/packages.sh makes of the build under test, or those of PORTSYNC_PACKAGES.
    """
    given = os.environ.get("PORTSYNC_PACKAGES")
    return Path(given) if given else _made_of_the_build("packages")


def for_swss() -> Path:
    """The package for SONiC's swss container, of the build under test."""
    return next(_made_of_the_build("swss-packages", "pkg.portsync.swss").glob("portsyncd-swss_*.deb"))


def _made_of_the_build(name: str, profiles: str = "") -> Path:
    if shutil.which("dh") is None or shutil.which("dpkg-buildpackage") is None:
        raise unittest.SkipTest("debhelper is not installed")
    build = Path(os.environ["PORTSYNC_BUILD"])
    packages = build / name
    script = Path(__file__).resolve().parents[1] / "packages.sh"
    done = subprocess.run([script, "--of", build, packages], capture_output=True, text=True, check=False,
                          env={**os.environ, "DEB_BUILD_PROFILES": profiles})
    if done.returncode != 0:
        raise AssertionError(f"the packages are not made:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return packages


def portsyncd() -> Path:
    return next(folder().glob("portsyncd_*.deb"))


def changed(package: Path, version: str, to: Path) -> Path:
    """Returns the same package with another version."""
    tree = to / version
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*", f"Version: {version}", control.read_text()))
    new = to / f"portsyncd_{version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, new], check=True, stdout=subprocess.DEVNULL)
    return new


class PackageCase(RootCase):
    """Before each test: the packages at /mnt/packages in what boot() boots."""

    def boot(self, network: str = "--private-network") -> None:
        self.folders["packages"] = folder()
        super().boot(network)

    def install(self) -> None:
        self.box.run(INSTALL)
