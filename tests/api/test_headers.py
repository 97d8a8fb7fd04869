# SPDX-License-Identifier: Apache-2.0
"""
Public headers: each compiles alone, as C++17, 20 and 23, without a warning, and includes only the standard library.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[2] / "libportsync" / "include"
GENERATED = Path(os.environ.get("PORTSYNC_BUILD", "."), "libportsync", "include")
HEADERS = sorted([*INCLUDE.rglob("*.hpp"), *GENERATED.rglob("*.hpp")])
WARNINGS = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Werror".split()


def name_of(header: Path) -> str:
    return str(header.relative_to(GENERATED if header.is_relative_to(GENERATED) else INCLUDE))


class Headers(unittest.TestCase):
    def compile_all(self, compiler: str, standards: tuple[str, ...]) -> None:
        def compiles(job: tuple[str, str]) -> str:
            header, standard = job
            with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
                # Twice, because a header must have an include guard.
                source.write(f"#include <{header}>\n#include <{header}>\n")
                source.flush()
                done = subprocess.run([compiler, f"-std={standard}", "-fsyntax-only", *WARNINGS, f"-I{INCLUDE}",
                                       f"-I{GENERATED}", source.name], capture_output=True, text=True, check=False)
            return f"{header} as {standard}:\n{done.stderr}" if done.returncode else ""

        jobs = [(name_of(header), standard) for header in HEADERS for standard in standards]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            failures = [text for text in pool.map(compiles, jobs) if text]
        self.assertEqual(failures, [], "\n".join(failures))
        self.assertGreaterEqual(len(jobs), 30)

    def test_headers_compile_alone_with_gcc(self) -> None:
        self.compile_all("g++", ("c++17", "c++20", "c++23"))

    def test_headers_compile_alone_with_clang(self) -> None:
        if shutil.which("clang++") is None:
            self.skipTest("clang++ is not installed")
        self.compile_all("clang++", ("c++17", "c++20", "c++2b"))

    def test_headers_include_the_standard_library_and_portsync_alone(self) -> None:
        for header in HEADERS:
            for included in re.findall(r"^\s*#\s*include\s+(\S+)", header.read_text(), re.MULTILINE):
                with self.subTest(header=name_of(header)):
                    self.assertRegex(included, r"^<([a-z_]+|portsync/[a-z_/]+\.hpp)>$")
