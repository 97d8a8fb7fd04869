# SPDX-License-Identifier: Apache-2.0
"""tests/contract.tsv: every test that it names exists, and every row has a test or the issue that will add one."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
TABLE = TESTS / "contract.tsv"


def exists(test: str) -> bool:
    """`folder/file::name`: a Python method or a Boost.Test case of that name in that file."""
    path, _, name = test.partition("::")
    file = TESTS / path
    if not name or not file.is_file():
        return False
    return re.search(rf"def {name}\(|BOOST_\w+_TEST_CASE\({name}\b", file.read_text()) is not None


def problems() -> list[str]:
    wrong, seen = [], set()
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        where = f"{TABLE.name}:{number}: "
        if len(cells) != 3 or not all(cells):
            wrong.append(where + "wanted: row id, promise, tests, with a tab between")
            continue
        row, _, tests = cells
        if row in seen:
            wrong.append(where + f"{row} is there twice")
        seen.add(row)
        for test in tests.split():
            if not exists(test) and not re.fullmatch(r"-|#\d+", test):
                wrong.append(where + f"no such test: {test}")
        if tests.startswith("-") and not re.search(r"#\d+", tests):
            wrong.append(where + "no test and no issue")
    return wrong if seen else ["contract.tsv is empty"]


if __name__ == "__main__":
    raise SystemExit("\n".join(problems()) or 0)
