# SPDX-License-Identifier: Apache-2.0
"""What README.md and the document of the control socket show is what a user gets from this version."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

from integration.test_portsyncctl import Client
from support import documents, process
from support.case import Case, SettledCase, program

CONTROL = "portsyncd/doc/control-protocol.md"


def as_pattern(shown: str) -> str:
    """Returns a regular expression in which … of a document stands for any text."""
    return re.escape(shown).replace("…", ".*")


class Quickstart(SettledCase):
    """Runs examples/quickstart.sh on the build under test, so that it builds nothing."""

    def settle(self) -> None:
        pass

    def play(self, *options: str) -> str:
        return process.run([str(documents.TOP / "examples/quickstart.sh"), *options, "--build", os.environ["PORTSYNC_BUILD"]])

    @staticmethod
    def normal(text: str) -> list[str]:
        for pattern, word in ((r" +[\d.]+ ms", " # ms"), (r"[\d.]+ (us|s)\b", r"# \1"), (r"\d+ rows written", "# rows written")):
            text = re.sub(pattern, word, text)
        return text.splitlines()

    @staticmethod
    def building() -> list[str]:
        """Returns the lines that the script prints while it installs and builds, as regular expressions. It runs in the checkout."""
        script = (documents.TOP / "examples/quickstart.sh").read_text()
        script = script.replace('${build#"$PWD"/}', "build-quickstart").replace("$build", str(documents.TOP / "build-quickstart"))
        return [re.sub(r"\\\$(\\\{.*?\\\}|\w+)", ".+", re.escape(line)) for line in re.findall(r'echo "(\w+: .*?)"$', script, re.M)]

    def test_readme_shows_what_it_prints(self) -> None:
        program("portsyncd/portsyncd")
        shown = documents.block("README.md", "packages: installing").text
        building, ready, played = shown.partition("portsyncd runs; ")
        self.assertEqual(self.normal(ready + played), self.normal(self.play()))
        for line in building.splitlines():
            self.assertTrue(any(re.fullmatch(pattern, line) for pattern in self.building()), f"quickstart.sh does not print {line!r}")
        self.assertEqual(documents.block("README.md", "./examples/quickstart.sh").text, "./examples/quickstart.sh\n")

    def test_without_redis(self) -> None:
        program("portsyncd/portsyncd")
        self.assertEqual(self.play("--no-redis").splitlines()[-1], "Every row equalled the kernel after every step.")

    def test_a_folder_without_portsyncd(self) -> None:
        done = subprocess.run([documents.TOP / "examples/quickstart.sh", "--build", self.directory], capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stderr),
                         (1, f"quickstart.sh: {self.directory.resolve()} has no portsyncd/portsyncd\n"))


class Shell(Case):
    """A shell in the namespace of the ports, with the programs of the build under test in its PATH."""

    ports = 4

    def environment(self) -> dict[str, str]:
        others = {key: value for key, value in os.environ.items() if not key.startswith(("PORTSYNCD_", "REDIS_"))}
        return {**others, "PATH": f"{Path(program('portsyncd/portsyncd')).parent}:{os.environ['PATH']}", "TZ": "UTC",
                "RUNTIME_DIRECTORY": str(self.directory), "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent",
                "PORTSYNCCTL_SOCKET": str(self.directory / "control.sock")}

    def begin(self, command: str) -> tuple[subprocess.Popen, Path]:
        """Starts a command that ends by a signal. Returns it and the file with its output."""
        output = self.directory / "output"
        with output.open("wb") as file:
            started = process.start(["sh", "-c", "exec " + command], self.dut, env=self.environment(), stdout=file,
                                    stderr=subprocess.STDOUT)
        self.addCleanup(process.end, started)
        return started, output

    def end(self, started: subprocess.Popen) -> None:
        started.send_signal(signal.SIGTERM)
        self.assertEqual(started.wait(10 * process.PATIENCE), 0)

    def sh(self, command: str) -> str:
        done = subprocess.run(process.command_in(self.dut, ["sh", "-c", command]), capture_output=True, text=True,
                              env=self.environment(), timeout=30 * process.PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), command)
        return done.stdout


class RunIt(Shell):
    """The block of "Run it" in README.md. Redis listens on 127.0.0.1:6379 of the namespace."""

    autostart = False

    def test_readme_run_it(self) -> None:
        plain, with_file, check, show, lines = documents.commands(documents.block("README.md", "portsyncd  ").text)
        file = self.directory / "FILE"
        file.write_text('[ports]\nmatch = ["Ethernet4"]\n')
        self.assertEqual(plain, "portsyncd")
        daemon, _ = self.begin(plain)
        self.wait_equal()
        self.end(daemon)
        self.redis.db.call("DEL", "PORT_TABLE|Ethernet4")
        daemon, _ = self.begin(with_file.replace("FILE", str(file)))
        process.wait_for(lambda: self.redis.db.call("EXISTS", "PORT_TABLE|Ethernet4"), 10, "the row of the port in FILE")
        self.end(daemon)
        self.assertEqual(self.sh(check.replace("FILE", str(file))), f"{file}: valid\n")
        self.assertRegex(self.sh(show), r'(?m)^redis_port = 6379 +# default$')
        daemon, output = self.begin(lines)
        process.wait_for(lambda: output.read_text().count('"event":"put"') == self.ports, 10, "a line for each port")
        self.end(daemon)

    def settle(self) -> None:
        """Each step has checked the rows."""


class AskIt(Shell):
    """The commands with portsyncctl in README.md."""

    def test_readme_ask_it(self) -> None:
        page = documents.block("README.md", "portsyncctl ports").text
        ports, monitor, health, stats, resync = documents.commands(page)
        self.assertRegex(self.sh(ports), r"^NAME .*\nEthernet12 .*\n$")
        watching, output = self.begin(monitor)
        mtu = iter(range(2000, 9000))

        def has_shown() -> bool:
            self.dut.ip(f"link set Ethernet0 mtu {next(mtu)}")  # monitor shows nothing before the first change
            return " Ethernet0 " in output.read_text()
        process.wait_for(has_shown, 10, "a change is shown", 0.05)
        process.end(watching)
        self.daemon.wait_status("Healthy")
        self.assertRegex(self.sh(health), r"Healthy")
        self.assertRegex(self.sh(stats), r"(?m)^ *pending\b")
        also = re.search(r"# also (.*)\n", page)[1].replace("LEVEL", "warn").split(", ")
        self.assertEqual(also, ["audit", "reload", "log-level warn"])
        for command in [resync, *(f"portsyncctl {word}" for word in also)]:
            self.sh(command)
        self.assertIn("Log level:  warn\n", self.sh("portsyncctl"))


class ControlSocket(Shell):
    """The requests, replies and events of control-protocol.md."""

    def client(self) -> Client:
        client = Client(self.directory / "control.sock")
        self.addCleanup(client.close)
        return client

    def answer(self, request: str) -> str:
        client = self.client()
        client.socket.sendall(request.encode() + b"\n")
        return client.line().rstrip("\n")

    def test_requests_and_replies(self) -> None:
        lines = documents.block(CONTROL, '{"method"').text.splitlines()
        for request, reply in zip(lines[::2], lines[1::2], strict=True):
            self.assertRegex(self.answer(request), f"^{as_pattern(reply)}$")

    def test_the_command_for_a_shell(self) -> None:
        """nc is not needed for the tests, so they send what its line sends, to the socket that portsyncctl uses."""
        request, path = re.fullmatch(r"echo '(.*)' \| nc -UN (\S+)\n", documents.block(CONTROL, "echo").text).groups()
        self.assertEqual(json.loads(self.answer(request))["result"]["name"], "Ethernet0")
        self.assertIn(f"default: {path})", self.sh("portsyncctl --help"))

    def test_events(self) -> None:
        shown = documents.block(CONTROL, '{"event"').text.replace(",…", "").replace(":…", ":0").replace("{…}", "{}")
        events = {event["event"]: event for event in map(json.loads, shown.splitlines())}
        # test_portsyncctl.py::test_one_that_does_not_read_costs_nothing has the event of a client that does not read.
        self.assertEqual(set(events), {"port_changed", "health_changed", "resynchronized", "store_changed", "dropped"})
        client = self.client()
        self.assertEqual(client.ask('{"method":"monitor"}'), {"ok": True, "result": {}})
        self.dut.ip("link set Ethernet0 mtu 2000")
        self.compare(client, events["port_changed"])
        self.sh("portsyncctl resync")
        self.compare(client, events["resynchronized"])
        self.redis.kill()
        self.compare(client, events["store_changed"], events["health_changed"])
        self.redis.start()
        self.foreign.clear()
        self.wait_equal()

    def compare(self, client: Client, *shown: Any) -> None:
        """Reads events until each that is shown has come, and compares their members."""
        missing = {event["event"]: event for event in shown}
        while missing:
            event = json.loads(client.line())
            if of_document := missing.pop(event["event"], None):
                self.assertEqual(event.keys(), of_document.keys())
                for member in (of_document.keys() & {"before", "now"}) if event["event"] == "health_changed" else ():
                    self.assertEqual(event[member].keys(), of_document[member].keys())
