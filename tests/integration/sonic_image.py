# SPDX-License-Identifier: Apache-2.0
"""
The build for SONiC's swss image, run in a root that contains what the image contains. Needs -Ddbus and -Dmetrics
disabled.
"""

import os
import re
import unittest
from pathlib import Path

from support import debian_root, process
from support.box import libraries_of
from support.case import program
from support.sonic import SonicCase

# Names of Debian 12 and 13: hiredis' has its version.
IMAGE = re.compile(r"libc6|libgcc-s1|libstdc\+\+6|libnl-3-200(t64)?|libnl-route-3-200(t64)?|libhiredis[\d.]+")


class Image(SonicCase):
    def setUp(self) -> None:
        super().setUp()
        self.libraries = libraries_of(program("portsyncd/portsyncd"))
        root = Path(os.environ["PORTSYNC_BUILD"], "image-root")
        self.root = debian_root.make_root("", root, sorted(self.libraries) + ["redis-server"])

    def command(self, name: str) -> str:
        """
        Returns a script that runs a program of the build in the root. Only the switch's directory is mounted there.
        """
        installed = self.root / "usr/local/bin" / name
        installed.write_bytes(Path(program(f"portsyncd/{name}")).read_bytes())
        installed.chmod(0o755)
        seen = self.root / self.directory.relative_to("/")
        script = self.directory / name
        script.write_text(f"""#!/bin/sh
set -e
mkdir -p '{seen}'
exec unshare --mount sh -ec '
  mount -t proc proc "{self.root}/proc"
  mount --bind "{self.directory}" "{seen}"
  exec chroot "{self.root}" "$@"' sh /usr/local/bin/{name} "$@"
""")
        script.chmod(0o755)
        return str(script)

    def test_nothing_else_is_linked(self) -> None:
        for name in ("portsyncd", "portsyncctl"):
            self.assertEqual([p for p in libraries_of(program(f"portsyncd/{name}")) if not IMAGE.fullmatch(p)], [])

    def test_a_whole_start_and_a_change(self) -> None:
        switch = self.switch
        orchagent = switch.orchagent()
        switch.start(command=self.command("portsyncd"))
        orchagent.wait_popped("PortInitDone")
        switch.wait_equal()
        socket = str(switch.directory / "control.sock")
        self.assertRegex(process.run([self.command("portsyncctl"), "--socket", socket, "ports", "Ethernet0"]), "Ethernet0 ")
        switch.delete("Ethernet4")
        switch.wait_equal()


if __name__ == "__main__":
    unittest.main()
