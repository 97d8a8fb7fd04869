# SPDX-License-Identifier: Apache-2.0
"""A program outside the source tree, built with pkg-config against an installed libportsync, shared and static."""

import shutil
import subprocess
import unittest
from pathlib import Path

from support.installed import Installed, run

SOURCE = Path(__file__).resolve().with_name("consumer.cpp")


class Consumer(unittest.TestCase):
    installed: Installed

    @classmethod
    def setUpClass(cls) -> None:
        cls.installed = Installed()
        cls.addClassCleanup(cls.installed.remove)

    def build(self, compiler: str, standard: str, libraries: list[str]) -> Path:
        program = self.installed.root / f"consumer-{compiler}-{standard}"
        run(compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", str(SOURCE), "-o", str(program),
            *self.installed.flags("--cflags"), *libraries)
        return program

    def check_runs(self, program: Path) -> None:
        self.assertRegex(run(str(program), **self.installed.running), r"^lo mtu=\d+\n$")

    def test_shared(self) -> None:
        libraries = self.installed.flags("--libs")
        self.assertIn("-lportsync", libraries)
        self.assertFalse({"-lhiredis", "-lnl-3"} & set(libraries), "the shared library needs no other")
        for standard in ("c++17", "c++20"):
            program = self.build("g++", standard, libraries)
            self.assertIn("libportsync.so", run("readelf", "-d", str(program)))
            self.check_runs(program)

    def test_shared_with_clang(self) -> None:
        if shutil.which("clang++") is None:
            self.skipTest("clang++ is not installed")
        self.check_runs(self.build("clang++", "c++17", self.installed.flags("--libs")))

    def test_static(self) -> None:
        libraries = [flag.replace("-lportsync", "-l:libportsync.a")
                     for flag in self.installed.flags("--libs", "--static")]
        program = self.build("g++", "c++17", libraries)
        self.assertNotIn("libportsync.so", run("readelf", "-d", str(program)))
        self.check_runs(program)

    def test_cmake(self) -> None:
        if shutil.which("cmake") is None:
            self.skipTest("cmake is not installed")
        prefix = next(self.installed.root.rglob("portsyncConfig.cmake")).parents[3]
        if prefix.name == "lib":  # it contains a folder for the architecture
            prefix = prefix.parent
        build = self.installed.root / "cmake"
        run("cmake", "-S", str(SOURCE.with_name("cmake")), "-B", str(build), f"-DCMAKE_PREFIX_PATH={prefix}")
        run("cmake", "--build", str(build))
        self.assertIn("libportsync.so", run("readelf", "-d", str(build / "consumer")))
        self.check_runs(build / "consumer")
        self.assert_refuses_version(prefix, "0.99")

    def assert_refuses_version(self, prefix: Path, version: str) -> None:
        done = subprocess.run(["cmake", "-S", str(SOURCE.with_name("cmake")), "-B", str(self.installed.root / "cmake-refused"),
                               f"-DCMAKE_PREFIX_PATH={prefix}", f"-DPORTSYNC_VERSION={version}"],
                              capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f'compatible with requested version "{version}"', " ".join(done.stderr.split()))

    def test_no_private_header_is_installed(self) -> None:
        headers = {str(p).partition("/include/")[2] for p in self.installed.root.rglob("*.hpp")}
        self.assertTrue(headers)
        self.assertEqual({h for h in headers if not h.startswith("portsync/")}, set())
