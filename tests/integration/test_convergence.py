# SPDX-License-Identifier: Apache-2.0
"""
Random runs on real links and a real Redis: one with a fixed seed, one with a fresh seed; see support/convergence.py.
"""

import math
import random
import unittest

from support import convergence, process
from support.random_run import FAULTS, NOT_YET, Run, choose_run
from support.refusals import REFUSALS
from support.shrink import shrink

FIXED_SEED = 191
PORTS, OPERATIONS = 64, 1000
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
              f"{world.judged} writes judged, verdict and rows compared {world.honesty.samples} times", flush=True)
        self.assertGreater(done, OPERATIONS // 3)
        self.assertGreater(world.judged, 100)


class Tools(unittest.TestCase):
    def test_a_verdict_that_is_not_true_is_found(self) -> None:
        """
        portsyncd makes no audits here, so it cannot notice the row that was edited; the reader expects one audit a
        second.
        """
        for audit in (1, 0):
            with self.subTest(audit=audit):
                world = convergence.World()
                world.ports = 16
                self.addCleanup(world.doCleanups)
                world.setUp()
                world.carry_out([("daemon_start", audit, 2), ("settle",)], math.inf)
                world.honesty.expect(audit=1)
                world.carry_out([("edit_row", 9)], math.inf)
                if audit:
                    world.carry_out([("linger",)], math.inf)
                    self.assertGreater(world.honesty.samples, 5)
                    self.assertEqual(world.honesty.wrong, [])
                else:
                    wrong = process.wait_for(lambda: world.honesty.wrong, 10, "the reader finds it")
                    self.assertIn("PORT_TABLE|Ethernet36 is (None, 'up', 'sideways', '1')", wrong[0])

    def test_the_same_seed_is_the_same_run(self) -> None:
        self.assertEqual(choose_run(7, 64, 500), choose_run(7, 64, 500))
        self.assertNotEqual(choose_run(7, 64, 500), choose_run(8, 64, 500))

    def test_every_kind_of_fault_is_operations_that_there_are(self) -> None:
        for kind, fault in FAULTS.items():
            for seed in range(20):
                for operation, *_ in fault(random.Random(seed), 64):
                    self.assertTrue(hasattr(convergence.World, "_" + operation), f"{operation} of {kind}")
        self.assertLessEqual(set(NOT_YET), {*FAULTS, *REFUSALS})

    def test_shrink_leaves_what_must_be_together(self) -> None:
        short = shrink(list(range(1000)), lambda some: {17, 640, 641} <= set(some), lambda: True)
        self.assertEqual(short, [17, 640, 641])
        left = iter([True] * 3 + [False] * 9)
        self.assertLess(len(shrink(list(range(1000)), lambda some: 999 in some, lambda: next(left))), 300)
