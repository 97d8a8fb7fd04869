# SPDX-License-Identifier: Apache-2.0
"""Adds up the results of one run of tests/run.sh: test cases of all builds, and steps that are not tests.

  results.py STEPS_FILE BUILD...

A build's results are its last `meson test` (meson-logs/testlog.json) and the JUnit files that the tests wrote (junit/).
A test program that died without a result counts as one failed case. STEPS_FILE has lines of name<TAB>passed, failed, or
skipped<TAB>reason.
With CI set, a skip whose name and reason are not in tests/skips.txt fails the run.
"""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

SKIPS = Path(__file__).resolve().parent.parent / "skips.txt"


@dataclass
class Sum:
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)  # name, reason

    def add_junit(self, path: Path, label: str) -> int:
        """Adds the cases of a JUnit file. Returns the number of failed ones."""
        failures = 0
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = f"{label}: {case.get('name')}"
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                failures += 1
                self.failed.append(name)
            elif skipped is not None:
                reason = skipped.get("message") or case.findtext("system-out", "").strip()
                self.skipped.append((case.get("name", ""), reason))
            else:
                self.passed += 1
        return failures

    def add_build(self, build: Path) -> None:
        log = build / "meson-logs" / "testlog.json"
        if not log.exists():
            self.failed.append(f"{build.name}: no tests ran")
            return
        for line in log.read_text().splitlines():
            test = json.loads(line)
            name, result = test["name"].rpartition("/")[2].rpartition(" ")[2], test["result"]
            label = f"{build.name}: {name}"
            junit = build / "junit" / f"{name}.xml"
            failures = 0
            if junit.exists():
                try:
                    failures = self.add_junit(junit, label)
                except ElementTree.ParseError:
                    failures = 0
            elif result == "OK":
                self.passed += 1
            elif result == "SKIP":
                self.skipped.append((name, "the program skipped itself"))
            if result not in ("OK", "SKIP", "EXPECTEDFAIL") and failures == 0:
                alone = f"meson test -C {os.path.relpath(build)} -v {name}"
                self.failed.append(f"{label}: {result.lower()} (alone: {alone})")

    def add_steps(self, path: Path) -> None:
        for line in path.read_text().splitlines():
            name, result, reason = (line + "\t").split("\t")[:3]
            if result == "passed":
                self.passed += 1
            elif result == "skipped":
                self.skipped.append((name, reason))
            else:
                self.failed.append(name)

    def unlisted_skips(self) -> list[tuple[str, str]]:
        lines = SKIPS.read_text().splitlines() if SKIPS.exists() else []
        listed = [line.partition("\t")[::2] for line in lines if line and not line.startswith("#")]
        return [(n, r) for n, r in self.skipped if not any(n == name and reason in r for name, reason in listed)]


def main() -> int:
    total = Sum()
    total.add_steps(Path(sys.argv[1]))
    for build in sys.argv[2:]:
        total.add_build(Path(build))
    for name, reason in sorted(set(total.skipped)):
        print(f"skipped: {name} ({reason})")
    for name in total.failed:
        print(f"FAILED: {name}")
    bad_skips = sorted(set(total.unlisted_skips())) if os.environ.get("CI") else []
    for name, reason in bad_skips:
        print(f"FAILED: skipped in CI without being listed in tests/skips.txt: {name} ({reason})")
    print(f"{total.passed} passed, {len(total.failed) + len(bad_skips)} failed, {len(total.skipped)} skipped")
    return 1 if total.failed or bad_skips or total.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
