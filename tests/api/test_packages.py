# SPDX-License-Identifier: Apache-2.0
"""The scripts that install packages and the documents that name them agree with tests/packages.list."""

import re
import subprocess
import unittest
from pathlib import Path

from support.package_list import LIST, by_purpose, packages_for

TOP = Path(__file__).resolve().parents[2]
BUILDING = ("compile", "library", "daemon", "faces", "manual", "reference", "unit", "script")
RUNNING = ("network", "redis", "tests", "examples")
OF_THE_BUILD_ESSENTIALS = {"g++", "ninja-build"}  # meson needs ninja
OF_DEBHELPER = {"debhelper-compat", "dh-sequence-installsysusers"}


def table_of_readme() -> list[list[str]]:
    rows = re.search(r"^\| needed \|.*?\n\n", (TOP / "README.md").read_text(), re.MULTILINE | re.DOTALL)[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:] if row]


def relation(field: str, package: str = "") -> list[str]:
    """Returns the names in a field of debian/control, of its source or of one of its packages."""
    paragraphs = (TOP / "debian/control").read_text().split("\n\n")
    wanted = f"Package: {package}" if package else "Source: portsync"
    paragraph = next(text for text in paragraphs if text.startswith(wanted + "\n"))
    text = re.search(rf"^{field}:\n((?: .*\n?)+)", paragraph, re.MULTILINE)[1]
    return [re.match(r"[a-z0-9.+-]+", line.strip())[0] for line in text.splitlines() if not line.strip().startswith("$")]


def used_by(script: str) -> set[str]:
    """Returns the purposes that a script names."""
    calls = re.findall(r"packages_for ([a-z0-9 ]+)", (TOP / script).read_text())
    return {purpose for call in calls for purpose in call.split()}


class Packages(unittest.TestCase):
    def test_no_package_stands_twice_but_the_compiler_of_the_fuzz_targets(self) -> None:
        listed = [package for packages in by_purpose().values() for package in packages]
        self.assertEqual({package for package in listed if listed.count(package) > 1}, {"clang"})

    def test_readme_lists_what_building_and_running_the_tests_needs(self) -> None:
        named = [name for _, packages, _ in table_of_readme() for name in packages.split()]
        self.assertEqual(sorted(named), sorted(packages_for(*BUILDING, *RUNNING)))

    def test_the_source_package_is_built_with_what_building_needs(self) -> None:
        wanted = set(packages_for(*BUILDING)) - OF_THE_BUILD_ESSENTIALS
        self.assertEqual(set(relation("Build-Depends")), wanted | OF_DEBHELPER)

    def test_the_library_s_headers_come_with_the_libraries_that_they_need(self) -> None:
        needed = set(relation("Depends", "libportsync-dev")) - {"libportsync0.1"}
        self.assertEqual(needed, set(packages_for("library")))

    def test_examples_name_packages_that_are_installed_for_them(self) -> None:
        named = set(re.findall(r"lib[a-z0-9+-]+-dev", (TOP / "examples/README.md").read_text()))
        self.assertTrue(named)
        self.assertLessEqual(named - {"libportsync-dev", *packages_for("library")}, set(packages_for("examples")))

    def test_scripts_take_their_packages_from_the_list_alone(self) -> None:
        """Each purpose is used by one of them."""
        purposes = set(by_purpose())
        used = set()
        for script in ("tests/run.sh", "examples/quickstart.sh"):
            with self.subTest(script=script):
                self.assertTrue(used_by(script))
                self.assertLessEqual(used_by(script), purposes)
                self.assertNotRegex((TOP / script).read_text(), r"lib[a-z0-9+-]+-dev")
            used |= used_by(script)
        self.assertEqual(used, purposes)

    def test_scripts_read_the_list_as_the_tests_do(self) -> None:
        for script in ("tests/run.sh", "examples/quickstart.sh"):
            function = re.search(r"^packages_for\(\) \{\n.*?^\}\n", (TOP / script).read_text(), re.MULTILINE | re.DOTALL)[0]
            call = f"list={LIST}\n{function}\npackages_for library tier2 fuzz"
            read = subprocess.run(["bash", "-euc", call], capture_output=True, text=True, check=True).stdout.split()
            with self.subTest(script=script):
                self.assertEqual(read, packages_for("library", "tier2", "fuzz"))


if __name__ == "__main__":
    unittest.main()
