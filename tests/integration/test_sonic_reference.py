# SPDX-License-Identifier: Apache-2.0
"""
Replays three recorded runs of sonic-swss's own portsyncd (sonic_reference.json): the same links and the same orchagent,
step by step. At the end of each step the databases equal the recording, and so do the events that each consumer
receives, except for DELIBERATE. In the long run Redis executes fewer commands than in the recording.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from support import process
from support.sonic import SonicCase, flat
from support.sonic_watch import Command, dump

Value = Optional[dict[str, str]]
RUNS: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parent / "sonic_reference.json").read_text())
FENCE = "Ethernet1000"  # a port of our own: when a change of it has its row, all earlier changes have theirs
CHANNEL = "PORT_TABLE_CHANNEL@0"


@dataclass
class Difference:
    """A deliberate difference from the recording."""

    reason: str
    values: dict[str, Value] = field(default_factory=dict)                 # None: the key does not exist
    events: dict[str, tuple[str, ...]] = field(default_factory=dict)       # of a key; () = no event


def row(oper: str = "down", admin: str = "down", mtu: str = "1500") -> Value:
    return {"state": "ok", "netdev_oper_status": oper, "admin_status": admin, "mtu": mtu}


def quiet(*ports: str) -> Difference:
    return Difference("nothing changed, so no consumer is woken", events={f"6 PORT_TABLE|{port}": () for port in ports})


DELIBERATE = {
    "a/04": Difference("a link seen before orchagent popped its port is not forgotten",
                       {"6 PORT_TABLE|Ethernet0": row(admin="up")}, {"6 PORT_TABLE|Ethernet0": ("hset",)}),
    "b/00": Difference("PortInitDone is not true yet: there is no netdev",
                       {"0 PORT_TABLE:PortInitDone": None}, {"0 _PORT_TABLE:PortInitDone": (), CHANNEL: ("G",)}),
    "b/03": Difference("now it is", {"0 PORT_TABLE:PortInitDone": {"lanes": "0"}},
                       {"0 _PORT_TABLE:PortInitDone": ("hset",), CHANNEL: ("G",)}),
    **dict.fromkeys(("b/12", "b/13", "b/14", "b/15", "b/16", "b/37", "b/38"), quiet("Ethernet0")),
    "b/25": Difference("a rename removes the row of the old name",
                       {"6 PORT_TABLE|Ethernet8": None}, {"6 PORT_TABLE|Ethernet8": ("del",)}),
    "b/26": Difference("so it comes back", {"6 PORT_TABLE|Ethernet8": row()}, {"6 PORT_TABLE|Ethernet8": ("hset",)}),
    "b/27": Difference("a rename removes the row of the old name",
                       {"6 PORT_TABLE|Ethernet8": None}, {"6 PORT_TABLE|Ethernet8": ("del",)}),
    "b/29": Difference("so it comes back", {"6 PORT_TABLE|Ethernet8": row()}, {"6 PORT_TABLE|Ethernet8": ("hset",)}),
    "b/30": Difference("another netdev under a known name is a DEL and then an HSET of all four",
                       events={"6 PORT_TABLE|Ethernet4": ("hset", "del", "hset"), "6 PORT_TABLE|Ethernet8": ("del", "hset")}),
}

# Steps that the recording describes in words and not as commands of ip.
BY_HAND: dict[str, list[tuple[int, tuple[str, ...]]]] = {
    "b/39": [(4, ("HSET", "PORT|Ethernet12", "lanes", "12,13,14,15", "admin_status", "up", "mtu", "9100"))],
    "b/41": [(4, ("HSET", "PORT|Ethernet0", "mtu", "1600", "admin_status", "down"))],
    "b/43": [(6, ("DEL", "PORT_TABLE|Ethernet0"))],
}
LINKS_BY_HAND = {"b/43": "link set Ethernet0 mtu 1450"}


def events_by_key(messages: list[str]) -> dict[str, tuple[str, ...]]:
    """
    Returns the events that consumers receive, by key. Counts consecutive HSETs of a row as one, because the reference
    makes one for each field. Leaves out the steps of other programs and the key set, because their number depends on
    the pace of orchagent.
    """
    events: dict[str, tuple[str, ...]] = {}
    for message in messages:
        key, _, event = message.rpartition(" ")
        ours = re.match(r"0 _PORT_TABLE:|4 LOGGER|6 |" + CHANNEL, key)
        if not ours or (key.startswith("0 ") and event == "del") or FENCE in key:
            continue
        if events.get(key, ())[-1:] != (event,):
            events[key] = (*events.get(key, ()), event)
    return events


def coalesced(events: tuple[str, ...]) -> tuple[str, ...]:
    """Leaves out writes that a removal in the same batch makes needless."""
    return tuple(event for event, after in zip(events, (*events[1:], "")) if (event, after) != ("hset", "del"))


class Replay(SonicCase):
    ports = 3

    def setUp(self) -> None:
        super().setUp()
        switch = self.switch
        for database in (0, 4, 6):
            switch.client(database).call("FLUSHDB")
        switch.others = {}
        switch.watch.bounced = {"Ethernet4"}  # its master changes, which is an event
        switch.config_db.call("SET", "CONFIG_DB_INITIALIZED", "1")
        self.expected: dict[str, Value] = {}
        self.messages = switch.redis.connect(timeout=3600)
        self.addCleanup(self.messages.close)
        self.messages.call("PSUBSCRIBE", "__keyspace@*", CHANNEL)
        self.messages.read()
        self.counts: dict[str, int] = {}
        self.fenced = False
        self._indexes = 100

    # --- a step ---

    def carry_out(self, run: str, step: dict[str, Any]) -> None:
        name = f"{run}/{step['step'][:2]}"
        if step["step"].startswith("00-before"):
            self.configure(step)
        elif "-start-" in step["step"]:
            if run == "b":
                self.switch.orchagent(hardware=False, write_own=False)
                self.configure(step)
            self.switch.start()
        elif step["step"].endswith("orchagent-pops"):  # once
            orchagent = self.switch.orchagent(hardware=False, write_own=False)
            orchagent.wait_popped("PortConfigDone")
            orchagent.stop()
        elif step["step"].endswith("sigterm"):
            self.assertEqual(self.switch.daemon.terminate(), 0)
            self.switch.daemon = None
        for database, words in BY_HAND.get(name, []):
            self.switch.client(database).call(*words)
        for command in step["do"] + ([f"ip {LINKS_BY_HAND[name]}"] if name in LINKS_BY_HAND else []):
            self.ip(command.removeprefix("ip "))
        self.compare(name, step)

    def configure(self, step: dict[str, Any]) -> None:
        """Stores the ports in CONFIG_DB that the recording begins with."""
        for key, value in step["changes"].items():
            if key.startswith("4 PORT|"):
                self.switch.config_db.call("HSET", key[2:], *flat(value))

    def ip(self, command: str) -> None:
        space, command = self.switch.dut, command.replace("netns FAR", f"netns {self.switch.far.path}")
        if command.startswith("netns exec FAR ip "):
            space, command = self.switch.far, command.removeprefix("netns exec FAR ip ")
        if "type veth" in command:  # distinct indexes, because otherwise carrier changes come late
            self._indexes += 1
            command = command.replace(" type veth", f" index {self._indexes} type veth")
            command = command.replace(" netns ", f" index {20000 + self._indexes} netns ")
        space.ip(command)

    def fence(self) -> None:
        """Waits until everything that is due has happened."""
        if self.switch.daemon is None:
            return
        if not self.fenced:
            self.switch.appl_db.call("HSET", f"PORT_TABLE:{FENCE}", "lanes", "0")
            self.ip(f"link add {FENCE} type veth peer name fence netns FAR")
            self.fenced = True
        mtu = str(2000 + len(self.counts))
        self.switch.dut.ip(f"link set {FENCE} mtu {mtu}")
        process.wait_for(lambda: self.switch.row(FENCE).get("mtu") == mtu, 10, "the fence is written")

    # --- and its result ---

    def compare(self, name: str, step: dict[str, Any]) -> None:
        difference = DELIBERATE.get(name, Difference(""))
        self.expected.update(step["changes"])
        self.expected.update(difference.values)
        self.expected = {key: value for key, value in self.expected.items() if value is not None}
        self.wait_right(name)
        self.fence()
        self.assertEqual(self.databases(), self.expected, f"{name}: the databases")
        self.counts[name] = len(before_fence(self.switch.watch.ours()))
        self.switch.watch.clear()
        wanted = {**events_by_key(step["messages"]), **difference.events}
        found = events_by_key(self.read_messages())
        for key in sorted(wanted.keys() | found.keys()):
            want, have = wanted.get(key, ()), found.get(key, ())
            self.assertIn(have, (want, coalesced(want)), f"{name}: the events that consumers receive of {key}")

    def wait_right(self, name: str) -> None:
        try:
            process.wait_for(lambda: self.databases() == self.expected, 5, "the databases are as in the recording")
        except process.TimedOut:
            self.assertEqual(self.databases(), self.expected, f"{name}: the databases")

    def databases(self) -> dict[str, Value]:
        """Returns all keys: hashes as they are, sets as in the recording."""
        found: dict[str, Value] = {}
        for database in (0, 4, 6):
            found.update({f"{database} {key}": value for key, value in dump(self.switch.redis, database).items()
                          if FENCE not in key})
        for key in ("PORT_TABLE_KEY_SET", "PORT_TABLE_DEL_SET"):
            members = sorted(self.switch.appl_db.call("SMEMBERS", key))
            if members:
                found[f"0 {key}"] = members
        return found

    def read_messages(self) -> list[str]:
        """Returns the messages since the last call."""
        self.switch.appl_db.call("PUBLISH", CHANNEL, "mark")
        found = []
        while True:
            _, _, channel, message = self.messages.read()
            if (channel, message) == (CHANNEL, "mark"):
                return found
            match = re.fullmatch(r"__keyspace@(\d+)__:(.*)", channel)
            found.append(f"{match[1]} {match[2]} {message}" if match else f"{channel} {message}")

    def replay(self, run: str) -> None:
        for step in RUNS[run]:
            self.carry_out(run, step)
        ours, theirs = sum(self.counts.values()), sum(step["commands"] for step in RUNS[run])
        print(f"     commands, ours and theirs: {ours} and {theirs}", flush=True)
        if run == "b":  # the others are so short that connecting takes most commands
            self.assertLess(ours, theirs)

    def test_no_consumer_pops_at_first(self) -> None:
        self.replay("a")

    def test_orchagent_pops_at_once(self) -> None:
        self.replay("b")

    def test_no_port_is_configured(self) -> None:
        self.replay("f")


def before_fence(commands: list[Command]) -> list[Command]:
    """Returns the commands of the step. The fence's write comes after all of them."""
    end = next((i for i, command in enumerate(commands) if any(FENCE in word for word in command.words)), len(commands))
    while end and commands[end - 1].words[0] in ("multi", "echo"):
        end -= 1
    return commands[:end]
