# SPDX-License-Identifier: Apache-2.0
"""
A booted Debian with systemd as PID 1, in a container of systemd-nspawn: each boot starts from the same fresh root.
"""

import os
import re
import shutil
import signal
import subprocess
import unittest
from pathlib import Path
from typing import Any, Optional

from support import debian_root, netns, process
from support.case import program
from support.control_group import ControlGroup

# The PATH of root after a login (ENV_SUPATH of login.defs(5)).
ROOTS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = ["systemd", "systemd-sysv", "dbus", "iproute2", "kmod", "procps", "psmisc", "redis-server", "redis-tools"]


# The steps of the guide.
STEPS = """
cp build/portsyncd/portsyncd /usr/local/bin/
mkdir -p /etc/sonic
cp portsyncd/data/portsyncd.conf /etc/sonic/portsyncd.conf
cp portsyncd/data/portsyncd.service /etc/systemd/system/
systemctl daemon-reload
systemctl enable portsyncd
systemctl start portsyncd
"""


def libraries_of(binary: str) -> set[str]:
    """Returns the packages of the shared libraries that a program is linked with on this machine."""
    packages = set()
    for path in re.findall(r"=> (/\S+)", process.run(["ldd", binary])):
        # dpkg knows a file by the name it was packed with, before /lib became a link to /usr/lib.
        names = {path, os.path.realpath(path), os.path.realpath(path).removeprefix("/usr")}
        owners = subprocess.run(["dpkg-query", "-S", *names], capture_output=True, text=True, check=False).stdout
        if not owners:
            raise AssertionError(f"no package has {path}, which {binary} needs")
        packages.add(owners.partition(":")[0])
    return packages


class Box:
    """A container that runs until close(). It sees `folders` at /mnt/NAME, read-only."""

    _made = 0

    def __init__(self, root: Path, folders: dict[str, Path], log: Path, network: str = "--private-network") -> None:
        Box._made += 1
        self._log = log
        self._group = ControlGroup(f"portsync-box-{os.getpid()}-{Box._made}")
        binds = [f"--bind-ro={path}:/mnt/{name}" for name, path in folders.items()]
        with open(log, "ab") as output:
            self._nspawn = process.start(
                ["systemd-nspawn", "--quiet", "--directory", str(root), "--volatile=overlay", "--boot", "--register=no",
                 "--keep-unit", network, "--machine", f"portsync{os.getpid()}", "--console=read-only",
                 "--link-journal=no", *binds], stdout=output, stderr=output, preexec_fn=self._group.enter)
        self.pid = 0
        try:
            process.wait_for(self._booted, 60, f"the container has booted; {log} has its console", 0.05)
        except process.TimedOut:
            self.close()
            raise AssertionError(f"the container does not boot:\n{log.read_text(errors='replace')[-3000:]}") from None

    def _booted(self) -> bool:
        if self._nspawn.poll() is not None:
            raise AssertionError(f"systemd-nspawn has ended:\n{self._log.read_text(errors='replace')[-3000:]}")
        if not self.pid:
            children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
            self.pid = next((int(pid) for pid in children if self._name(pid) == "systemd"), 0)
        return bool(self.pid) and self.run("systemctl is-system-running", check=False).strip() in ("running", "degraded")

    @staticmethod
    def _name(pid: str) -> str:
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):  # a helper process of nspawn that has ended
            return ""

    def run(self, command: str, check: bool = True, limit: float = 120) -> str:
        """Runs a shell command inside as root. Returns its standard output and standard error."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.pid), "--all", "env", "-i", f"PATH={ROOTS_PATH}", "HOME=/root",
             "LANG=C.UTF-8", "sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", check=False, timeout=limit * process.PATIENCE)
        if check and done.returncode != 0:
            raise AssertionError(f"{command!r} ended with {done.returncode}: {done.stdout}")
        return done.stdout

    def close(self) -> None:
        if self.pid and self._nspawn.poll() is None:
            # The kernel kills the other processes of the container together with the first.
            os.kill(self.pid, signal.SIGKILL)
            try:
                self._nspawn.wait(10)
            except subprocess.TimeoutExpired:
                pass
        process.end(self._nspawn)
        process.wait_for(self._group.remove, 10, "the container's control group is empty")


class SystemCase(unittest.TestCase):
    """Queries a booted system through `box`, which is anything with run()."""

    box: Any

    def show(self, unit: str, name: str) -> str:
        return self.box.run(f"systemctl show --property {name} --value {unit}").strip()

    def wait_for(self, command: str, wanted: str, limit: float = 15, what: Optional[str] = None) -> None:
        """Waits until the output of a command inside contains `wanted`."""
        said = ""

        def condition() -> bool:
            nonlocal said
            said = self.box.run(command, check=False)
            return wanted in said
        try:
            process.wait_for(condition, limit, what or f"{command} says {wanted!r}", 0.05)
        except process.TimedOut as e:
            raise AssertionError(f"{e}; it said {said[-500:]!r}") from None

    def healthy(self) -> None:
        self.wait_for("systemctl show -p StatusText portsyncd", "StatusText=Healthy\n")

    def pid(self) -> str:
        return self.show("portsyncd", "MainPID")


class RootCase(SystemCase):
    """Before each test: a root that boot() boots, with the build at /mnt/build and the sources at /mnt/source."""

    box: Box
    root_name = "system-root"
    more: list[str] = []  # packages in the root besides PACKAGES

    def setUp(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("needs root")
        if shutil.which("systemd-nspawn") is None:
            self.skipTest("systemd-nspawn is not installed")
        if not Path("/sys/fs/cgroup").is_mount() or os.environ.get("container"):
            self.skipTest("no control groups of its own, which systemd-nspawn needs")
        build = Path(os.environ["PORTSYNC_BUILD"])
        binary = program("portsyncd/portsyncd")
        try:
            self.root = debian_root.make_root("", build / self.root_name,
                                              PACKAGES + self.more + sorted(libraries_of(binary)))
        except debian_root.CannotMakeRoot as e:
            self.fail(str(e))
        self.folders = {"build": build, "source": Path(__file__).resolve().parents[2]}

    def boot(self, network: str = "--private-network") -> None:
        log = Path(os.environ["PORTSYNC_BUILD"], f"{self.root_name}.log")
        log.unlink(missing_ok=True)
        self.box = Box(self.root, self.folders, log, network)
        self.addCleanup(self.box.close)


class BoxCase(RootCase):
    """Before each test: a box with four ports whose other ends are in `far`."""

    def setUp(self) -> None:
        super().setUp()
        self.boot()
        self.far = netns.Netns()
        self.addCleanup(self.far.close)
        self.far.ip(*(f"link add name p{i} index {20000 + i} type veth peer name Ethernet{4 * i} index {100 + i} "
                      f"netns {self.box.pid}" for i in range(4)), *(f"link set p{i} up" for i in range(4)))
        self.box.run("for i in 0 4 8 12; do ip link set Ethernet$i up; done")


class InstalledCase(BoxCase):
    """A BoxCase. install() installs by hand, by STEPS."""

    def setUp(self) -> None:
        super().setUp()
        # The steps expect a checkout that has been built.
        self.box.run("mkdir /root/checkout && ln -s /mnt/source/portsyncd /root/checkout/ && "
                     "ln -s /mnt/build /root/checkout/build")

    def install(self) -> None:
        for step in STEPS.strip().splitlines():
            self.box.run(f"cd /root/checkout && {step}")
