# SPDX-License-Identifier: Apache-2.0
"""tests/packages.list: which of Debian's packages serve which purpose."""

from pathlib import Path

LIST = Path(__file__).resolve().parents[1] / "packages.list"


def by_purpose() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in LIST.read_text().splitlines():
        purpose, *packages = line.partition("#")[0].split() or [""]
        if purpose:
            found.setdefault(purpose, []).extend(packages)
    return found


def packages_for(*purposes: str) -> list[str]:
    """Raises KeyError for a purpose that is not in the list."""
    listed = by_purpose()
    return [package for purpose in purposes for package in listed[purpose]]
