# SPDX-License-Identifier: Apache-2.0
"""Runs every block of portsyncd/doc/deployment.md, in order, on booted systems."""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from support import process
from support.box import BoxCase
from support.packages import PackageCase

GUIDE = Path(__file__).resolve().parents[2] / "portsyncd/doc/deployment.md"


@dataclass
class Block:
    line: int
    kind: str  # sh, console or toml
    text: str
    why_not_run: str
    fresh: bool  # on a system that nothing has changed yet


def blocks(page: str) -> list[Block]:
    found = []
    pattern = re.compile(r"(?:<!-- (?:not run: (?P<why>[^>]+)|(?P<fresh>fresh system)) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)```\n", re.S)
    for match in pattern.finditer(page):
        found.append(Block(page.count("\n", 0, match.start("text")) + 1, match["kind"], match["text"], match["why"] or "",
                           bool(match["fresh"])))
    return found


def words(line: str) -> str:
    """Replaces what depends on the machine and the moment."""
    return " ".join("#" if re.search(r"\d", word) and "=" not in word else re.sub(r"=[^=]*\d[^=]*$", "=#", word)
                    for word in line.split())


class DeploymentGuide(PackageCase, BoxCase):
    def boot(self, network: str = "--private-network") -> None:
        super().boot(network)
        # The guide expects a checkout that has been built, with the packages in the folder above it.
        self.box.run("mkdir /root/checkout && cd /root/checkout && ln -s /mnt/source/portsyncd . && ln -s /mnt/build build && "
                     "cp /mnt/packages/*.deb /root/")

    def test_every_block(self) -> None:
        page = GUIDE.read_text()
        found = blocks(page)
        self.assertEqual(page.count("```"), 2 * len(found))
        self.assertLessEqual({block.kind for block in found}, {"sh", "console", "toml"})
        used = False
        for block in found:
            with self.subTest(f"line {block.line}"):
                if block.why_not_run:
                    print(f"deployment.md:{block.line}: not run: {block.why_not_run}")
                    continue
                if block.fresh and used:
                    self.box.close()
                    self.far.close()
                    self.setUp()
                used = True
                getattr(self, block.kind)(block.text)

    def sh(self, text: str) -> None:
        self.box.run("cd /root/checkout && set -e\n" + text)

    def console(self, text: str) -> None:
        for question in re.split(r"(?m)^\$ ", text)[1:]:
            command, _, answer = question.partition("\n")
            wanted = [words(line) for line in answer.splitlines()]

            def answered() -> bool:
                self.said = self.box.run("cd /root/checkout; " + command, check=False).splitlines()
                said = [words(line) for line in self.said]
                return all(line in said for line in wanted) and bool(said) == bool(wanted)
            try:
                process.wait_for(answered, 15, "as in the guide", 0.1)
            except process.TimedOut:
                self.fail(f"$ {command}\n" + "\n".join(self.said) + f"\nand not\n{answer}")

    def toml(self, text: str) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".conf", dir=os.environ["PORTSYNC_BUILD"]) as file:
            file.write(text)
            file.flush()
            name = f"/mnt/build/{Path(file.name).name}"
            self.assertIn("valid", self.box.run(f"portsyncd --check-config {name} 2>&1"))
            shown = self.box.run(f"portsyncd --config {name} --show-config 2>/dev/null").replace('"', "")
            for line in re.findall(r"(?m)^\w+ = .*", text):
                self.assertIn("\n" + line.replace('"', ""), shown)
