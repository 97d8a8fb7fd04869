# SPDX-License-Identifier: Apache-2.0
"""A control group of its own for a process that runs a service manager."""

import errno
import os
from pathlib import Path


def _own_folders() -> list[Path]:
    """Where service managers keep groups: this process' own in the unified hierarchy and in that of name=systemd."""
    paths = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, name, path = line.split(":", 2)
        paths["cgroup2" if number == "0" else name] = path
    folders = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, mounted = before.split()[3:5]
        kind, _, options = after.split(" ", 2)
        name = "cgroup2" if kind == "cgroup2" else "name=systemd"
        if kind not in ("cgroup", "cgroup2") or (kind == "cgroup" and name not in options.split(",")) or name not in paths:
            continue
        folders.append(Path(mounted, os.path.relpath(paths[name], root)))
    return folders


class ControlGroup:
    """
    Two containers in one group would have the same groups for services of the same name, and each would remove the
    other's. Give the process group.enter as its preexec_fn; remove() once all that ran in it has been killed.
    """

    def __init__(self, name: str) -> None:
        self._folders = [folder / name for folder in _own_folders()]
        for folder in self._folders:
            folder.mkdir()

    def enter(self) -> None:
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> bool:
        """False while something still ends in it."""
        try:
            for top in self._folders:
                for folder, _, _ in os.walk(top, topdown=False):
                    os.rmdir(folder)
        except OSError as e:
            if e.errno != errno.EBUSY:
                raise
            return False
        return True
