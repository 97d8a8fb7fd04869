# SPDX-License-Identifier: Apache-2.0
"""A program outside the tree, by pkg-config, against an installed libportsync: shared and static."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().with_name("consumer.cpp")
BUILD = os.environ.get("PORTSYNC_BUILD", "")


def run(*args: str, **env: str) -> str:
    done = subprocess.run(args, capture_output=True, text=True, env={**os.environ, **env}, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(args)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Consumer(unittest.TestCase):
    root: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.root = Path(tempfile.mkdtemp(prefix="portsync-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.root)
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", str(cls.root))
        pc = next(cls.root.rglob("portsync.pc"))
        cls.library = next(cls.root.rglob("libportsync.a")).parent
        cls.pkg_config = {"PKG_CONFIG_SYSROOT_DIR": str(cls.root), "PKG_CONFIG_PATH": str(pc.parent)}

    def flags(self, *options: str) -> list[str]:
        # The sysroot is put before every folder that a .pc file names; those of the system are not under it.
        return [flag.replace(f"{self.root}/usr/include", "/usr/include")
                for flag in run("pkg-config", *options, "portsync", **self.pkg_config).split()]

    def build(self, compiler: str, standard: str, libraries: list[str]) -> Path:
        program = self.root / f"consumer-{compiler}-{standard}"
        run(compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", str(SOURCE), "-o", str(program),
            *self.flags("--cflags"), *libraries)
        return program

    def check_runs(self, program: Path) -> None:
        self.assertRegex(run(str(program), LD_LIBRARY_PATH=str(self.library)), r"^lo mtu=\d+\n$")

    def test_shared(self) -> None:
        libraries = self.flags("--libs")
        self.assertIn("-lportsync", libraries)
        self.assertFalse({"-lhiredis", "-lnl-3"} & set(libraries), "who links the shared library needs no other")
        for standard in ("c++17", "c++20"):
            program = self.build("g++", standard, libraries)
            self.assertIn("libportsync.so", run("readelf", "-d", str(program)))
            self.check_runs(program)

    def test_shared_with_clang(self) -> None:
        if shutil.which("clang++") is None:
            self.skipTest("clang++ is not installed")
        self.check_runs(self.build("clang++", "c++17", self.flags("--libs")))

    def test_static(self) -> None:
        libraries = [flag.replace("-lportsync", "-l:libportsync.a") for flag in self.flags("--libs", "--static")]
        program = self.build("g++", "c++17", libraries)
        self.assertNotIn("libportsync.so", run("readelf", "-d", str(program)))
        self.check_runs(program)

    def test_no_private_header_is_installed(self) -> None:
        headers = {str(p.relative_to(p.parents[-1])).partition("/include/")[2] for p in self.root.rglob("*.hpp")}
        self.assertTrue(headers)
        self.assertEqual({h for h in headers if not h.startswith("portsync/")}, set())
