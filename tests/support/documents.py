# SPDX-License-Identifier: Apache-2.0
"""The blocks of the repository's documents: code, commands and transcripts, fenced or indented."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

TOP = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Block:
    line: int   # of its first line in the document
    kind: str   # what stands behind ```; "" for an indented block
    text: str   # without fences and indentation


def tracked() -> list[str]:
    """Returns the files of the repository, as paths below the top folder. Only in a checkout."""
    listed = subprocess.run(["git", "-C", TOP, "ls-files"], check=True, capture_output=True, text=True).stdout
    return [name for name in listed.splitlines() if (TOP / name).is_file()]


def names() -> list[str]:
    """Returns the documents. Only in a checkout."""
    return [name for name in tracked() if name.endswith(".md")]


def blocks_of(page: str) -> Iterator[Block]:
    lines = page.splitlines()
    at = 0
    while at < len(lines):
        first = at
        if fence := re.fullmatch(r"( *)```(.*)", lines[at]):
            at += 1
            while at < len(lines) and lines[at].strip() != "```":
                at += 1
            yield Block(first + 2, fence[2], "".join(line[len(fence[1]):] + "\n" for line in lines[first + 1:at]))
            at += 1
        elif lines[at].startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            while at < len(lines) and (lines[at].startswith("    ") or not lines[at].strip()):
                at += 1
            shown = lines[first:at]
            depth = min(len(line) - len(line.lstrip()) for line in shown if line.strip())
            yield Block(first + 1, "", "".join(line[depth:] + "\n" for line in shown).rstrip("\n") + "\n")
        else:
            at += 1


def blocks(document: str) -> list[Block]:
    return list(blocks_of((TOP / document).read_text()))


def block(document: str, beginning: str) -> Block:
    """Returns the one block of the document whose text begins so."""
    found = [block for block in blocks(document) if block.text.startswith(beginning)]
    if len(found) != 1:
        raise AssertionError(f"{document} has {len(found)} blocks that begin with {beginning!r}, expected 1")
    return found[0]


def commands(text: str) -> list[str]:
    """Returns the commands of a block of lines `command && command   # comment`."""
    return [command for line in text.splitlines() for command in re.sub(r" {2,}# .*", "", line).split(" && ")]
