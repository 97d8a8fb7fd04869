# SPDX-License-Identifier: Apache-2.0
"""
Roots of Debian, made by mmdebstrap from the archive that this machine's own apt uses.

  debian_root.py SUITE DIRECTORY PACKAGE...    SUITE "" = this machine's
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterable


class CannotMakeRoot(Exception):
    """The message says what is missing."""


def this_suite() -> str:
    release = dict(line.partition("=")[::2] for line in Path("/etc/os-release").read_text().splitlines())
    return release["VERSION_CODENAME"].strip('"')


def archive() -> str:
    """Returns the URI of this machine's archive of Debian."""
    index = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                            "Created-By: Packages"], capture_output=True, text=True, check=False).stdout
    for line in index.splitlines():
        uri, suite, component = (line.split() + ["", ""])[:3]
        if (suite, component) == (this_suite(), "main"):
            return uri
    raise CannotMakeRoot("apt-get indextargets names no archive with this machine's release and the component main")


def make_root(suite: str, directory: Path, packages: Iterable[str]) -> Path:
    """Makes the root, unless it exists with these packages. Takes 15 to 30 seconds."""
    suite = suite or this_suite()
    wanted = " ".join([suite, *sorted(packages)]) + "\n"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_name(directory.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run at once need the same one
        made_of = directory / "made-of"
        if not made_of.exists() or made_of.read_text() != wanted:
            _make_root(suite, directory, packages)
            made_of.write_text(wanted)
    return directory


def _make_root(suite: str, directory: Path, packages: Iterable[str]) -> None:
    if os.geteuid() != 0:
        raise CannotMakeRoot("only root can make a root")
    if shutil.which("mmdebstrap") is None:
        raise CannotMakeRoot("mmdebstrap is not installed")
    print(f"making a root of Debian {suite}: {directory}", file=sys.stderr, flush=True)
    new = directory.with_name(directory.name + ".new")
    for old in (directory, new):
        subprocess.run(["rm", "-rf", "--one-file-system", str(old)], check=True)
    done = subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(packages), suite,
                           str(new), f"deb {archive()} {suite} main"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotMakeRoot(f"mmdebstrap ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    new.rename(directory)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        make_root(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
    except CannotMakeRoot as e:
        sys.exit(f"debian_root.py: {e}")
