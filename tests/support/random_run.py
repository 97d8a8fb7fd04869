# SPDX-License-Identifier: Apache-2.0
"""Random runs: made from a seed, written to a file when they fail, replayed, and cut to a short one that fails, too."""

import json
import math
import os
import random
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

from support.convergence import BUFFERS, Failed, World, carry_out
from support.faults_config import NOTHING
from support.faults_kernel import STEADY
from support.faults_redis import ONLY_PORTSYNCD, READS
from support.link_model import LinkChooser, Operation
from support.refusals import REFUSALS
from support.shrink import shrink

LINGERING = 0.2  # the share of troubles that last long enough for the verdict
ROUNDS = (20, 60, 150, 400)          # link operations between two settles
LONG_ROUNDS = (60, 150, 400, 1200)   # for rounds in which faults take most of the time


def choose_run(seed: int, ports: int, count: int, rounds: tuple[int, ...] = ROUNDS) -> list[Operation]:
    """
    Returns `count` link operations in bursts, with faults between them and regular settles, chosen by the seed alone.
    """
    choose = random.Random(seed)
    links = LinkChooser(choose, STEADY, ports)
    run: list[Operation] = [_daemon_start(choose)]
    done = 0
    while done < count:
        left = min(count - done, choose.choice(rounds))
        done += left
        pieces = [list(piece) for piece in _faults_of_a_round(choose, ports)]
        while any(pieces) or left > 0:
            size = min(left, choose.randrange(1, 80))
            left -= size
            run += links.burst(size)
            open_pieces = [piece for piece in pieces if piece]
            if open_pieces:
                run.append(choose.choice(open_pieces).pop(0))
            if choose.random() < 0.3:
                run.append(("nap", choose.randrange(1, 20)))
        run.append(("settle",))
    return run


# Kinds of faults that portsyncd does not survive yet, and why. It should be empty.
NOT_YET: dict[str, str] = {}

Fault = Callable[[random.Random, int], list[Operation]]


def _pick(choose: random.Random, *some: Any) -> Any:
    return choose.choice(some)


def _pick_refusal(choose: random.Random, *some: str) -> str:
    return choose.choice([kind for kind in some if kind not in NOT_YET])


def _linger(choose: random.Random) -> list[Operation]:
    """Most troubles are short; some last as long as the verdict may take to show them."""
    return [("linger",)] if choose.random() < LINGERING else [("nap", 100)]


def _daemon_start(choose: random.Random, scope: int = 0) -> Operation:
    return ("daemon_start", _pick(choose, 0, 1, 1, 1, 2), choose.randrange(len(BUFFERS)), _pick(choose, 1, 2), scope)


def _edits(choose: random.Random, ports: int) -> list[Operation]:
    return [(_pick(choose, "delete_row", "edit_row", "edit_index"), choose.randrange(ports))
            for _ in range(1 + choose.randrange(8))]


def _anything(choose: random.Random, ports: int) -> list[Operation]:
    """Returns something that can happen while the kernel's lock is held or links churn."""
    return _pick(choose, [("client_kill",)], [("flushdb",)], _edits(choose, ports), [("redis_kill", 0), ("redis_start",)],
                 [("daemon_kill", choose.randrange(2)), _daemon_start(choose)], [("freeze",), ("overrun", 500), ("thaw",)],
                 [])


# The faults of a round, by kind. Other faults and bursts of link operations come between a fault's operations.
FAULTS: dict[str, Fault] = {
    "stopped": lambda c, n: [("freeze",), ("thaw",)],
    "overrun": lambda c, n: [("freeze",), ("overrun", 3000), ("thaw",)],
    "overrun under load": lambda c, n: [("freeze",), ("overrun", 3000), ("load", "mixed"), ("thaw",)],
    "overrun under churn": lambda c, n: [("freeze",), ("overrun", 3000), ("load", _pick(c, "churn", "churn_ports")),
                                         ("thaw",), *_linger(c), ("unload",)],
    "load": lambda c, n: [("load", _pick(c, "mixed", "mtu", "alias", "churn", "churn_ports")), ("unload",)],
    "restart": lambda c, n: [("daemon_kill", c.randrange(2)), _daemon_start(c)],
    "start under churn": lambda c, n: [("load", _pick(c, "churn", "churn_ports")), ("daemon_kill", c.randrange(2)),
                                       _daemon_start(c), *_linger(c), ("unload",)],
    "lock held": lambda c, n: [("hold_lock", 20 + c.randrange(100)), *_anything(c, n), *_linger(c), ("await_lock",)],
    "redis restart": lambda c, n: [("redis_save",), ("redis_kill", c.randrange(2)), ("redis_start",)],
    "redis crash": lambda c, n: [("redis_kill", c.randrange(2)), *_linger(c), ("redis_start",)],
    "redis stopped": lambda c, n: [("redis_stop",), _pick(c, ("nap", 50), ("nap", 1500), ("linger",)),
                                   ("redis_continue",)],
    "redis pause": lambda c, n: [("pause", _pick(c, 50, 600), _pick(c, "ALL", "WRITE"))],
    "connection lost": lambda c, n: [("client_kill",)] * (1 + c.randrange(3)),
    "connection lost under load": lambda c, n: [("load", "mixed")] + [("client_kill",)] * (1 + c.randrange(3)),
    "connection lost with writes on their way": lambda c, n: [("pause", 600, "WRITE"), ("client_kill",)],
    "refused": lambda c, n: [("refuse", _pick_refusal(c, *REFUSALS)), *_linger(c), ("unrefuse",)],
    "refused, edited": lambda c, n: [("refuse", _pick_refusal(c, *ONLY_PORTSYNCD)), *_edits(c, n), *_linger(c), ("unrefuse",)],
    "reads refused": lambda c, n: [("refuse", _pick_refusal(c, *READS)), *_edits(c, n), *_linger(c),
                                   ("unrefuse",)],
    "HMGET renamed": lambda c, n: [("redis_rename", "HMGET"), *_edits(c, n), *_linger(c), ("redis_save",),
                                   ("redis_kill", 0), ("redis_start",)],
    "index refused": lambda c, n: [("refuse", _pick_refusal(c, "wrongtype_index", "noperm_index", "noauth")), *_linger(c), ("unrefuse",)],
    "wrong server": lambda c, n: [("refuse", _pick_refusal(c, "readonly", "masterdown", "loading", "tls_only")), *_linger(c),
                                  ("unrefuse",)],
    "idle timeout": lambda c, n: [("idle_timeout", 1 + c.randrange(3)), *_linger(c), ("idle_timeout", 0)],
    "edited": lambda c, n: [*_edits(c, n), *_linger(c)],
    "flushed": lambda c, n: [("flushdb",), *_linger(c)],
    "rollback": lambda c, n: [("keep",), *_linger(c), ("rollback", _pick(c, "swap", "restore", "reload", "flush")),
                              *_linger(c)],
    "forged": lambda c, n: [("spoof", c.randrange(n))],
    "narrower filter": lambda c, n: [("filter", _pick(c, 1, 2)), *_linger(c)] + _pick(c, [], [("filter", 0)]),
    "narrower filter at a restart": lambda c, n: [("daemon_kill", c.randrange(2)), ("filter", _pick(c, 1, 2)),
                                                  _daemon_start(c)] + _pick(c, [], [("filter", 0)]),
    "filter of nothing": lambda c, n: [("filter", NOTHING), *_linger(c), ("filter", 0)],
    "filter of nothing at a restart": lambda c, n: [("daemon_kill", c.randrange(2)), ("filter", NOTHING),
                                                    _daemon_start(c), *_linger(c), ("filter", 0)],
    "no port": lambda c, n: [("all_away",), *_linger(c), ("all_home",)],
    "configured": lambda c, n: [("config_fill", _pick(c, 0, 3, 7)), ("config_ready",), ("daemon_kill", c.randrange(2)),
                                _daemon_start(c, 1), ("config_port", c.randrange(n), c.randrange(2)), *_linger(c)],
    "config reload": lambda c, n: [("config_fill", 0), ("config_ready",), ("daemon_kill", c.randrange(2)),
                                   _daemon_start(c, 1), *_linger(c), ("config_flush",), *_linger(c),
                                   ("config_fill", _pick(c, 0, 3, 7)), *_linger(c), ("config_ready",), *_linger(c)],
}


def _faults_of_a_round(choose: random.Random, ports: int) -> Iterator[list[Operation]]:
    for _ in range(choose.choice((0, 1, 1, 1, 2, 3))):
        kind = choose.choice([kind for kind in FAULTS if kind not in NOT_YET])
        yield FAULTS[kind](choose, ports)


class Run:
    """A run that is written to a file and shortened if it fails."""

    def __init__(self, ports: int, operations: list[Operation], seed: Optional[int] = None) -> None:
        self.ports, self.operations, self.seed = ports, operations, seed

    @staticmethod
    def of_seed(seed: int, ports: int, count: int, rounds: tuple[int, ...] = ROUNDS) -> "Run":
        return Run(ports, choose_run(seed, ports, count, rounds), seed)

    @staticmethod
    def of_file(path: Path) -> "Run":
        data = json.loads(path.read_text())
        return Run(data["ports"], [tuple(operation) for operation in data["operations"]], data["seed"])

    def write(self, path: Path, failure: str) -> None:
        lines = ",\n".join("  " + json.dumps(operation) for operation in self.operations)
        head = json.dumps({"seed": self.seed, "ports": self.ports, "failure": failure.splitlines()[0]})
        path.write_text(f'{head[:-1]}, "operations": [\n{lines}\n]}}\n')

    def carry_out(self, shrink_seconds: float, end: float = math.inf) -> World:
        """Raises an AssertionError with the shortest run found that fails, too, and writes that run to a file."""
        try:
            return carry_out(self.ports, self.operations, end)
        except Failed as e:
            failure = e
        path = Path(os.environ["PORTSYNC_BUILD"], f"convergence-{self.seed}.json")
        self.write(path, str(failure))
        print(f"seed {self.seed}: {failure}", flush=True)  # the shorter run may fail in another way
        print(f"all of it is in {path}; making it shorter", flush=True)
        short, failure = self._shrink(failure, shrink_seconds)
        short_path = path.with_suffix(".short.json")
        short.write(short_path, str(failure))
        listing = "\n".join(f"  {operation}" for operation in short.operations[:200])
        raise AssertionError(f"seed {self.seed}, {self.ports} ports: {failure}\n{len(short.operations)} of "
                             f"{len(self.operations)} operations fail as well; tests/run.sh --replay {short_path}\n"
                             f"{listing}")

    def _shrink(self, failure: Failed, seconds: float) -> tuple["Run", Failed]:
        end = time.monotonic() + seconds
        tried = 0

        def fails(operations: list[Operation]) -> bool:
            nonlocal failure, tried
            tried += 1
            try:
                carry_out(self.ports, operations)
            except Failed as e:
                failure = e
                return True
            return False

        # Nothing after the failure matters, and mostly nothing before its round does.
        operations = self.operations[:failure.operation + 1]
        rounds = [i + 1 for i, operation in enumerate(operations[:-1]) if operation[0] == "settle"]
        for begin in rounds[-1:] + rounds[-2:-1] + rounds[-5:-4]:
            some = operations[begin:]
            if time.monotonic() < end and fails(some + ([] if some[-1] == ("settle",) else [("settle",)])):
                operations = some
                break
        faults = [operation for operation in operations if operation[0] not in LinkChooser.WEIGHTS]
        if time.monotonic() < end and fails(faults):
            operations = faults
        operations = shrink(operations, fails, lambda: time.monotonic() < end)
        print(f"{tried} shorter runs tried", flush=True)
        return Run(self.ports, operations, self.seed), failure
