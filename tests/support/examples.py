# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/, built as their first lines say, against the installed library, and run."""

import atexit
import functools
import os
import re
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any, Optional

from support import documents, process
from support.installed import Installed, run
from support.netns import Netns

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SOURCES = sorted(path for path in EXAMPLES.iterdir() if path.suffix in (".cpp", ".hpp"))
STRICT = "g++ -O1 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"


def build_command(source: Path) -> str:
    """Returns the command in its header comment."""
    found = re.search(r"^//   (g\+\+ .*)$", source.read_text(), re.MULTILINE)
    if found is None:
        raise AssertionError(f"{source.name} does not say how to build it")
    return found[1]


@functools.lru_cache(maxsize=None)
def installed() -> Installed:
    library = Installed()
    atexit.register(library.remove)
    return library


@functools.lru_cache(maxsize=None)
def built(name: str) -> Path:
    """Returns the program. Builds it at the first call."""
    return _build(EXAMPLES / f"{name}.cpp", build_command(EXAMPLES / f"{name}.cpp"))


@functools.lru_cache(maxsize=None)
def built_beside(source: Path, *packages: str) -> Path:
    """Builds a program of the tests that includes headers of examples/."""
    return _build(source, f"g++ -std=c++17 -I {EXAMPLES} {source.name} -o {source.stem} "
                          f"$(pkg-config --cflags --libs {' '.join(('portsync', *packages))})")


def built_of_document(document: str, name: str, directory: Path) -> Path:
    """Builds a program that a document shows as a whole, in a block ```cpp NAME.cpp, by the command that it shows."""
    page = documents.blocks(document)
    source = directory / f"{name}.cpp"
    source.write_text(next(block.text for block in page if block.kind == f"cpp {name}.cpp"))
    return _build(source, next(line for block in page for line in block.text.splitlines()
                               if line.startswith(f"g++ -std=c++17 {name}.cpp -o {name} ")))


def compiles(text: str, directory: Path) -> None:
    """Compiles a part of a program against the installed library, without a result."""
    source = directory / "part.cpp"
    source.write_text(text)
    run("sh", "-c", f"{STRICT} -Wno-unused-parameter -std=c++17 -fsyntax-only {source.name} $(pkg-config --cflags portsync)",
        cwd=directory, **installed().pkg_config)


def _build(source: Path, command: str) -> Path:
    for package in re.findall(r"\$\(pkg-config --cflags --libs (.*?)\)", command)[0].split():
        if package != "portsync" and subprocess.run(["pkg-config", "--exists", package], check=False).returncode != 0:
            raise unittest.SkipTest(f"{package} is not installed")
    folder = Path(tempfile.mkdtemp(prefix="example-", dir=installed().root))
    for path in {source, *SOURCES}:
        (folder / path.name).symlink_to(path)
    run("sh", "-c", command.replace("g++", STRICT, 1), cwd=folder, **installed().pkg_config)
    return folder / source.stem


class Running:
    """A running program. Its output goes to files, unless options say otherwise."""

    def __init__(self, directory: Path, namespace: Netns, *args: str, **options: Any) -> None:
        self._output, self._errors = (Path(tempfile.mkstemp(dir=directory)[1]) for _ in range(2))
        with open(self._output, "wb") as output, open(self._errors, "wb") as errors:
            options = {"stdout": output, "stderr": errors, **options}
            self.process = process.start(args, namespace, env={**os.environ, **installed().running}, **options)
        self.ended = False

    @property
    def lines(self) -> list[str]:
        return self._output.read_text().splitlines()

    @property
    def errors(self) -> list[str]:
        return self._errors.read_text().splitlines()

    def wait_line(self, line: str, first: int = 0) -> int:
        """
        Waits until it has written this line, as line number `first` or later. Returns the number of the next line.
        """
        def found() -> bool:
            return line in self.lines[first:]
        try:
            # Carriers take time in a kernel whose other namespaces are busy.
            process.wait_for(found, 120, f"the line {line!r}")
        except process.TimedOut as error:
            raise process.TimedOut(f"{error}; there is:\n" + "\n".join(self.lines[-20:] + self.errors)) from None
        return self.lines.index(line, first) + 1

    def wait_error(self, part: str) -> None:
        process.wait_for(lambda: any(part in line for line in self.errors), 20, f"{part!r} as an error message")

    def end(self, number: Optional[int] = None) -> int:
        """Sends this signal and waits for the end. Returns the exit status."""
        self.ended = True
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(20 * process.PATIENCE)

    def terminate(self) -> int:
        return self.end(signal.SIGTERM)


class Programs:
    """For a test case that has `directory`, `dut` and cleanups."""

    def run_example(self: Any, name: str, *args: str, **options: Any) -> Running:
        return self.run_program(built(name), *args, **options)

    def run_program(self: Any, program: Path, *args: str, **options: Any) -> Running:
        running = Running(self.directory, self.dut, str(program), *args, **options)
        self.addCleanup(process.end, running.process)
        self.__dict__.setdefault("programs", []).append(running)
        return running

    def check_programs(self: Any) -> None:
        for running in self.__dict__.get("programs", []):
            if not running.ended:
                self.assertIsNone(running.process.poll(), f"it has ended: {running.errors}")
