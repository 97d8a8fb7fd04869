# SPDX-License-Identifier: Apache-2.0
import unittest

from api.contract_check import problems


class Contract(unittest.TestCase):
    def test_contract_names_tests_that_exist(self) -> None:
        self.assertEqual(problems(), [])
