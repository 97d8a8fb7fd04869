# SPDX-License-Identifier: Apache-2.0
"""Upstream's sources as Debian has them (.orig.tar.*), from the archive that this machine's own apt uses.

  debian_sources.py SUITE DIRECTORY SOURCE_PACKAGE...
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Iterable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import process  # noqa: E402
from support.debian_root import CannotMakeRoot, archive  # noqa: E402

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def fetch(suite: str, directory: Path, packages: Iterable[str]) -> None:
    """Leaves existing files. Does not touch the machine's own lists and sources."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state:
        Path(state, "lists", "partial").mkdir(parents=True)
        Path(state, "cache", "archives", "partial").mkdir(parents=True)
        sources = Path(state, "sources.list")
        sources.write_text(f"deb-src [signed-by={KEYRING}] {archive()} {suite} main\n")
        private = ["-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=/dev/null",
                   "-o", f"Dir::State::Lists={state}/lists", "-o", f"Dir::Cache={state}/cache",
                   "-o", "APT::Sandbox::User="]
        process.run(["apt-get", "update", "-q", *private])
        listed = process.run(["apt-get", "source", "--print-uris", "-q", *private, *packages])
        for uri, name, digest in re.findall(r"^'(\S+)' (\S+\.orig\.tar\.\w+) \d+ (\w+:\w+)$", listed, re.MULTILINE):
            if not (directory / name).exists():
                process.run(["/usr/lib/apt/apt-helper", *private, "download-file", uri, str(directory / name), digest])


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        fetch(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
    except (CannotMakeRoot, RuntimeError) as e:
        sys.exit(f"debian_sources.py: {e}")
