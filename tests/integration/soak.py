# SPDX-License-Identifier: Apache-2.0
"""
Random runs (support/random_run.py) of 20,000 link operations each, for PORTSYNC_SOAK_MINUTES, the first with
PORTSYNC_SOAK_SEED; or the run in the file PORTSYNC_REPLAY.
"""

import os
import random
import time
import unittest
from pathlib import Path

from support.random_run import Run

MINUTES = float(os.environ.get("PORTSYNC_SOAK_MINUTES") or "2")
SEED = int(os.environ.get("PORTSYNC_SOAK_SEED") or random.SystemRandom().randrange(1 << 32))
REPLAY = os.environ.get("PORTSYNC_REPLAY")
PORTS = (64, 128, 256, 512)
OPERATIONS = 20_000  # of which about half apply: the others find their link gone, or there already
SHRINK_SECONDS = 600.0


class Soak(unittest.TestCase):
    def test_random_runs(self) -> None:
        end = time.monotonic() + 60 * MINUTES
        seed, total = SEED, 0
        while time.monotonic() < end:
            ports = PORTS[seed % len(PORTS)]
            began = time.monotonic()
            print(f"PORTSYNC_SOAK_SEED={seed} with {ports} ports, {(end - began) / 60:.1f} min to go", flush=True)
            world = Run.of_seed(seed, ports, OPERATIONS).carry_out(SHRINK_SECONDS, end)
            total += 1
            done, refused = sum(world.links.done.values()), sum(world.links.refused.values())
            print(f"  {done} link operations done, {refused} refused by the kernel, {world.settles} times equal, "
                  f"{world.judged} writes judged, RSS {world.levels[-1][1] >> 10} kB, {time.monotonic() - began:.0f} s",
                  flush=True)
            seed = (seed + 1) % (1 << 32)
        print(f"{total} runs", flush=True)

    @unittest.skipUnless(REPLAY, "no replay was asked for")
    def test_replay(self) -> None:
        Run.of_file(Path(REPLAY or "")).carry_out(0)
