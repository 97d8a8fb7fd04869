# SPDX-License-Identifier: Apache-2.0
"""Random runs of the real thing: one that is always the same, one that never was before; see support/convergence.py."""

import random
import unittest

from support.random_run import Run, choose_run
from support.shrink import shrink

FIXED_SEED = 8
PORTS, OPERATIONS = 64, 1200
SHRINK_SECONDS = 60.0


class Convergence(unittest.TestCase):
    def test_fixed_seed(self) -> None:
        self.check(FIXED_SEED)

    def test_fresh_seed(self) -> None:
        self.check(random.SystemRandom().randrange(1 << 32))

    def check(self, seed: int) -> None:
        print(f"seed {seed}", flush=True)
        world = Run.of_seed(seed, PORTS, OPERATIONS).carry_out(SHRINK_SECONDS)
        done, refused = sum(world.links.done.values()), sum(world.links.refused.values())
        print(f"{done} link operations done, {refused} refused by the kernel, {world.settles} times equal, "
              f"{world.judged} writes judged", flush=True)
        self.assertGreater(done, OPERATIONS // 3)
        self.assertGreater(world.judged, 100)


class Tools(unittest.TestCase):
    def test_the_same_seed_is_the_same_run(self) -> None:
        self.assertEqual(choose_run(7, 64, 500), choose_run(7, 64, 500))
        self.assertNotEqual(choose_run(7, 64, 500), choose_run(8, 64, 500))

    def test_shrink_leaves_what_must_be_together(self) -> None:
        short = shrink(list(range(1000)), lambda some: {17, 640, 641} <= set(some), lambda: True)
        self.assertEqual(short, [17, 640, 641])
        left = iter([True] * 3 + [False] * 9)
        self.assertLess(len(shrink(list(range(1000)), lambda some: 999 in some, lambda: next(left))), 300)
