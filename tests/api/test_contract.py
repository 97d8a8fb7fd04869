# SPDX-License-Identifier: Apache-2.0
import re
import unittest
from pathlib import Path

from api.contract_check import problems

TESTS = Path(__file__).resolve().parents[1]


class Contract(unittest.TestCase):
    def test_contract_names_tests_that_exist(self) -> None:
        self.assertEqual(problems(), [])

    def test_each_python_test_is_run(self) -> None:
        """A file that no build and no step names would never fail."""
        named = "\n".join(path.read_text() for path in [*TESTS.rglob("meson.build"), TESTS / "run.sh"])
        named = named.replace("test_package{,_boot}", "test_package test_package_boot")
        for path in TESTS.rglob("test_*.py"):
            with self.subTest(file=path.name):
                self.assertIsNotNone(re.search(rf"\b{path.stem}\b", named), "no meson.build and no step of run.sh names it")
