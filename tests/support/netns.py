# SPDX-License-Identifier: Apache-2.0
"""
Network namespaces that live as long as this process, the links in them, and rtnetlink by hand.

Nothing here needs /run/netns, a holder process or a name, so the same code works as root and under `unshare -Urn`.
"""

import ctypes
import os
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Callable, Iterable, Optional, TypeVar

from support import process

T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLMSG_ERROR, NLMSG_DONE, NLM_F_DUMP_INTR = 2, 3, 0x10
IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_LINKINFO, IFLA_EXT_MASK = 3, 4, 10, 18, 29
IFLA_INFO_KIND = 1
RTEXT_FILTER_SKIP_STATS = 8
IFF_UP, IFF_RUNNING = 0x1, 0x40


@dataclass
class Link:
    ifindex: int = 0
    name: str = ""
    flags: int = 0
    mtu: int = 0
    master: int = 0
    kind: str = ""

    @property
    def admin(self) -> str:
        return "up" if self.flags & IFF_UP else "down"

    @property
    def oper(self) -> str:
        return "up" if self.flags & IFF_RUNNING else "down"


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def attributes(data: bytes) -> Iterable[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4:
            return
        yield kind & 0x3FFF, data[at + 4:at + size]
        at += (size + 3) & ~3


def link_message(kind: int, flags: int, ifindex: int, if_flags: int = 0, change: int = 0, attrs: bytes = b"") -> bytes:
    body = struct.pack("=BBHiII", socket.AF_UNSPEC, 0, 1, ifindex, if_flags, change) + attrs
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


def _text(value: bytes) -> str:
    return value.split(b"\0", 1)[0].decode()


def decode_link(payload: bytes) -> Link:
    _, _, _, ifindex, flags, _ = struct.unpack_from("=BBHiII", payload)
    link = Link(ifindex=ifindex, flags=flags)
    for kind, value in attributes(payload[16:]):
        if kind == IFLA_IFNAME:
            link.name = _text(value)
        elif kind == IFLA_MTU:
            link.mtu = struct.unpack("=I", value)[0]
        elif kind == IFLA_MASTER:
            link.master = struct.unpack("=I", value)[0]
        elif kind == IFLA_LINKINFO:
            link.kind = next((_text(v) for k, v in attributes(value) if k == IFLA_INFO_KIND), "")
    return link


@dataclass
class Netns:
    """A new network namespace, with `lo` up."""

    fd: int = field(default=-1, init=False)

    def __post_init__(self) -> None:
        def make() -> int:
            if _libc.unshare(_CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

        self.fd = _in_thread(make)
        self.ip("link set lo up")

    @property
    def path(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def call(self, function: Callable[[], T]) -> T:
        """Calls a function inside the namespace. A socket that it opens stays in the namespace."""
        def inside() -> T:
            if _libc.setns(self.fd, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            return function()
        return _in_thread(inside)

    def ip(self, *commands: str) -> None:
        """Runs one `ip -batch` with the commands, each written as after `ip`."""
        process.run(["ip", "-batch", "-"], self, "\n".join(commands) + "\n")

    def netlink(self, groups: int = 0) -> socket.socket:
        def open_socket() -> socket.socket:
            s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            s.bind((0, groups))
            return s
        return self.call(open_socket)

    def links(self) -> dict[str, Link]:
        """Returns every link by name, as a dump shows it. Repeats a dump that the kernel reports as interrupted."""
        with self.netlink() as s:
            while True:
                found = self._dump(s)
                if found is not None:
                    return {link.name: link for link in found}

    @staticmethod
    def _dump(s: socket.socket) -> Optional[list[Link]]:
        mask = attribute(IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_SKIP_STATS))
        s.send(link_message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 0, attrs=mask))
        links: list[Link] = []
        interrupted = False
        while True:
            data = s.recv(1 << 16)
            at = 0
            while at + 16 <= len(data):
                size, kind, flags, _, _ = struct.unpack_from("=IHHII", data, at)
                interrupted |= bool(flags & NLM_F_DUMP_INTR)
                if kind == NLMSG_ERROR:
                    raise OSError(-struct.unpack_from("=i", data, at + 16)[0], "RTM_GETLINK")
                if kind == NLMSG_DONE:
                    return None if interrupted else links
                if kind == RTM_NEWLINK:
                    links.append(decode_link(data[at + 16:at + size]))
                at += (size + 3) & ~3


def _in_thread(function: Callable[[], T]) -> T:
    """unshare() and setns() change only the calling thread, so a thread calls them that ends right afterwards."""
    result: list[T] = []
    error: list[BaseException] = []

    def body() -> None:
        try:
            result.append(function())
        except BaseException as e:  # pylint: disable=broad-except
            error.append(e)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if error:
        raise error[0]
    return result[0]
