# SPDX-License-Identifier: Apache-2.0
"""
Runs test files: one line for each test with its time, the daemon's log when one fails, JUnit XML for the sum.

  tests/support/runner.py [--build DIR] [--junit FILE] [--list] test_file.py... [-k PATTERN]

Started by another user than root, it starts itself again in a user and network namespace of its own.
Exit code 0 = all passed, 77 = all were skipped, 1 = something failed.
"""

import argparse
import fnmatch
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import traceback
import unittest
from pathlib import Path
from types import TracebackType
from typing import Any, Iterator, Optional
from xml.etree import ElementTree

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))
LOG_TAIL_LINES = 40


class Result(unittest.TestResult):
    """Prints results as they come, and keeps what the XML needs."""

    def __init__(self, again: str) -> None:
        super().__init__()
        self.cases: list[ElementTree.Element] = []
        self._again = again
        self._began = 0.0

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._began = time.monotonic()
        self._outcome: tuple[str, str] = ("ok", "")

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        outcome, text = self._outcome
        seconds = time.monotonic() - self._began
        name = test.id().rpartition(".")[2]
        group = ".".join(test.id().split(".")[:-1])
        case = ElementTree.Element("testcase", classname=group, name=name, time=f"{seconds:.3f}")
        if outcome != "ok":
            ElementTree.SubElement(case, "skipped" if outcome == "skip" else "failure", message=text.strip()[-1000:])
        self.cases.append(case)
        print(f"{outcome:4} {seconds:7.2f} s  {name}" + (f"  ({text})" if outcome == "skip" else ""), flush=True)
        if outcome == "FAIL":
            print(text)
            print(f"     alone: {self._again} -k {name}", flush=True)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._outcome = ("skip", reason)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self._failed(test, err)

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        if not hasattr(self, "_outcome"):  # setUpClass and the like: no test was started
            self._began = time.monotonic()
            self._outcome = ("ok", "")
        self._failed(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            print(f"     in {subtest}")
            self._failed(test, err)

    def _failed(self, test: unittest.TestCase, err: tuple[type, BaseException, Optional[TracebackType]]) -> None:
        text = "".join(traceback.format_exception(*err))
        for daemon in getattr(test, "daemons", []):
            lines = daemon.log().splitlines()
            text += f"--- portsyncd {daemon.pid}, the last {min(len(lines), LOG_TAIL_LINES)} of {len(lines)} lines\n"
            text += "\n".join(lines[-LOG_TAIL_LINES:]) + "\n"
        self._outcome = ("FAIL", self._outcome[1] + text)


def each(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


def load(path: Path) -> unittest.TestSuite:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def enter_namespaces() -> None:
    """Root needs nothing. For another user, starts again, once, in namespaces in which that user is root."""
    if os.geteuid() == 0 or shutil.which("unshare") is None:
        return
    able = subprocess.run(["unshare", "-Urn", "true"], capture_output=True, check=False).returncode == 0
    if able:
        os.execvp("unshare", ["unshare", "-Urn", "/usr/bin/python3", *sys.argv])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, help="the build folder; default: the environment's PORTSYNC_BUILD")
    parser.add_argument("--junit", type=Path, help="where the results go as JUnit XML")
    parser.add_argument("--list", action="store_true", help="print the names of the tests")
    parser.add_argument("-k", metavar="PATTERN", default="*", help="only tests of this name (a glob)")
    parser.add_argument("files", type=Path, nargs="+")
    options = parser.parse_args()
    if not options.list:
        enter_namespaces()
    if options.build:
        os.environ["PORTSYNC_BUILD"] = str(options.build.resolve())
    build = os.environ.get("PORTSYNC_BUILD", "")
    tests = [test for path in options.files for test in each(load(path))
             if fnmatch.fnmatchcase(test.id().rpartition(".")[2], options.k)]
    if options.list:
        print("\n".join(test.id() for test in tests))
        return 0
    paths = (__file__, build or "build", *options.files)
    runner, folder, *files = (os.path.relpath(path, TESTS.parent) for path in paths)
    result = Result(f"{runner} --build {folder} {' '.join(files)}")
    unittest.TestSuite(tests).run(result)
    if options.junit:
        options.junit.parent.mkdir(parents=True, exist_ok=True)
        root = ElementTree.Element("testsuite", name=options.files[0].stem, tests=str(len(result.cases)))
        root.extend(result.cases)
        ElementTree.ElementTree(root).write(options.junit, encoding="utf-8")
    if not tests:
        print("no such test")
        return 1
    if not result.wasSuccessful():
        return 1
    return 77 if len(result.skipped) == len(tests) else 0


if __name__ == "__main__":
    sys.exit(main())
