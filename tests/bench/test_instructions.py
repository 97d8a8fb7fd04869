# SPDX-License-Identifier: Apache-2.0
"""The limit on the instructions that an event takes from the buffer to its sink's queue. Release builds only."""

import unittest

from support import limits


class Instructions(unittest.TestCase):
    def test_decode(self) -> None:
        limits.check(self, "instructions per event, decode", limits.instructions("decode"))

    def test_decode_and_coalesce(self) -> None:
        limits.check(self, "instructions per event, decode and coalesce", limits.instructions("coalesce"))
