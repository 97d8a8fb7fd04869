# SPDX-License-Identifier: Apache-2.0
"""A control group for a process that runs a service manager."""

import errno
import os
from pathlib import Path


def _own_folders() -> list[Path]:
    """
    The parents of service managers' groups: this process' group in the unified hierarchy and in that of name=systemd.
    """
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
    Two containers in one group would use the same groups for services of the same name, and each would remove the
    other's. Pass group.enter to the process as its preexec_fn. Call remove() once everything that ran in the group has
    been killed.
    """

    def __init__(self, name: str) -> None:
        self._folders = [folder / name for folder in _own_folders()]
        for folder in self._folders:
            folder.mkdir()

    def enter(self) -> None:
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> bool:
        """Removes the group. Returns False while a process in it has not ended."""
        try:
            for top in self._folders:
                for folder, _, _ in os.walk(top, topdown=False):
                    os.rmdir(folder)
        except OSError as e:
            if e.errno != errno.EBUSY:
                raise
            return False
        return True
