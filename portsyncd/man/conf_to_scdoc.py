#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes portsyncd.conf(5) from the comments of the shipped configuration file, so that each key is described only there.

  conf_to_scdoc.py portsyncd.conf OUTPUT
"""

import re
import sys
from pathlib import Path

HEADER = """portsyncd.conf(5)

# NAME

portsyncd.conf - configuration of portsyncd

# SYNOPSIS

/etc/sonic/portsyncd.conf

# DESCRIPTION

A TOML file of at most 64 KiB. Every key is optional, and so is the file: what is left out has its default, given below
with the key. A variable of the environment goes over a key, and an option over both, see *portsyncd*(8).

An unknown key or section is a warning with the nearest known name. A wrong type, a value out of range or a syntax error
is an error with file, line and column: portsyncd does not start (status 78), or goes on as it was after a SIGHUP. An
integer does for a number with a point. *portsyncd --check-config* checks a file, *portsyncd --show-config* prints what
holds.

{introduction}
"""

FOOTER = """
# SEE ALSO

*portsyncd*(8), *fnmatch*(3), https://toml.io
"""


def escaped(text: str) -> str:
    return re.sub(r"([_*\\])", r"\\\1", text)


def main() -> None:
    lines = Path(sys.argv[1]).read_text().splitlines()
    paragraphs, comment, keys, out = [], [], [], []

    def flush() -> None:
        if keys:
            out.append("\n".join(f"*{escaped(name)}* = {escaped(value)}" + ("++" if (name, value) != keys[-1] else "")
                                 for name, value in keys))
            out.append("\n".join("\t" + escaped(line) for line in comment) + "\n")
        elif comment:
            paragraphs.append(escaped(" ".join(comment)))
        comment.clear()
        keys.clear()

    for line in lines:
        if match := re.fullmatch(r"\[(\w+)\]", line):
            flush()
            out.append(f"# [{match[1]}]\n")
        elif match := re.fullmatch(r"#?(\w+) = (.*)", line):
            keys.append((match[1], match[2]))
        elif line in ("", "#"):
            flush()
        else:
            comment.append(line.removeprefix("# "))
    flush()
    Path(sys.argv[2]).write_text(HEADER.format(introduction="\n\n".join(paragraphs[2:])) + "\n" + "\n".join(out) + FOOTER)


if __name__ == "__main__":
    main()
