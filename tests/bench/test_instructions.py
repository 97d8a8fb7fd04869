# SPDX-License-Identifier: Apache-2.0
"""The gate on how many instructions an event takes from the socket's buffer to where it waits for a sink. Release only."""

import os
import unittest

from support import limits

FEW, MANY = 1000, 6000


class Instructions(unittest.TestCase):
    def instructions(self, what: str) -> float:
        """By callgrind. The difference of two runs: what comes before and after the events is not in it."""
        def run(events: int) -> int:
            return limits.number(r"Collected : (\d+)", limits.hot_path(
                what, events, limits.need("valgrind"), "--tool=callgrind", f"--callgrind-out-file={os.devnull}"))
        return (run(MANY) - run(FEW)) / (MANY - FEW)

    def test_decode(self) -> None:
        limits.check(self, "instructions per event, decode", self.instructions("decode"))

    def test_decode_and_coalesce(self) -> None:
        limits.check(self, "instructions per event, decode and coalesce", self.instructions("coalesce"))
