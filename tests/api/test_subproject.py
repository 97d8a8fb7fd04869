# SPDX-License-Identifier: Apache-2.0
"""
A meson project outside the source tree with portsync as its subproject. Compiles the whole library: for run.sh --all.
"""

import shutil
import tempfile
import unittest
from pathlib import Path

from support.installed import run

HERE = Path(__file__).resolve().parent


class Subproject(unittest.TestCase):
    def test_consumer_with_a_subproject(self) -> None:
        with tempfile.TemporaryDirectory(prefix="portsync-subproject-") as name:
            project, build = Path(name, "project"), Path(name, "build")
            (project / "subprojects").mkdir(parents=True)
            (project / "subprojects" / "portsync").symlink_to(HERE.parents[1])
            shutil.copy(HERE / "subproject" / "meson.build", project)
            shutil.copy(HERE / "consumer.cpp", project)
            run("meson", "setup", str(build), str(project), "--wrap-mode=nodownload", "--buildtype=plain",
                "--force-fallback-for=portsync")
            run("meson", "compile", "-C", str(build), "consumer")
            self.assertNotIn("libportsync.so", run("readelf", "-d", str(build / "consumer")))
            self.assertRegex(run(str(build / "consumer")), r"^lo mtu=\d+\n$")
