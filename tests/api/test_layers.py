# SPDX-License-Identifier: Apache-2.0
"""Dependencies point inward: portsyncd -> public headers -> {drive, netlink, redis, jsonl, sonic} -> core, os -> the standard.

In portsyncd: daemon -> app -> faces, sonic, service -> config -> log, loop -> base -> os.
"""

import re
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
SOURCES = TOP / "libportsync" / "src"

STANDARD = r"<[a-z_0-9]+>"
SYSTEM = r"<(sys/|netinet/|arpa/)?[a-z_0-9]+\.h>"
# The headers that each layer may include: its own, those of the inner layers, and the foreign library that is named.
CORE = rf'{STANDARD}|<fnmatch\.h>|<portsync/[a-z_]+\.hpp>|"core/.*"'
GROUND = rf'{STANDARD}|{SYSTEM}|<portsync/pollable\.hpp>|"os/.*"'
OS = rf'{CORE}|{GROUND}'
LAYERS = {
    "core": CORE,
    "os": GROUND,
    "drive": rf'{OS}|"drive/.*"',
    "netlink": rf'{OS}|"netlink/.*"|<portsync/netlink/.*>|<linux/.*>|<netlink/.*>',
    "redis": rf'{OS}|"redis/.*"|<portsync/redis/.*>|<hiredis/.*>',
    "jsonl": rf'{OS}|"jsonl/.*"|<nlohmann/.*>',
    "sonic": rf'{OS}|"sonic/.*"|<portsync/sonic/.*>|<portsync/redis/.*>',
}
# The rooms of portsyncd that each room may include: itself, and those that are named.
ROOMS = {
    "os": (),
    "base": ("os",),
    "loop": ("base", "os"),
    "log": ("base",),
    "config": ("base", "log", "os"),
    "service": ("base", "loop", "log", "os"),
    "sonic": ("base", "loop", "log", "config", "service", "os"),
    "faces": ("base", "log", "os"),
    "faces/socket": ("base", "loop", "log", "faces/control"),
    "faces/dbus": ("base", "loop", "log", "faces/control"),
    "faces/metrics": ("base", "loop", "log", "faces/control"),
    "ctl": ("base", "faces/socket/control_socket"),  # the name of the socket
}
# The build makes it, beside meson.build.
GENERATED = ("build_info", "org.sonic.PortSync1_adaptor")
NOT_IN_CORE = r"<(thread|mutex|condition_variable|future|atomic|csignal|iostream|fstream|cstdlib|ctime)>"
# Libraries that only one file of portsyncd (a header and its source) may use.
ONE_PAIR = {"toml11": r"<toml\.hpp>|<toml11?/", "sdbus-c++": r"<sdbus-c\+\+/",
            "libsystemd": r"<systemd/", "spdlog": r"<spdlog/", "CLI11": r"<CLI/", "nlohmann-json": r"<nlohmann/",
            "prometheus-cpp": r"<prometheus/", "the shim of sdbus-c++": r'sdbus_compat\.hpp"|_adaptor\.hpp"'}
# Calls of the C library that a simulated system must implement, and those of libnl that make such calls.
SYSTEM_CALLS = (r"(?<!\w)::(socket|bind|connect|listen|accept4?|send|sendto|sendmsg|sendmmsg|recv|recvfrom|recvmsg|recvmmsg|"
                r"[gs]etsockopt|getsockname|read|readv|write|writev|open|close|dup|fcntl|ioctl|pipe2?|poll|ppoll|select|"
                r"epoll_\w+|timerfd_\w+|eventfd|signalfd|clock_gettime|nanosleep|fstat|lseek|ftruncate|isatty|getaddrinfo|freeaddrinfo)\("
                r"|std::(thread|jthread|async|this_thread)\b|\bnl_(connect|send\w*|recv\w*|socket_\w+|complete_msg)\(")
# The simulator replaces these rooms of portsyncd as a whole, or leaves them out: the log, and the faces with their
# sockets.
SYSTEM_ROOMS = ("os", "log", "faces/socket", "faces/dbus", "faces/metrics", "ctl")
SYSTEM_OF_FILES = (r"(?<!\w)::(f?stat|pread|pwrite|unlink|mkdir|chmod|futimens|mmap|munmap|posix_fallocate|fallocate|getpid|prctl|sigprocmask)\("
                   r"|std::(getenv|signal|random_device|fopen|ifstream|ofstream)\b|_clock::now|Clock::now|\bextern char|[=(]\s*environ\b")
ALGORITHMS = (r"std::(any_of|all_of|none_of|find|find_if|find_if_not|for_each|count|count_if|mismatch|search|copy|copy_if|copy_n|transform"
              r"|fill|fill_n|generate|remove|remove_if|replace|unique|reverse|sort|stable_sort|lower_bound|upper_bound|equal_range"
              r"|binary_search|includes|merge|min|max|minmax|min_element|max_element|clamp)[(<]")
JSON_TOO = {"sonic_db_config"}  # reads a file of SONiC's, not the control socket


def sources(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix in (".cpp", ".hpp"))


def includes(path: Path) -> list[str]:
    return re.findall(r"^\s*#\s*include\s+(\S+)", path.read_text(), re.MULTILINE)


def stray(path: Path, room: str) -> list[str]:
    """Returns the includes of a file of portsyncd that its room may not have."""
    allowed = (*ROOMS[room], room)
    own = re.compile("|".join(rf"{re.escape(place)}[/.]" for place in allowed) + "|" +
                     "|".join(rf"{re.escape(name)}\.hpp" for name in GENERATED))
    deeper = tuple(f"{other}/" for other in ROOMS if other.startswith(room + "/"))
    quoted = [included.strip('"') for included in includes(path) if included.startswith('"')]
    return [name for name in quoted if not own.match(name) or name.startswith(deeper)]


def circles(folder: Path, as_units: bool) -> list[str]:
    """Returns headers that include themselves through others. A source's includes count for its header."""
    arrows: dict[str, set[str]] = {}
    for path in sources(folder):
        if path.suffix == ".cpp" and not as_units:
            continue
        here = str(path.relative_to(folder).with_suffix(""))
        there = {included.strip('"').removesuffix(".hpp") for included in includes(path) if included.startswith('"')}
        arrows.setdefault(here, set()).update(there - {here})
    found: list[str] = []
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> None:
        if name in way:
            found.append(" -> ".join([*way[way.index(name):], name]))
        elif name not in done:
            for other in sorted(arrows.get(name, ())):
                walk(other, [*way, name])
            done.add(name)

    for name in sorted(arrows):
        walk(name, [])
    return found


class Layers(unittest.TestCase):
    def test_each_layer_includes_the_inner_ones_alone(self) -> None:
        self.assertEqual({p.name for p in SOURCES.iterdir() if p.is_dir() and sources(p)} - LAYERS.keys(), set())
        for layer, allowed in LAYERS.items():
            for path in sources(SOURCES / layer):
                for included in includes(path):
                    with self.subTest(file=str(path.relative_to(TOP))):
                        self.assertRegex(included, rf"^({allowed})$")

    def test_what_uses_an_algorithm_includes_it(self) -> None:
        """The C++ library of g++ 12 includes <algorithm> with other headers, and that of g++ 14 does not."""
        for folder in ("libportsync", "portsyncd", "examples", "tests"):
            for path in sources(TOP / folder):
                if re.search(ALGORITHMS, path.read_text()):
                    with self.subTest(file=str(path.relative_to(TOP))):
                        self.assertIn("<algorithm>", includes(path))

    def test_core_knows_no_threads_signals_files_or_environment(self) -> None:
        for path in sources(SOURCES / "core"):
            with self.subTest(file=path.name):
                self.assertNotRegex("\n".join(includes(path)), NOT_IN_CORE)
                self.assertNotRegex(path.read_text(), r"getenv|\bsignal\(|_clock::now|Clock::now")

    def test_the_clock_is_read_in_os_alone(self) -> None:
        for path in sources(SOURCES):
            if path.parent.name != "os":
                with self.subTest(file=path.name):
                    self.assertNotRegex(path.read_text(), r"_clock::now|Clock::now|clock_gettime|gettimeofday")

    def test_system_calls_are_made_in_os_alone(self) -> None:
        """The simulator links another os, and so runs all other code of the library."""
        for path in sources(SOURCES):
            if path.parent.name != "os":
                with self.subTest(file=path.name):
                    self.assertNotRegex(path.read_text(), SYSTEM_CALLS)
                    self.assertNotRegex("\n".join(includes(path)), r"<(unistd|sys/(eventfd|timerfd|select))\.h>|<thread>")

    def test_portsyncd_makes_system_calls_in_os_alone(self) -> None:
        """So that the simulator, which links another os, runs the App with its loop, files and service notification."""
        top = TOP / "portsyncd"
        for path in sources(top):
            name = str(path.relative_to(top))
            if str(path.parent.relative_to(top)) in SYSTEM_ROOMS:
                continue
            with self.subTest(file=name):
                self.assertNotRegex(path.read_text(), SYSTEM_CALLS)
                self.assertNotRegex(path.read_text(), SYSTEM_OF_FILES)

    def test_portsyncd_uses_public_headers_alone(self) -> None:
        for path in sources(TOP / "portsyncd"):
            for included in includes(path):
                with self.subTest(file=path.name):
                    self.assertNotRegex(included, r'"(core|netlink|redis|jsonl)/|"os/(?!system\.hpp)|<(hiredis|netlink)/|\.\./')

    def test_each_library_of_portsyncd_is_known_to_one_file_pair(self) -> None:
        ctl = set(sources(TOP / "portsyncd" / "ctl"))
        programs = {"portsyncd": set(sources(TOP / "portsyncd")) - ctl, "portsyncctl": ctl}
        for program, files in programs.items():
            for library, pattern in ONE_PAIR.items():
                users = {path.stem for path in files
                         if path.stem not in JSON_TOO and re.search(pattern, "\n".join(includes(path)))}
                with self.subTest(program=program, library=library):
                    self.assertLessEqual(len(users), 1, users)

    def test_portsyncctl_needs_no_library_of_ours(self) -> None:
        for path in sources(TOP / "portsyncd" / "ctl"):
            for included in includes(path):
                with self.subTest(file=path.name):
                    self.assertNotRegex(included, r"<portsync/(?!version\.hpp)")

    def test_each_room_of_portsyncd_includes_the_inner_ones_alone(self) -> None:
        top = TOP / "portsyncd"
        self.assertEqual({path.name for path in sources(top) if path.parent == top}, {"app.cpp", "app.hpp", "daemon.cpp", "daemon.hpp", "main.cpp"})
        for path in sources(top):
            room = str(path.parent.relative_to(top))
            if room != ".":
                with self.subTest(file=str(path.relative_to(top))):
                    self.assertIn(room, ROOMS)
                    self.assertEqual(stray(path, room), [])

    def test_no_files_include_one_another_in_a_circle(self) -> None:
        for folder, as_units in ((TOP / "portsyncd", True), (SOURCES, False)):
            with self.subTest(folder=folder.name):
                self.assertEqual(circles(folder, as_units), [])
