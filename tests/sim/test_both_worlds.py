# SPDX-License-Identifier: Apache-2.0
"""The same run in both worlds: the operations of a seed on real links and a real Redis, and on the simulated ones."""

import os
import subprocess
from pathlib import Path

from support.case import SettledCase, program
from support.link_model import Operation
from support.random_run import Run

SEEDS = range(1, 11)
PORTS = 16

# Real operations as steps of the simulator: act, delay in ns, three numbers. Operations without a counterpart are left
# out; the simulator's own seeds have more of them.
STEPS = {
    "admin": lambda port, up: [("admin", 0, port, 0, 1 + up)],
    "carrier": lambda port, up: [("carrier", 0, port, 0, 1 + up)],
    "mtu": lambda port, mtu: [("mtu", 0, port, mtu - 1000, 0)],
    "mac": lambda port, *_: [("address", 0, port, port, 0)],
    "delete": lambda port, *_: [("remove", 0, port, 0, 0)],
    "create": lambda port, *_: [("add", 0, port, 0, 0)],
    "recreate": lambda port, *_: [("replace", 0, port, 0, 1)],
    "rename": lambda port, number, *_: [("rename", 0, port, number, 1)],
    "swap": lambda port, number, *_: [("swap", 0, port, number, 0)],
    "bounce": lambda port: [("admin", 0, port, 0, 0)] * 2,
    "move_away": lambda port: [("remove", 0, port, 0, 0)],
    "move_back": lambda port: [("add", 0, port, 0, 0)],
    "enslave": lambda port, *_: [("enslave", 0, port, 0, 0)],
    "release": lambda port: [("enslave", 0, port, 0, 0)],
    "altname": lambda port: [("alternative_name", 0, port, 0, 0)],
    "nap": lambda ms: [("save", ms * 1_000_000, 0, 0, 0)],  # only the delay matters
    "overrun": lambda count: [("overrun", 0, 0, count, 0)],
    "client_kill": lambda: [("kill_clients", 0, 0, 0, 0)],
    "flushdb": lambda: [("flush", 0, 0, 0, 0)],
    "edit_row": lambda port: [("edit_row", 0, port, 2, 2)],
    "delete_row": lambda port: [("delete_row", 0, port, 0, 1)],
    "redis_kill": lambda *_: [("stop_redis", 0, 0, 1, 500)],
    "daemon_kill": lambda *_: [("kill_process", 0, 0, 0, 100)],
    "idle_timeout": lambda seconds: [("idle_timeout", 0, 0, seconds - 1, 1 if seconds else 0)],
    "settle": lambda: [("calm", 0, 0, 0, 0)],
}


def scenario(seed: int, operations: list[Operation]) -> str:
    lines = [f"seed {seed}", f"ports {PORTS}"]
    for kind, *numbers in operations:
        for step in STEPS.get(kind, lambda *_: [])(*numbers):
            lines.append("step " + " ".join(map(str, step)))
    return "\n".join(lines) + "\n"


class BothWorlds(SettledCase):
    def test_ten_seeds(self) -> None:
        for seed in SEEDS:
            with self.subTest(seed=seed):
                run = Run.of_seed(seed, PORTS, 60)
                path = Path(self.directory, f"{seed}.txt")
                path.write_text(scenario(seed, run.operations))
                simulated = subprocess.run([program("tests/sim/sim"), "--replay", str(path)], text=True,
                                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
                self.assertEqual(simulated.returncode, 0, simulated.stdout)
                run.carry_out(shrink_seconds=0 if os.environ.get("CI") else 30)

    def settle(self) -> None:
        """Does nothing, because each run settles by itself in both worlds."""
