# SPDX-License-Identifier: Apache-2.0
"""Child processes that die with the test, and waiting for a condition instead of sleeping in hope."""

import os
import subprocess
import time
from typing import Any, Callable, Optional, Sequence, TypeVar

T = TypeVar("T")

# Under sanitizers and on a busy machine everything takes longer; a limit is there to end a test, not to measure.
PATIENCE = float(os.environ.get("PORTSYNC_PATIENCE", "1"))


class TimedOut(AssertionError):
    """A condition did not come true within its limit."""


def wait_for(condition: Callable[[], T], limit: float, what: str, pause: float = 0.005) -> T:
    """Returns the first true value of condition(); raises TimedOut, with what was waited for, after `limit` seconds."""
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
    """The command line that runs args in a namespace and lets them die with this thread: call from the main one."""
    enter = [] if namespace is None else ["nsenter", "--net=" + namespace.path]
    return ["setpriv", "--pdeathsig", "KILL", *enter, *args]


def start(args: Sequence[str], namespace: Optional[Any] = None, **options: Any) -> subprocess.Popen:
    """Starts a process; its pid is the program's own, for every step on the way to it is an exec."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(command_in(namespace, args), **options)


def run(args: Sequence[str], namespace: Optional[Any] = None, text: Optional[str] = None) -> str:
    """Runs a command to its end and returns its output; raises with its error output when it fails."""
    done = subprocess.run(command_in(namespace, args), input=text, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(args)} ended with {done.returncode}: {done.stderr.strip()[:1000]}")
    return done.stdout


def end(process: Optional[subprocess.Popen]) -> None:
    """Kills a process of ours and waits for it, whatever state it is in."""
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()
