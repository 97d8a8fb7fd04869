# SPDX-License-Identifier: Apache-2.0
"""
The library of the build under test, installed in a folder as a package would do it, for programs built against it.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Optional


def run(*args: str, cwd: Optional[Path] = None, **env: str) -> str:
    done = subprocess.run(args, capture_output=True, text=True, cwd=cwd, env={**os.environ, **env}, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(args)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Installed:
    """
    `root` is the folder; `pkg_config` and `running` are the environment that pkg-config and programs need to find it
    there.
    """

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="portsync-install-"))
        build = os.environ["PORTSYNC_BUILD"]
        run("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", str(self.root))
        pc = next(self.root.rglob("portsync.pc"))
        self.library = next(self.root.rglob("libportsync.a")).parent
        self.pkg_config = {"PKG_CONFIG_SYSROOT_DIR": str(self.root), "PKG_CONFIG_PATH": str(pc.parent)}
        self.running = {"LD_LIBRARY_PATH": str(self.library)}

    def remove(self) -> None:
        shutil.rmtree(self.root)

    def flags(self, *options: str) -> list[str]:
        # The sysroot is put before every folder in a .pc file; the system's own are not under it.
        return [flag.replace(f"{self.root}/usr/include", "/usr/include")
                for flag in run("pkg-config", *options, "portsync", **self.pkg_config).split()]
