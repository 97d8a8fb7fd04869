# SPDX-License-Identifier: Apache-2.0
"""Delta debugging: the shortest part of a list that still fails, as far as the time allows."""

from typing import Callable, TypeVar

T = TypeVar("T")


def shrink(items: list[T], fails: Callable[[list[T]], bool], in_time: Callable[[], bool]) -> list[T]:
    """
    Takes out ever smaller stretches for as long as the rest fails. `fails(items)` must have been true. When the time is
    up the best so far is returned. With time enough, no single item of the result can be taken out.
    """
    size = max(1, len(items) // 2)
    while True:
        before = len(items)
        at = 0
        while at < len(items):
            if not in_time():
                return items
            rest = items[:at] + items[at + size:]
            if rest and fails(rest):
                items = rest
            else:
                at += size
        if size == 1 and len(items) == before:
            return items
        size = max(1, min(size // 2, len(items) // 2))
