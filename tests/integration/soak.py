# SPDX-License-Identifier: Apache-2.0
"""
Carries out random runs (support/random_run.py) of up to 20,000 link operations, one after the other. Ends after
PORTSYNC_SOAK_MINUTES, or when the kernel has carried out PORTSYNC_SOAK_OPERATIONS. PORTSYNC_SOAK_SEED is the seed of
the first run. With PORTSYNC_REPLAY, carries out the run in that file instead.
"""

import math
import os
import random
import time
import unittest
from collections import Counter
from pathlib import Path

from support.random_run import LONG_ROUNDS, Run

OPERATIONS = int(os.environ.get("PORTSYNC_SOAK_OPERATIONS") or "0")
MINUTES = float(os.environ.get("PORTSYNC_SOAK_MINUTES") or ("inf" if OPERATIONS else "2"))
SEED = int(os.environ.get("PORTSYNC_SOAK_SEED") or random.SystemRandom().randrange(1 << 32))
REPLAY = os.environ.get("PORTSYNC_REPLAY")
PORTS = (64, 128, 256, 512)
OPERATIONS_OF_A_RUN = 20_000  # about three quarters apply; for the others the link is gone, or exists already
SHRINK_SECONDS = 600.0


class Soak(unittest.TestCase):
    def test_random_runs(self) -> None:
        began = time.monotonic()
        end = began + 60 * MINUTES
        seed, done, settles = SEED, 0, 0
        seeds: list[int] = []
        faults: Counter[str] = Counter()
        while time.monotonic() < end and (not OPERATIONS or done < OPERATIONS):
            ports = PORTS[seed % len(PORTS)]
            left = f"{OPERATIONS - done} operations" if OPERATIONS else f"{(end - time.monotonic()) / 60:.1f} min"
            print(f"PORTSYNC_SOAK_SEED={seed} with {ports} ports, {left} to go", flush=True)
            count = min(OPERATIONS_OF_A_RUN, 200 + math.ceil((OPERATIONS - done) / 0.75) if OPERATIONS else math.inf)
            run_began = time.monotonic()
            world = Run.of_seed(seed, ports, int(count), LONG_ROUNDS).carry_out(SHRINK_SECONDS, end)
            links = sum(world.links.done.values())
            print(f"  {links} link operations done, {sum(world.links.refused.values())} refused by the kernel, "
                  f"{world.settles} times equal, {world.judged} writes judged, verdict and rows compared "
                  f"{world.honesty.samples} times, RSS {world.levels[-1][1] >> 10} kB, "
                  f"{time.monotonic() - run_began:.0f} s", flush=True)
            done, settles = done + links, settles + world.settles
            faults += world.faults
            seeds.append(seed)
            seed = (seed + 1) % (1 << 32)
        minutes = (time.monotonic() - began) / 60
        print(f"{done} link operations done in {minutes:.1f} min, {done / minutes / 60:.0f} a second; "
              f"seeds {', '.join(map(str, seeds))}; {settles} times equal\nfaults: "
              f"{', '.join(f'{kind} {count}' for kind, count in sorted(faults.items()))}", flush=True)

    @unittest.skipUnless(REPLAY, "no replay was asked for")
    def test_replay(self) -> None:
        Run.of_file(Path(REPLAY or "")).carry_out(0)
