#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Sets sonic mode in the section [program:portsyncd] of a supervisord template of docker-orchagent, in place.

  section.py add FILE [NAME=VALUE]...    PORTSYNCD_SYNC_MODE=sonic and these variables into the section's environment
  section.py remove FILE                 removes what `add` put there
  section.py check FILE                  ends with 0 if the section is as `add` leaves it, with 1 if not

The section keeps all its other lines: priority, what it waits for, and lines of jinja. `add` again replaces what it
added before. Exit status 2: a bad command line, a file that cannot be read or written, no such section, or a value that
the environment cannot hold.
"""

import os
import re
import sys
from pathlib import Path

VERBS = ("add", "remove", "check")
SECTION = "[program:portsyncd]"
MODE = 'PORTSYNCD_SYNC_MODE="sonic"'
OURS = re.compile(rf"{MODE}(?:,PORTSYNCD_\w+=\"[^\"]*\")*")
CAPTURE = "stdout_capture_maxbytes=1MB"  # so that supervisord reads heartbeats, if they are on
NOTE = "# Added by section.py of portsyncd:"


class CannotEdit(Exception):
    """The file has no such section, or a variable cannot be written."""


def section_of(lines: list[str]) -> tuple[int, int]:
    """Returns the index of the section's first line, and of the line after its last."""
    starts = [number for number, line in enumerate(lines) if line.strip() == SECTION]
    if len(starts) != 1:
        raise CannotEdit(f"expected one section {SECTION}, found {len(starts)}")
    end = starts[0] + 1
    while end < len(lines) and not lines[end].startswith("["):
        end += 1
    return starts[0], end


def removed(text: str) -> str:
    lines = text.splitlines(keepends=True)
    start, end = section_of(lines)
    kept: list[str] = []
    ours = 0  # lines after a note that are ours and still to come
    for line in lines[start:end]:
        if line.startswith(NOTE):
            ours = int(line[len(NOTE):].split()[0])
        elif ours:
            ours -= 1
        elif line.startswith("environment="):
            kept.append("environment=" + re.sub(rf"^{OURS.pattern},", "", line[len("environment="):]))
        else:
            kept.append(line)
    return "".join(lines[:start] + kept + lines[end:])


def added(text: str, variables: list[str]) -> str:
    words = [MODE]
    for variable in variables:
        name, equals, value = variable.partition("=")
        if not equals or not re.fullmatch(r"PORTSYNCD_[A-Z_]+", name) or re.search('["%{}\n\ud800-\udfff]', value):
            raise CannotEdit(f'{variable}: expected PORTSYNCD_NAME=VALUE without ", %, {{ and }} in the value')
        words.append(f'{name}="{value}"')
    environment = ",".join(words)
    lines = removed(text).splitlines(keepends=True)
    start, end = section_of(lines)
    section = lines[start:end]
    command = next((number for number, line in enumerate(section) if line.startswith("command=")), None)
    if command is None:
        raise CannotEdit(f"{SECTION} has no line command=")
    # In a build with ASan, jinja keeps a later environment=, and supervisord uses the last one: so it needs ours, too.
    section = [f"environment={environment},{line[len('environment='):]}" if line.startswith("environment=") else line
               for line in section]
    ours = [f"environment={environment}\n"]
    if not any(line.startswith("stdout_capture_maxbytes=") for line in section):
        ours.append(f"{CAPTURE}\n")
    section[command + 1:command + 1] = [f"{NOTE} {len(ours)} line{'s' if len(ours) > 1 else ''}\n", *ours]
    return "".join(lines[:start] + section + lines[end:])


def is_added(text: str) -> bool:
    lines = text.splitlines()
    start, end = section_of(lines)
    found = [line for line in lines[start:end] if line.startswith("environment=")]
    return bool(found) and all(line.startswith("environment=" + MODE) for line in found)


def replace(path: Path, text: str) -> None:
    """Replaces the whole file or nothing, and keeps its mode."""
    new = path.with_name(path.name + ".portsyncd-new")
    new.write_text(text, encoding="utf-8")
    os.chmod(new, path.stat().st_mode & 0o7777)
    os.replace(new, path)


def fault_of(words: list[str]) -> str:
    """Returns what is wrong with a command line, or nothing."""
    what, name, *variables = [*words, "", ""] if len(words) < 2 else words
    if what not in VERBS:
        return f"{what or 'no verb'}: expected {', '.join(VERBS[:-1])} or {VERBS[-1]}"
    if not name:
        return f"{what}: expected a FILE after it"
    if variables and what != "add":
        return f"{variables[0]}: expected nothing after the FILE of {what}"
    return ""


def main(words: list[str]) -> int:
    if "--help" in words or "-h" in words:
        print(__doc__.strip())
        return 0
    if fault := fault_of(words):
        print(f"section.py: {fault}; see --help", file=sys.stderr)
        return 2
    what, name, *variables = words
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8")
        if what == "check":
            return 0 if is_added(text) else 1
        new = added(text, variables) if what == "add" else removed(text)
        if new != text:
            replace(path, new)
    except CannotEdit as e:
        return failed(name, str(e))
    except OSError as e:
        return failed(e.filename or name, e.strerror or str(e))
    except UnicodeDecodeError as e:
        return failed(name, f"expected UTF-8 text, found the byte {e.object[e.start]:#04x} at offset {e.start}")
    return 0


def failed(name: str, why: str) -> int:
    print(f"section.py: {name}: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
