# SPDX-License-Identifier: Apache-2.0
"""
Random link operations as plain data, and the code that carries them out.

An operation is a tuple of a kind and numbers, ("mtu", 7, 1400). Any list of them can be carried out, in any namespace:
an operation that does not apply (the link is gone, the name is in use) does nothing. So a list is a recording that can
be replayed and cut.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Optional

from support.link_requests import LinkRequests
from support.netns import Netns

Operation = tuple[Any, ...]
BRIDGES = 2


@dataclass
class Cable:
    """
    A veth pair. One end, in the namespace under test, has a port's name most of the time; the other one is p<number>.
    """

    number: int
    index: int
    name: str
    exists: bool = True
    here: bool = True     # False: moved to the namespace of the far ends
    up: bool = True
    bridge: Optional[int] = None
    altname: bool = False


@dataclass
class Links:
    """Carries out operations, and so knows which link has which name."""

    dut: Netns
    far: Netns
    cables: list[Cable]
    first_index: int      # the first of the indexes that no link had before
    first_far_index: int
    refused: Counter = field(default_factory=Counter)  # what the kernel refused, by kind
    done: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._dut, self._far = LinkRequests(self.dut), LinkRequests(self.far)
        self._bridges: dict[int, int] = {}
        self._new_indexes = 0

    def close(self) -> None:
        self._dut.close()
        self._far.close()

    def apply(self, operation: Operation) -> None:
        kind, number, *args = operation
        what = number if kind.endswith("_bridge") else self.cables[number]
        try:
            if getattr(self, "_" + kind)(what, *args) is not False:
                self.done[kind] += 1
        except OSError:
            self.refused[kind] += 1

    def names(self) -> set[str]:
        """Returns the names of the cables that are in the namespace under test."""
        return {cable.name for cable in self.cables if cable.exists and cable.here}

    def _home(self, cable: Cable) -> LinkRequests:
        return self._dut if cable.here else self._far

    def _admin(self, cable: Cable, up: int) -> Optional[bool]:
        if not cable.exists:
            return False
        self._home(cable).set_up(cable.index, bool(up))
        cable.up = bool(up)
        return None

    def _mtu(self, cable: Cable, mtu: int) -> Optional[bool]:
        return self._home(cable).set_mtu(cable.index, mtu) if cable.exists else False

    def _alias(self, cable: Cable, number: int) -> Optional[bool]:
        return self._home(cable).set_alias(cable.index, f"alias {number}") if cable.exists else False

    def _mac(self, cable: Cable, number: int) -> Optional[bool]:
        return self._home(cable).set_address(cable.index, number) if cable.exists else False

    def _carrier(self, cable: Cable, up: int) -> Optional[bool]:
        if not cable.exists:
            return False
        self._far.set_up(self._far.index_of(f"p{cable.number}"), bool(up))
        return None

    def _rename(self, cable: Cable, number: int, live: int) -> Optional[bool]:
        return self._set_name(cable, f"Ethernet{4 * number}", bool(live))

    def _away(self, cable: Cable) -> Optional[bool]:
        return self._set_name(cable, f"away{cable.number}")

    def _home_again(self, cable: Cable) -> Optional[bool]:
        return self._set_name(cable, f"Ethernet{4 * cable.number}")

    def _swap(self, one: Cable, number: int, live: int) -> Optional[bool]:
        other = self.cables[number]
        a, b = one.name, other.name
        if one is other or not (one.exists and one.here and other.exists and other.here):
            return False
        for cable, name in ((one, "swapping"), (other, a), (one, b)):
            self._set_name(cable, name, bool(live))
        return None

    def _set_name(self, cable: Cable, name: str, live: bool = False) -> Optional[bool]:
        """Renames a link. Sets it down first unless `live`, because kernels before 6.2 require it."""
        if not (cable.exists and cable.here) or name in self.names():
            return False
        if cable.up and not live:
            self._dut.set_up(cable.index, False)
        try:
            self._dut.set_name(cable.index, name)
            cable.name = name
        finally:
            if cable.up and not live:
                self._dut.set_up(cable.index, True)
        return None

    def _delete(self, cable: Cable) -> Optional[bool]:
        if not cable.exists:
            return False
        self._home(cable).delete(cable.index)
        cable.exists, cable.here, cable.bridge, cable.altname = False, True, None, False
        return None

    def _create(self, cable: Cable, lender: int, up: int) -> Optional[bool]:
        """
        Makes the cable with the last index of the cable `lender`, which may be itself; -1: with an index that no link
        had before.
        """
        name = f"Ethernet{4 * cable.number}"
        if cable.exists or name in self.names():
            return False
        self._new_indexes += 1
        index = self.first_index + self._new_indexes if lender < 0 else self.cables[lender].index
        self._dut.add_veth(name, index, f"p{cable.number}", self.first_far_index + self._new_indexes, self.far)
        cable.name, cable.index, cable.exists, cable.up = name, index, True, False
        self._carrier(cable, 1)
        return self._admin(cable, 1) if up else None

    def _recreate(self, cable: Cable) -> Optional[bool]:
        """Deletes the cable and makes it again, with the same name and the same index."""
        name, here = cable.name, cable.here
        if not here or self._delete(cable) is False:
            return False
        self._new_indexes += 1
        self._dut.add_veth(name, cable.index, f"p{cable.number}", self.first_far_index + self._new_indexes, self.far)
        cable.name, cable.exists, cable.up = name, True, False
        self._carrier(cable, 1)
        return self._admin(cable, 1)

    def _bounce(self, cable: Cable) -> Optional[bool]:
        """Sets the link down and up within one batch."""
        if not cable.exists:
            return False
        self._home(cable).bounce(cable.index)
        cable.up = True
        return None

    def _move_away(self, cable: Cable) -> Optional[bool]:
        return self._move(cable, self.far, self._far) if cable.here else False

    def _move_back(self, cable: Cable) -> Optional[bool]:
        return False if cable.here else self._move(cable, self.dut, self._dut)

    def _move(self, cable: Cable, target: Netns, there: LinkRequests) -> Optional[bool]:
        """Moves the link to another namespace. The kernel replaces an index that is in use there."""
        if not cable.exists:
            return False
        self._home(cable).move(cable.index, target)
        cable.here, cable.bridge, cable.up = not cable.here, None, False
        cable.index = there.index_of(cable.name)
        return None

    def _enslave(self, cable: Cable, bridge: int) -> Optional[bool]:
        if not (cable.exists and cable.here) or bridge not in self._bridges:
            return False
        self._dut.set_master(cable.index, self._bridges[bridge])
        cable.bridge = bridge
        return None

    def _release(self, cable: Cable) -> Optional[bool]:
        if not (cable.exists and cable.here) or cable.bridge is None:
            return False
        self._dut.set_master(cable.index, 0)
        cable.bridge = None
        return None

    def _delete_enslaved(self, cable: Cable, bridge: int) -> Optional[bool]:
        self._enslave(cable, bridge)
        return self._delete(cable)

    def _add_bridge(self, number: int) -> Optional[bool]:
        if number in self._bridges:
            return False
        self._dut.add_bridge(f"br{number}")
        self._bridges[number] = self._dut.index_of(f"br{number}")
        self._dut.set_up(self._bridges[number], True)
        return None

    def _delete_bridge(self, number: int) -> Optional[bool]:
        """The members of the bridge stay as they are."""
        if number not in self._bridges:
            return False
        self._dut.delete(self._bridges.pop(number))
        for cable in self.cables:
            cable.bridge = None if cable.bridge == number else cable.bridge
        return None

    def _sub_interface(self, cable: Cable, up: int) -> Optional[bool]:
        """Makes or deletes a link with the name of a sub-interface."""
        name = f"Ethernet{4 * cable.number}.10"
        try:
            index = self._dut.index_of(name)
        except OSError:
            if not (cable.exists and cable.here):
                return False
            self._dut.add_macvlan(name, cable.index)
            self._dut.set_up(self._dut.index_of(name), bool(up))
            return None
        return self._dut.delete(index)

    def _altname(self, cable: Cable) -> Optional[bool]:
        if not cable.exists:
            return False
        self._home(cable).set_altname(cable.index, f"EthernetAlt{cable.number}", not cable.altname)
        cable.altname = not cable.altname
        return None


class LinkChooser:
    """
    Chooses operations on the cables from `first` to `end`, by a seed alone. Tracks where each cable should be, so that
    most operations apply; the kernel and other operations decide where it really is.
    """

    # Operations that remove links are rarer than those that bring them back, so that most links exist.
    WEIGHTS = {"admin": 12, "mtu": 16, "alias": 6, "carrier": 12, "mac": 4, "altname": 3, "sub_interface": 3,
               "rename": 5, "away": 3, "home_again": 10, "swap": 6, "delete": 4, "create": 16, "move_away": 2,
               "move_back": 10, "enslave": 5, "release": 6, "delete_enslaved": 1, "add_bridge": 2, "delete_bridge": 1,
               "recreate": 2, "bounce": 8}
    WRONG_ONES = 0.1  # the share of operations that are carried out although they should not apply
    # The place of a cable after the operation, and the one it must have been in.
    LEADS_TO = {"delete": "gone", "delete_enslaved": "gone", "create": "home", "move_away": "far", "move_back": "home",
                "away": "away", "rename": "away", "home_again": "home"}
    BACK = {"gone": "create", "far": "move_back", "away": "home_again"}

    def __init__(self, choose: random.Random, first: int, end: int) -> None:
        self._choose, self._first, self._end = choose, first, end
        self._where = dict.fromkeys(range(first, end), "home")

    def burst(self, size: int) -> list[Operation]:
        """Sometimes chooses only a few cables, so that several operations hit the same link."""
        few = [self._any() for _ in range(3)] if self._choose.random() < 0.4 else []
        kinds = self._choose.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()), k=size)
        return [self._one(kind, self._choose.choice(few) if few else self._any()) for kind in kinds]

    def _any(self) -> int:
        return self._choose.randrange(self._first, self._end)

    def _fitting(self, kind: str, number: int) -> str:
        """An operation that brings a cable back needs one that is away; most others need one that is there."""
        where = self._where[number]
        if where in ("gone", "far"):
            return self.BACK[where]
        if kind in self.BACK.values():
            return self.BACK.get(where, self._choose.choice(("admin", "mtu", "carrier", "bounce")))
        return kind

    def _one(self, kind: str, number: int) -> Operation:
        pick = self._choose.randrange
        if kind.endswith("_bridge"):
            return kind, pick(BRIDGES)
        if self._choose.random() > self.WRONG_ONES:
            kind = self._fitting(kind, number)
        self._where[number] = self.LEADS_TO.get(kind, self._where[number])
        more = {
            "admin": lambda: (pick(2),), "carrier": lambda: (pick(2),), "mtu": lambda: (1280 + pick(8000),),
            "alias": lambda: (pick(1000),), "mac": lambda: (pick(1 << 20),), "swap": lambda: (self._any(), pick(2)),
            # Sometimes chooses the original name of another cable, which then cannot come back.
            "rename": lambda: (pick(self._first if pick(4) == 0 else self._end, 2 * self._end), pick(2)),
            "create": lambda: (self._choose.choice((number, number, self._any(), -1)), pick(4) > 0),
            "enslave": lambda: (pick(BRIDGES),), "delete_enslaved": lambda: (pick(BRIDGES),),
            "sub_interface": lambda: (pick(2),),
        }
        return (kind, number, *(int(x) for x in more.get(kind, lambda: ())()))
