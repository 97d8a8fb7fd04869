# SPDX-License-Identifier: Apache-2.0
"""libportsync.so exports names of namespace portsync and nothing else."""

import os
import subprocess
import unittest
from pathlib import Path

OURS = ("portsync::", "vtable for portsync::", "typeinfo for portsync::", "typeinfo name for portsync::",
        "non-virtual thunk to portsync::", "VTT for portsync::", "PORTSYNC_")


class Symbols(unittest.TestCase):
    def setUp(self) -> None:
        found = sorted(Path(os.environ["PORTSYNC_BUILD"], "libportsync").glob("libportsync.so.?.?"))
        self.library = str(found[0])

    def exported(self) -> list[str]:
        out = subprocess.run(["nm", "-D", "--defined-only", "-C", self.library],
                             capture_output=True, text=True, check=True)
        return [line.split(" ", 2)[2] for line in out.stdout.splitlines()]

    def test_every_exported_symbol_is_ours(self) -> None:
        names = self.exported()
        self.assertEqual([name for name in names if not name.startswith(OURS)], [])
        self.assertGreater(len(names), 20)

    def test_nothing_internal_is_exported(self) -> None:
        internal = ("portsync::core::", "portsync::os::", "portsync::jsonl::")
        self.assertEqual([name for name in self.exported() if any(space in name for space in internal)], [])

    def test_soname_has_major_and_minor(self) -> None:
        out = subprocess.run(["readelf", "-d", self.library], capture_output=True, text=True, check=True).stdout
        self.assertRegex(out, r"SONAME.*\[libportsync\.so\.\d+\.\d+\]")
