# SPDX-License-Identifier: Apache-2.0
"""
The limits on the cost of an event, tests/bench/limits.json: figures that do not depend on how busy the machine is.
"""

import json
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from support.case import program

FILE = Path(__file__).resolve().parent.parent / "bench" / "limits.json"


def check(case: unittest.TestCase, figure: str, value: float) -> None:
    """Fails with the figure's name, its value and its limit."""
    limit = json.loads(FILE.read_text())[figure]
    print(f"     {figure}: {value:g}, limit {limit:g}", flush=True)
    if value > limit:
        case.fail(f"{figure}: {value:g}, but the limit in {FILE.name} is {limit:g}")


def need(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise unittest.SkipTest(f"{name} is not installed")
    return path


def allocations(what: str) -> float:
    """Returns the allocations of an event in the steady state."""
    events = 3000
    return number(r"allocations=(\d+)", hot_path(what, events)) / events


def instructions(what: str) -> float:
    """
    Returns the instructions of an event, counted by callgrind, as the difference of two runs, without start and end.
    """
    few, many = 1000, 6000
    valgrind = (need("valgrind"), "--tool=callgrind", f"--callgrind-out-file={os.devnull}")
    first, second = (number(r"Collected : (\d+)", hot_path(what, events, *valgrind)) for events in (few, many))
    return (second - first) / (many - few)


def hot_path(what: str, events: int, *under: str) -> str:
    """Runs hot_path, if given under another program. Returns the output of both."""
    done = subprocess.run([*under, program("tests/bench/hot_path"), what, str(events)],
                          capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    if found is None:
        raise AssertionError(f"no {pattern} in {text!r}")
    return int(found[1])
