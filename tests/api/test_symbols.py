# SPDX-License-Identifier: Apache-2.0
"""libportsync.so exports everything that public headers declare, and only names of namespace portsync."""

import os
import re
import subprocess
import unittest
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[2] / "libportsync" / "include"
FEATURES = {"netlink": "portsync/netlink/", "redis": "portsync/redis/|portsync/sonic/"}

# Mangled names, because the demangled name of a template begins with its return type.
OURS = r"_Z(NK?|TVN|TIN|TSN|TTN|Thn\d+_NK?)8portsync|PORTSYNC_"


class Symbols(unittest.TestCase):
    def setUp(self) -> None:
        found = sorted(Path(os.environ["PORTSYNC_BUILD"], "libportsync").glob("libportsync.so.?.?"))
        self.library = str(found[0])

    def exported(self, *options: str) -> list[str]:
        out = subprocess.run(["nm", "-D", "--defined-only", *(options or ["-C"]), self.library],
                             capture_output=True, text=True, check=True)
        return [line.split(" ", 2)[2] for line in out.stdout.splitlines()]

    def test_every_exported_symbol_is_ours(self) -> None:
        names = self.exported("--no-demangle")
        self.assertEqual([name for name in names if not re.match(OURS, name)], [])
        self.assertGreater(len(names), 20)

    def test_nothing_internal_is_exported(self) -> None:
        internal = ("portsync::core::", "portsync::os::", "portsync::jsonl::")
        self.assertEqual([name for name in self.exported() if any(space in name for space in internal)], [])

    def declared(self) -> dict[str, str]:
        """Returns what the headers of this build mark with PORTSYNC_API: the name, and a pattern of its symbol."""
        pc = next(Path(os.environ["PORTSYNC_BUILD"]).rglob("portsync.pc")).read_text()
        missing = [path for feature, path in FEATURES.items() if f"\n{feature}=false\n" in pc]
        found = {}
        for header in sorted(INCLUDE.rglob("*.hpp")):
            name = str(header.relative_to(INCLUDE))
            if any(re.match(pattern, name) for pattern in missing):
                continue
            text = re.sub(r"//.*", "", header.read_text())
            for space in re.findall(r"^namespace (portsync[\w:]*) {", text, re.MULTILINE):
                for function in re.findall(r"PORTSYNC_API\s[^;{]*?\b(operator==|\w+)\(", text):
                    found[f"{name}: {function}()"] = rf"{space}::(\w+::)?{function}(\[abi:\w+\])?\("
                for kind in re.findall(r"class PORTSYNC_API (\w+)", text):
                    found[f"{name}: {kind}"] = rf"{space}::(\w+::)?{kind}(::|@|$)"
        return found

    def test_what_is_declared_is_exported(self) -> None:
        declared, exported = self.declared(), self.exported()
        missing = [name for name, pattern in declared.items() if not any(re.search(pattern, e) for e in exported)]
        self.assertEqual(missing, [])
        self.assertGreater(len(declared), 20)

    def test_symbols_have_versions(self) -> None:
        out = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", self.library],
                             capture_output=True, text=True, check=True).stdout
        self.assertEqual([line for line in out.splitlines()
                          if not re.search(r"@@PORTSYNC_[\d.]+$| A PORTSYNC_[\d.]+(@@\S+)?$", line)], [])

    def test_soname_has_major_and_minor(self) -> None:
        out = subprocess.run(["readelf", "-d", self.library], capture_output=True, text=True, check=True).stdout
        self.assertRegex(out, r"SONAME.*\[libportsync\.so\.\d+\.\d+\]")
