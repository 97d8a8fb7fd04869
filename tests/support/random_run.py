# SPDX-License-Identifier: Apache-2.0
"""Random runs: made by a seed, written to a file when they fail, replayed, and cut to a short one that fails too."""

import json
import math
import os
import random
import time
from pathlib import Path
from typing import Callable, Iterator, Optional

from support.convergence import BUFFERS, STEADY, Failed, World, carry_out
from support.link_model import LinkChooser, Operation
from support.refusals import REFUSALS
from support.shrink import shrink


def choose_run(seed: int, ports: int, count: int) -> list[Operation]:
    """`count` link operations in bursts, with faults between them, settled every now and then; by the seed alone."""
    choose = random.Random(seed)
    links = LinkChooser(choose, STEADY, ports)
    run: list[Operation] = []
    done = 0
    while done < count:
        left = min(count - done, choose.choice((20, 60, 150, 400)))
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


def _faults_of_a_round(choose: random.Random, ports: int) -> Iterator[list[Operation]]:
    pick = choose.randrange
    any_number = lambda: pick(ports)  # noqa: E731
    faults: list[Callable[[], list[Operation]]] = [
        lambda: [("freeze",), ("thaw",)],
        lambda: [("freeze",), ("overrun", 3000), ("thaw",)],
        lambda: [("freeze",), ("overrun", 3000), ("load", "mixed"), ("thaw",)],
        lambda: [("load", choose.choice(("mixed", "mtu", "alias", "churn"))), ("unload",)],
        lambda: [("daemon_kill", pick(2)), ("daemon_start", pick(2), pick(len(BUFFERS)))],
        lambda: [("redis_save",), ("redis_kill", pick(2)), ("redis_start",)],
        lambda: [("redis_kill", pick(2)), ("redis_start",)],
        lambda: [("redis_stop",), ("nap", choose.choice((50, 1500))), ("redis_continue",)],
        lambda: [("pause", choose.choice((50, 600)), choose.choice(("ALL", "WRITE")))],
        lambda: [("client_kill",)] * (1 + pick(3)),
        lambda: [("load", "mixed")] + [("client_kill",)] * (1 + pick(3)),
        lambda: [("pause", 600, "WRITE"), ("client_kill",)],  # with writes on their way
        lambda: [("refuse", choose.choice(list(REFUSALS))), ("nap", 100), ("unrefuse",)],
        lambda: [(choose.choice(("delete_row", "edit_row", "edit_index")), any_number()) for _ in range(1 + pick(8))],
        lambda: [("flushdb",)],
        lambda: [("spoof", any_number())],
    ]
    for _ in range(choose.choice((0, 1, 1, 1, 2, 3))):
        yield choose.choice(faults)()


class Run:
    """A run that is written to a file when it fails, and made short."""

    def __init__(self, ports: int, operations: list[Operation], seed: Optional[int] = None) -> None:
        self.ports, self.operations, self.seed = ports, operations, seed

    @staticmethod
    def of_seed(seed: int, ports: int, count: int) -> "Run":
        return Run(ports, choose_run(seed, ports, count), seed)

    @staticmethod
    def of_file(path: Path) -> "Run":
        data = json.loads(path.read_text())
        return Run(data["ports"], [tuple(operation) for operation in data["operations"]], data["seed"])

    def write(self, path: Path, failure: str) -> None:
        lines = ",\n".join("  " + json.dumps(operation) for operation in self.operations)
        head = json.dumps({"seed": self.seed, "ports": self.ports, "failure": failure.splitlines()[0]})
        path.write_text(f'{head[:-1]}, "operations": [\n{lines}\n]}}\n')

    def carry_out(self, shrink_seconds: float, end: float = math.inf) -> World:
        """An AssertionError with the shortest run that fails as well, which is in a file too."""
        try:
            return carry_out(self.ports, self.operations, end)
        except Failed as e:
            failure = e
        path = Path(os.environ["PORTSYNC_BUILD"], f"convergence-{self.seed}.json")
        self.write(path, str(failure))
        print(f"seed {self.seed}: {failure}", flush=True)  # what it is made shorter to may fail otherwise
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

        # Nothing after the failure matters; in most cases nothing before its round does.
        operations = self.operations[:failure.operation + 1]
        rounds = [i + 1 for i, operation in enumerate(operations[:-1]) if operation[0] == "settle"]
        for begin in rounds[-1:] + rounds[-2:-1] + rounds[-5:-4]:
            some = operations[begin:]
            if time.monotonic() < end and fails(some + ([] if some[-1] == ("settle",) else [("settle",)])):
                operations = some
                break
        operations = shrink(operations, fails, lambda: time.monotonic() < end)
        print(f"{tried} shorter runs tried", flush=True)
        return Run(self.ports, operations, self.seed), failure
