# SPDX-License-Identifier: Apache-2.0
"""
Every source of libportsync and portsyncd has a unit test at its mirrored path, or a reason to be tested elsewhere.
"""

import re
import tempfile
import unittest
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[2]
HEADING = "| source | tested by | why there |"


class Row(NamedTuple):
    source: str
    tests: list[str]
    why: str


def rows(readme: str) -> list[Row]:
    """Returns the rows of the table of tests/README.md."""
    table = readme.partition(HEADING + "\n")[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]
    return [Row(source.strip("`"), re.findall(r"`([^`]+)`", tests), why) for source, tests, why in cells]


def unit_test_of(source: str) -> str:
    """Returns its path below tests/, without the suffix."""
    return "unit/" + source.removeprefix("libportsync/src/").removesuffix(".cpp") + "_test"


def faults(top: Path) -> list[str]:
    """Returns what is missing, superfluous or wrong, in words."""
    tests = top / "tests"
    built = (tests / "meson.build").read_text()
    sources = sorted(str(path.relative_to(top)) for folder in ("libportsync/src", "portsyncd")
                     for path in (top / folder).rglob("*.cpp"))
    table = rows((tests / "README.md").read_text())
    listed = {row.source: row for row in table}
    found = [f"{row.source} stands twice in the table" for row in table if listed[row.source] is not row]
    found += [f"{source} stands in the table and is not there" for source in listed.keys() - set(sources)]
    for source in sources:
        test = unit_test_of(source)
        exists = (tests / f"{test}.cpp").exists()
        if exists and source in listed:
            found.append(f"{source} has {test}.cpp: it needs no line in the table")
        if exists and f"'{test}'" not in built:
            found.append(f"{test}.cpp is not built")
        if not exists and source not in listed:
            found.append(f"{source} has no tests/{test}.cpp, and no line in the table of tests/README.md")
    for row in table:
        if not row.tests or not row.why:
            found.append(f"{row.source} has no test or no reason in the table")
        found += [f"{row.source}: {fault}" for name in row.tests if (fault := fault_of(tests, name))]
    return found


def fault_of(tests: Path, name: str) -> str:
    """Returns what is wrong with a test's name: a path below tests/ without its suffix, and perhaps ::a_case."""
    path, _, case = name.partition("::")
    files = [tests / f"{path}{ending}" for ending in (".cpp", ".py")]
    text = "".join(file.read_text() for file in files if file.exists())
    if not text:
        return f"there is no {path}.cpp or .py"
    if case and not re.search(rf"def {case}\(|_TEST_CASE\({case}\b", text):
        return f"{path} has no {case}"
    return ""


class UnitTests(unittest.TestCase):
    def test_each_source_has_a_unit_test_or_a_reason(self) -> None:
        self.assertEqual("\n".join(faults(TOP)), "")


class ThisTest(unittest.TestCase):
    """Tests faults() on a small tree."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        self.write("libportsync/src/core/a.cpp")
        self.write("portsyncd/app.cpp")
        self.write("tests/unit/core/a_test.cpp")
        self.write("tests/meson.build", "'unit/core/a_test'")
        self.write("tests/integration/test_app.py", "    def test_it(self) -> None:\n")
        self.table("| `portsyncd/app.cpp` | `integration/test_app::test_it` | it is the wiring |")

    def write(self, path: str, text: str = "") -> None:
        (self.top / path).parent.mkdir(parents=True, exist_ok=True)
        (self.top / path).write_text(text)

    def table(self, *lines: str) -> None:
        self.write("tests/README.md", "\n".join(["# Tests", "", HEADING, "|---|---|---|", *lines, "", "More."]))

    def test_nothing_is_wrong(self) -> None:
        self.assertEqual(faults(self.top), [])

    def test_a_source_with_neither(self) -> None:
        self.write("portsyncd/log/new.cpp")
        self.assertEqual(faults(self.top), ["portsyncd/log/new.cpp has no tests/unit/portsyncd/log/new_test.cpp, and no "
                                            "line in the table of tests/README.md"])

    def test_a_test_that_is_not_built(self) -> None:
        self.write("tests/meson.build")
        self.assertEqual(faults(self.top), ["unit/core/a_test.cpp is not built"])

    def test_a_line_for_what_has_a_unit_test_or_is_gone(self) -> None:
        self.table("| `portsyncd/app.cpp` | `integration/test_app` | why |", "| `portsyncd/x.cpp` | `integration/test_app` | why |",
                   "| `libportsync/src/core/a.cpp` | `integration/test_app` | why |")
        self.assertEqual(faults(self.top), ["portsyncd/x.cpp stands in the table and is not there",
                                            "libportsync/src/core/a.cpp has unit/core/a_test.cpp: it needs no line in the table"])

    def test_names_of_tests_that_are_not_there(self) -> None:
        self.table("| `portsyncd/app.cpp` | `integration/test_app::test_other` `integration/none` | why |")
        self.assertEqual(faults(self.top), ["portsyncd/app.cpp: integration/test_app has no test_other",
                                            "portsyncd/app.cpp: there is no integration/none.cpp or .py"])

    def test_a_line_without_a_reason(self) -> None:
        self.table("| `portsyncd/app.cpp` | `integration/test_app` | |")
        self.assertEqual(faults(self.top), ["portsyncd/app.cpp has no test or no reason in the table"])


if __name__ == "__main__":
    unittest.main()
