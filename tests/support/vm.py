# SPDX-License-Identifier: Apache-2.0
"""A virtual machine that boots Debian's kernel, for links and control groups that the kernel here may not have."""

import base64
import os
import platform
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from support import debian_root, packages, process
from support.box import PACKAGES, ROOTS_PATH, libraries_of
from support.case import program

KERNEL = ["linux-image-cloud-amd64", "linux-headers-cloud-amd64", "linux-source", "make"]
MODULES = ["dummy", "bonding", "team", "team_mode_activebackup", "8021q", "netdevsim"]
NEEDS = ["qemu-system-x86_64", "cpio", "modprobe", "zstd"]

# No Debian kernel has netdevsim; it is built from their source.
BUILD_NETDEVSIM = """
cd /usr/src
kernel=$(ls /lib/modules)
tar -xf linux-source-*.tar.xz --wildcards '*/drivers/net/netdevsim'
cd linux-source-*/drivers/net/netdevsim
make -s -C "/lib/modules/$kernel/build" M="$PWD" CONFIG_NETDEVSIM=m modules
install -D -m 644 netdevsim.ko -t "/lib/modules/$kernel/kernel/drivers/net/netdevsim"
depmod "$kernel"
"""

# Each command is a line of base64. After its output comes its status.
SHELL = r"""
stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1 2>&1
printf '\0360\n'
while read -r line; do
  echo "$line" | base64 -d >/run/command
  sh /run/command </dev/null >/run/said 2>&1
  status=$?
  cat /run/said
  printf '\036%d\n' $status
done
"""
STATUS = re.compile(rb"\x1e(\d+)\n$")

UNITS = {
    "portsync-shell.service": f"""
[Unit]
After=multi-user.target
[Service]
Environment=PATH={ROOTS_PATH} HOME=/root LANG=C.UTF-8
ExecStart=/bin/sh /portsync-shell
[Install]
WantedBy=multi-user.target
""",
    "portsync-ports.service": """
[Unit]
DefaultDependencies=no
Before=network-pre.target
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/modprobe dummy numdummies=0
ExecStart=/bin/ip -batch /portsync-ports
[Install]
WantedBy=multi-user.target
"""}
MASKED = ["getty@.service", "serial-getty@.service", "console-getty.service", "apt-daily.timer",
          "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer"]


def kernel_root() -> Path:
    """Makes a root with Debian's kernel and netdevsim."""
    root = debian_root.make_root("", Path(os.environ["PORTSYNC_BUILD"], "kernel-root"), KERNEL)
    if not list(root.glob("lib/modules/*/kernel/drivers/net/netdevsim")):
        process.run(["chroot", str(root), "sh", "-euc", BUILD_NETDEVSIM])
    return root


def add_modules(root: Path, kernel: Path) -> None:
    version = next(kernel.glob("lib/modules/*")).name
    listed = process.run(["modprobe", "--dirname", str(kernel), "--set-version", version, "--show-depends", "--all",
                          *MODULES])
    for file in re.findall(r"(?m)^insmod (\S+)", listed):
        there = root / Path(file).relative_to(kernel)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, there)
    process.run(["depmod", "--basedir", str(root), version])


def make_image(ports: list[str], to: Path) -> None:
    """
    Makes an initramfs: a root with portsyncd installed, where these `ip` commands make ports before the network is up.
    """
    build = Path(os.environ["PORTSYNC_BUILD"])
    plain = debian_root.make_root("", build / "system-root",
                                  PACKAGES + sorted(libraries_of(program("portsyncd/portsyncd"))))
    root = to.with_suffix(".root")
    process.run(["cp", "--archive", "--reflink=auto", str(plain), str(root)])
    try:
        fill(root, ports)
        process.run(["sh", "-euc", 'cd "$1" && find . -xdev | cpio --quiet -o -H newc | zstd -q -1 -o "$2"', "sh",
                     str(root), str(to)])
    finally:
        process.run(["rm", "-rf", "--one-file-system", str(root)])


def fill(root: Path, ports: list[str]) -> None:
    for folder in ("usr/share/doc", "usr/share/locale", "usr/share/zoneinfo", "var/lib/apt/lists", "var/cache/apt"):
        shutil.rmtree(root / folder, ignore_errors=True)
    add_modules(root, kernel_root())
    shutil.copy(packages.portsyncd(), root / "tmp/portsyncd.deb")
    process.run(["chroot", str(root), "dpkg", "-i", "/tmp/portsyncd.deb"])
    (root / "tmp/portsyncd.deb").unlink()
    (root / "portsync-shell").write_text(SHELL)
    (root / "portsync-ports").write_text("\n".join(ports) + "\n")
    for name, text in UNITS.items():
        (root / "etc/systemd/system" / name).write_text(text)
    for verb, names in ("enable", list(UNITS)), ("mask", MASKED), ("set-default", ["multi-user.target"]):
        process.run(["systemctl", "--root", str(root), verb, *names])
    (root / "init").symlink_to("/lib/systemd/systemd")


class Vm:
    """A virtual machine that runs until close(). run() is like a Box's."""

    def __init__(self, ports: list[str]) -> None:
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        if platform.machine() != "x86_64":
            raise unittest.SkipTest("a virtual machine of another architecture than x86-64 is not tried")
        for name in NEEDS:
            if shutil.which(name) is None:
                raise unittest.SkipTest(f"{name} is not installed")
        self._folder = Path(tempfile.mkdtemp(prefix="portsync-vm-", dir=os.environ["PORTSYNC_BUILD"]))
        try:
            self._start(ports)
        except BaseException:
            self.close()
            raise

    def _start(self, ports: list[str]) -> None:
        self._qemu = None
        image = self._folder / "image"
        make_image(ports, image)
        self._console = self._folder / "console"
        self._qemu = process.start(
            ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048",
             "-nodefaults", "-display", "none", "-no-reboot",
             "-kernel", str(next(kernel_root().glob("boot/vmlinuz-*"))), "-initrd", str(image),
             "-append", "console=ttyS0 panic=-1 quiet mitigations=off rdinit=/init",
             "-serial", f"file:{self._console}", "-serial", "stdio"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._answer(300, "the virtual machine has booted")

    def _answer(self, limit: float, what: str) -> tuple[bytes, int]:
        """Returns the output of a command and its exit status."""
        came = b""
        deadline = time.monotonic() + limit * process.PATIENCE
        while not (found := STATUS.search(came)):
            left = max(0.0, deadline - time.monotonic())
            readable, _, _ = select.select([self._qemu.stdout], [], [], left)
            piece = os.read(self._qemu.stdout.fileno(), 65536) if readable else b""
            if not piece:
                console = self._console.read_text(errors="replace")[-3000:]
                why = "it has ended" if readable else f"not within {limit:g} s"
                raise AssertionError(f"{why}: {what}; it said {came[-500:]!r}; its console:\n{console}")
            came += piece
        return came[:found.start()], int(found[1])

    def run(self, command: str, check: bool = True) -> str:
        """Runs a shell command inside as root. Returns its standard output and standard error."""
        self._qemu.stdin.write(base64.b64encode(command.encode()) + b"\n")
        said, status = self._answer(120, command[:500])
        text = said.decode(errors="replace")
        if check and status != 0:
            raise AssertionError(f"{command[:500]!r} ended with {status}: {text}")
        return text

    def close(self) -> None:
        process.end(self._qemu)
        shutil.rmtree(self._folder, ignore_errors=True)
