# SPDX-License-Identifier: Apache-2.0
"""Delta debugging: the shortest part of a list that still fails, as far as the time allows."""

from typing import Callable, TypeVar

T = TypeVar("T")


def shrink(items: list[T], fails: Callable[[list[T]], bool], in_time: Callable[[], bool]) -> list[T]:
    """
    Removes ever smaller stretches as long as the rest fails. `fails(items)` must have been true. Returns the best
    result so far when the time is over. With enough time, no single item of the result can be removed.
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
