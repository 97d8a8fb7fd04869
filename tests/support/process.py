# SPDX-License-Identifier: Apache-2.0
"""Child processes that die with the test, and waits for a condition."""

import os
import subprocess
import time
from typing import Any, Callable, Optional, Sequence, TypeVar

T = TypeVar("T")

# Under sanitizers and on a busy machine everything takes longer. A limit is there to end a test, not to measure.
PATIENCE = float(os.environ.get("PORTSYNC_PATIENCE", "1"))


class TimedOut(AssertionError):
    """A condition did not become true within its limit."""


def wait_for(condition: Callable[[], T], limit: float, what: str, pause: float = 0.005) -> T:
    """Returns the first true value of condition(). After `limit` seconds raises TimedOut with what was waited for."""
    deadline = time.monotonic() + limit * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimedOut(f"not within {limit:g} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def command_in(namespace: Optional[Any], args: Sequence[str]) -> list[str]:
    """
    Returns the command line that runs args in a namespace and lets them die with the calling thread, the main one.
    """
    enter = [] if namespace is None else ["nsenter", "--net=" + namespace.path]
    return ["setpriv", "--pdeathsig", "KILL", *enter, *args]


def start(args: Sequence[str], namespace: Optional[Any] = None, **options: Any) -> subprocess.Popen:
    """Starts a process. Its pid is the program's own, because every step on the way is an exec."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(command_in(namespace, args), **options)


def run(args: Sequence[str], namespace: Optional[Any] = None, text: Optional[str] = None) -> str:
    """Runs a command to its end and returns its output. If it fails, raises with its error output."""
    done = subprocess.run(command_in(namespace, args), input=text, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(args)} ended with {done.returncode}: {done.stderr.strip()[:1000]}")
    return done.stdout


def end(process: Optional[subprocess.Popen]) -> None:
    """Kills a process and waits for its end, whatever state it is in."""
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()
