#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes all figures with one command. Builds a release and measures it three times: unpinned, pinned, and pinned with D-Bus
and metrics on. Also counts instructions and allocations.

  tests/bench/bench.py [--build DIR] [--json FILE] [--quick] [NAME...]

Prints one table on standard output, and its progress on standard error. NAME and --quick mean the same as for
portsyncd_bench.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Optional

TOP = Path(__file__).resolve().parent.parent.parent
PROGRAMS = ("portsyncd/portsyncd", "tests/bench/portsyncd_bench", "tests/bench/hot_path")
Figure = dict[str, Any]


def build(folder: Path) -> None:
    if not (folder / "build.ninja").exists():
        subprocess.run(["meson", "setup", str(folder), str(TOP), "--buildtype=release"], check=True, stdout=sys.stderr)
    subprocess.run(["ninja", "-C", str(folder), *PROGRAMS], check=True, stdout=sys.stderr)


def measure(folder: Path, options: list[str]) -> dict[str, Any]:
    """Runs portsyncd_bench once. Returns its figures, including those that could not be measured."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        root = [] if os.geteuid() == 0 else ["unshare", "-Urn"]
        subprocess.run([*root, str(folder / PROGRAMS[1]), "--json", file.name, *options],
                       check=False, stdout=subprocess.DEVNULL)
        return json.loads(Path(file.name).read_text())


def counts(folder: Path) -> list[Figure]:
    """Returns the counts of the way from the buffer to the queue, which are the same in every run."""
    sys.path.insert(0, str(TOP / "tests"))
    os.environ["PORTSYNC_BUILD"] = str(folder)
    from support import limits  # pylint: disable=import-outside-toplevel
    wanted = json.loads(limits.FILE.read_text())
    found = []
    for what, name in (("decode", "decode"), ("coalesce", "decode and coalesce")):
        figures = {f"allocations per event, {name}": limits.allocations(what)}
        if shutil.which("valgrind"):
            figures[f"instructions per event, {name}"] = limits.instructions(what)
        found += [{"name": figure, "value": value, "unit": "", "goal": f"<= {wanted[figure]:,}"}
                  for figure, value in figures.items()]
    return found


def number(value: Optional[float]) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def merge(runs: dict[str, list[Figure]]) -> dict[str, dict[str, Figure]]:
    """Sorts by figure, then by run, in the order in which they were measured."""
    merged: dict[str, dict[str, Figure]] = {}
    for run, figures in runs.items():
        for figure in figures:
            merged.setdefault(figure["name"], {})[run] = figure
    return merged


def table(merged: dict[str, dict[str, Figure]], runs: list[str]) -> str:
    rows = [["figure", "unit", *(f"{run}{column}" for run in runs for column in ("", ", floor", ", ratio")), "goal"]]
    for name, figures in merged.items():
        one = next(iter(figures.values()))
        cells = [number(figures.get(run, {}).get(key)) for run in runs for key in ("value", "floor", "ratio")]
        rows.append([name, one["unit"], *cells, one.get("goal", "")])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    right = range(2, len(rows[0]) - 1)
    lines = ["| " + " | ".join(cell.rjust(width) if i in right else cell.ljust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 1) + (":" if i in right else "-") for i, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=TOP / "build-bench", help="where the release is built")
    parser.add_argument("--json", type=Path, help="where the figures go as JSON")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, nothing at 4,096 ports")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    folder = options.build.resolve()
    build(folder)
    load = os.getloadavg()[0]
    common = [*(["--quick"] if options.quick else []), *options.names]
    runs = {"unpinned": measure(folder, common), "pinned": measure(folder, ["--pin", *common]),
            "all on": measure(folder, ["--pin", "--all-on", *common])}
    counted = counts(folder) if not options.names else []
    machine = runs["unpinned"]["machine"]
    print(f"{machine['daemon']} ({machine['build']}), Linux {machine['kernel']}, {machine['processors']} processors, "
          f"redis {machine['redis']}, load average {load:.2f} before\n")
    merged = merge({run: result["figures"] for run, result in runs.items()})
    merged.update(merge({"unpinned": counted}))
    print(table(merged, list(runs)))
    missing = [(run, each) for run, result in runs.items() for each in result["not_measured"]]
    for run, each in missing:
        print(f"\nNOT MEASURED, {run}: {each['name']}: {each['reason']}")
    if options.json:
        options.json.write_text(json.dumps({**runs, "load_before": load, "counted": counted}, indent=2) + "\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
