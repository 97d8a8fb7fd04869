# SPDX-License-Identifier: Apache-2.0
"""Changes links by rtnetlink, one acknowledged request at a time: thousands a second, in order."""

import errno
import os
import struct

from support.netns import (IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MASTER, IFLA_MTU, NLM_F_ACK, NLM_F_REQUEST,
                           NLMSG_ERROR, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK, IFF_UP, Netns, attribute, link_message)

NLM_F_EXCL, NLM_F_CREATE, NLA_F_NESTED = 0x200, 0x400, 0x8000
RTM_NEWLINKPROP, RTM_DELLINKPROP = 108, 109
IFLA_ADDRESS, IFLA_LINK, IFLA_IFALIAS, IFLA_NET_NS_FD, IFLA_PROP_LIST, IFLA_ALT_IFNAME = 1, 5, 20, 28, 52, 53
IFLA_GROUP = 27
IFLA_INFO_DATA, VETH_INFO_PEER = 2, 1


def _text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


class LinkRequests:
    """Requests in one namespace. A refusal of the kernel is an OSError."""

    def __init__(self, namespace: Netns) -> None:
        self._namespace = namespace
        self._socket = namespace.netlink()

    def close(self) -> None:
        self._socket.close()

    def set_up(self, index: int, up: bool) -> None:
        self._ask(link_message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, index, IFF_UP if up else 0, IFF_UP))

    def set_mtu(self, index: int, mtu: int) -> None:
        self._change(index, _number(IFLA_MTU, mtu))

    def set_alias(self, index: int, alias: str) -> None:
        self._change(index, attribute(IFLA_IFALIAS, alias.encode()))

    def set_address(self, index: int, number: int) -> None:
        self._change(index, attribute(IFLA_ADDRESS, struct.pack(">HI", 0x0200, number)))

    def set_name(self, index: int, name: str) -> None:
        self._change(index, _text(IFLA_IFNAME, name))

    def set_master(self, index: int, master: int) -> None:
        self._change(index, _number(IFLA_MASTER, master))

    def move(self, index: int, to: Netns) -> None:
        self._change(index, _number(IFLA_NET_NS_FD, to.fd))

    def set_altname(self, index: int, name: str, wanted: bool) -> None:
        names = attribute(IFLA_PROP_LIST | NLA_F_NESTED, _text(IFLA_ALT_IFNAME, name))
        kind, flags = (RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL) if wanted else (RTM_DELLINKPROP, 0)
        self._ask(link_message(kind, NLM_F_REQUEST | NLM_F_ACK | flags, index, attrs=names))

    def add_veth(self, name: str, index: int, peer: str, peer_index: int, peer_namespace: Netns) -> None:
        other = struct.pack("=BBHiII", 0, 0, 0, peer_index, 0, 0) + _text(IFLA_IFNAME, peer)
        other += _number(IFLA_NET_NS_FD, peer_namespace.fd)
        self._create(index, name, "veth", data=attribute(VETH_INFO_PEER, other))

    def add_bridge(self, name: str, group: int = 0) -> None:
        self._create(0, name, "bridge", _number(IFLA_GROUP, group))

    def add_macvlan(self, name: str, lower: int) -> None:
        self._create(0, name, "macvlan", _number(IFLA_LINK, lower))

    def delete(self, index: int) -> None:
        self._ask(link_message(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, index))

    def delete_group(self, group: int) -> None:
        """Deletes all its links at once: the kernel's lock is held until the last is gone."""
        self._ask(link_message(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, 0, attrs=_number(IFLA_GROUP, group)))

    def bounce(self, index: int) -> None:
        """Sets the link down and up in one datagram, so that portsyncd finds both in one batch."""
        down, up = (link_message(RTM_NEWLINK, NLM_F_REQUEST | ack, index, flags, IFF_UP)
                    for ack, flags in ((0, 0), (NLM_F_ACK, IFF_UP)))
        self._ask(down + up)

    def index_of(self, name: str) -> int:
        answer = self._ask(link_message(RTM_GETLINK, NLM_F_REQUEST, 0, attrs=_text(IFLA_IFNAME, name)))
        return struct.unpack_from("=i", answer, 20)[0]

    def _change(self, index: int, attrs: bytes) -> None:
        self._ask(link_message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, index, attrs=attrs))

    def _create(self, index: int, name: str, kind: str, attrs: bytes = b"", data: bytes = b"") -> None:
        info = _text(IFLA_INFO_KIND, kind) + (attribute(IFLA_INFO_DATA, data) if data else b"")
        attrs += _text(IFLA_IFNAME, name) + attribute(IFLA_LINKINFO, info)
        self._ask(link_message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, index, attrs=attrs))

    def _ask(self, message: bytes) -> bytes:
        self._socket.send(message)
        answer = self._socket.recv(1 << 16)
        if struct.unpack_from("=H", answer, 4)[0] == NLMSG_ERROR:
            error = -struct.unpack_from("=i", answer, 16)[0]
            if error:
                raise OSError(error, os.strerror(error), errno.errorcode.get(error))
        return answer
