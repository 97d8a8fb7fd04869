# SPDX-License-Identifier: Apache-2.0
"""The program without links and Redis: options, configuration, environment, exit codes."""

import os
import resource
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Optional

from support.case import SANITIZED, program

SHIPPED = Path(__file__).resolve().parents[2] / "portsyncd" / "data" / "portsyncd.conf"
EX_CONFIG = 78
LEVELS = "expected trace, debug, info, warn, error, critical or off"

# The profiles of portsyncd/doc/deployment.md. A profile there may set more keys.
PROFILES = {
    "custom": {"performance.max_event_queue": "5000", "performance.batch_timeout_ms": "50",
               "performance.max_latency_us": "5000", "health.max_stall_seconds": "20",
               "health.watchdog_interval_secs": "10"},
    "high latency": {"performance.batch_timeout_ms": "200", "performance.max_latency_us": "20000"},
    "high throughput": {"performance.max_event_queue": "10000", "performance.batch_timeout_ms": "50"},
    "memory constrained": {"performance.max_event_queue": "500", "performance.batch_timeout_ms": "100"},
    "reliability": {"health.max_failure_rate_percent": "1.0", "health.min_port_sync_rate": "95.0"},
}


def profile_file(keys: dict[str, str]) -> str:
    return "".join("[{}]\n{} = {}\n".format(*name.split("."), value) if name.split(".")[0] != section else
                   f"{name.split('.')[1]} = {value}\n"
                   for section, (name, value) in zip([""] + [n.split(".")[0] for n in keys], keys.items()))


class Program(unittest.TestCase):
    """Runs the program until it ends."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="portsync-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def file(self, text: str, name: str = "f.conf") -> str:
        path = self.directory / name
        path.write_text(text)
        return str(path)

    def run_it(self, *arguments: str, environment: Optional[dict[str, str]] = None,
               limit: float = 60) -> subprocess.CompletedProcess:
        not_ours = ("PORTSYNCD_", "REDIS_", "RUST_LOG")
        env = {k: v for k, v in os.environ.items() if not k.startswith(not_ours)}
        return subprocess.run([program("portsyncd/portsyncd"), *arguments], env={**env, **(environment or {})},
                              capture_output=True, text=True, errors="replace", timeout=limit, check=False,
                              stdin=subprocess.DEVNULL)

    def shown(self, text: str = "", environment: Optional[dict[str, str]] = None,
              *options: str) -> dict[str, tuple[str, str]]:
        """Runs --show-config. Returns section.key → (value, origin)."""
        done = self.run_it("--config", self.file(text), "--show-config", *options, environment=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.warnings = done.stderr
        keys, section = {}, ""
        for line in done.stdout.splitlines():
            if match := re.fullmatch(r"\[(\w+)\]", line):
                section = match[1]
            elif match := re.fullmatch(r"(\w+) = (.*?) +# (.*)", line):
                keys[f"{section}.{match[1]}"] = (match[2], match[3])
        self.output = done.stdout
        return keys

    def refusal(self, text: str) -> str:
        """Returns the errors that --check-config prints for a wrong file."""
        path = self.file(text)
        done = self.run_it("--check-config", path)
        self.assertEqual((done.returncode, done.stdout), (EX_CONFIG, ""), done.stderr)
        return done.stderr.replace(path, "FILE").strip()


class Options(Program):
    def test_version_and_help_touch_nothing(self) -> None:
        for option, beginning in (("--version", "portsyncd 0."), ("--help", "Keeps SONiC's STATE_DB"), ("-h", "Keeps")):
            trace = self.directory / "trace"
            done = subprocess.run(
                ["strace", "-f", "-o", trace, "-e", "trace=socket,connect,openat,open", program("portsyncd/portsyncd"),
                 option, "--config", "/does/not/exist"], capture_output=True, text=True, check=False,
                env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout.startswith(beginning), done.stdout)
            calls = trace.read_text()
            self.assertIn("open", calls, "the trace contains the dynamic loader's calls at least")
            for touched in ("AF_NETLINK", "AF_UNIX", "AF_INET", "portsyncd.conf", "/does/not/exist", "database_config"):
                self.assertNotIn(touched, calls)

    def test_help_names_every_option_signal_and_status(self) -> None:
        text = self.run_it("--help").stdout
        for word in ("--config", "--check-config", "--validate-config", "--show-config", "--log-level", "--version",
                     "--help", "TERM", "INT", "HUP", "USR1", "78", "69", "PORTSYNCD_<SECTION>_<KEY>", "REDIS_HOST"):
            self.assertIn(word, text)
        self.assertLessEqual(max(map(len, text.splitlines())), 120)

    def test_man_pages_name_every_option_signal_key_and_variable(self) -> None:
        page = (SHIPPED.parents[1] / "man" / "portsyncd.8.scd").read_text().replace("\\", "")
        options = re.findall(r"(?<![\w-])--?[a-z][a-z-]*", self.run_it("--help").stdout)
        self.assertIn("--show-config", options)
        for word in {*options, "SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "69", "78", "REDIS_HOST", "REDIS_PORT",
                     "RUST_LOG", "PORTSYNCD_LOG_LEVEL", "PORTSYNCD_<SECTION>_<KEY>"}:
            self.assertIn(word, page)

    def test_unknown_option(self) -> None:
        done = self.run_it("--confg", "x")
        self.assertEqual(done.returncode, EX_CONFIG)
        self.assertIn("--confg", done.stderr)
        self.assertIn("--help", done.stderr)

    def test_named_file_missing_is_an_error(self) -> None:
        for option in ("--config", "-c"):
            done = self.run_it(option, "/does/not/exist")
            self.assertEqual(done.returncode, EX_CONFIG)
            self.assertIn("/does/not/exist: No such file or directory", done.stderr)

    def test_check_config_and_its_alias(self) -> None:
        path = self.file("[database]\nredis_port = 6380\n")
        for arguments in (("--check-config", path), ("--validate-config", path), ("--config", path, "--check-config")):
            done = self.run_it(*arguments)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f"{path}: valid\n", ""))

    def test_check_config_of_the_default_file(self) -> None:
        if Path("/etc/sonic/portsyncd.conf").exists():
            self.skipTest("this machine has a configuration of its own")
        done = self.run_it("--check-config")
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, "/etc/sonic/portsyncd.conf: does not exist, every key has its default\n", ""))

    def test_the_shipped_file_is_valid_without_a_warning(self) -> None:
        done = self.run_it("--check-config", str(SHIPPED))
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Files(Program):
    def test_every_key_can_be_set_and_shows_where(self) -> None:
        defaults = self.shown()
        self.assertEqual(len(defaults), len(re.findall(r"^#?\w+ = ", SHIPPED.read_text(), re.M)))
        self.assertEqual({origin for _, origin in defaults.values()}, {"default"})
        for name, (value, _) in defaults.items():
            section, key = name.split(".")
            with self.subTest(name):
                text = f"[{section}]\n{key} = {value}\n"
                self.assertEqual(self.shown(text)[name], (value, f"{self.directory}/f.conf:2:{len(key) + 4}"))

    def test_the_origin_of_a_value_that_was_read_as_another_type(self) -> None:
        shown = self.shown('[health]\nmin_port_sync_rate = 50\n[dbus]\nenabled = true\n[logging]\nlevel = "debug"\n',
                           {"RUST_LOG": "loud"})
        self.assertEqual(shown["health.min_port_sync_rate"], ("50.0", f"{self.directory}/f.conf:2:22"))
        self.assertEqual(shown["dbus.enabled"], ('"true"', f"{self.directory}/f.conf:4:11"))
        self.assertEqual(shown["logging.level"], ('"info"', "RUST_LOG"))

    def test_what_is_shown_is_a_valid_file_with_the_same_values(self) -> None:
        text = ("[database]\nredis_username = \"a\\\\b\\\"c # d\"\nredis_port = 6380\n[ports]\nmatch = [\"E*\", 'é[0-9]']\n"
                "[health]\nmin_port_sync_rate = 95\n[sync]\nport_index = false\n")
        first = self.shown(text)
        self.assertEqual(first["health.min_port_sync_rate"][0], "95.0")  # an integer is accepted for a float
        second = self.shown(self.output)
        self.assertEqual({k: v for k, (v, _) in first.items()}, {k: v for k, (v, _) in second.items()})

    def test_the_five_profiles_load_and_show_their_values(self) -> None:
        for name, keys in PROFILES.items():
            with self.subTest(name):
                shown = self.shown(profile_file(keys))
                self.assertEqual({key: shown[key][0] for key in keys}, keys)

    def test_unknown_key_is_a_warning_with_the_nearest_name(self) -> None:
        path = self.file("[database]\nredis_prot = 1\n[perfomance]\nx = 1\n")
        done = self.run_it("--check-config", path)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr, f"warning: {path}:2:14: unknown key database.redis_prot, did you mean redis_port?\n"
                                      f"warning: {path}:3:1: unknown section [perfomance], did you mean [performance]?\n")

    def test_wrong_type_range_and_syntax_name_line_column_and_what_was_expected(self) -> None:
        for text, said in {
            "[database]\nredis_port = \"6379\"\n":
                'FILE:2:14: database.redis_port: found the string "6379", expected an integer from 1 to 65535',
            "[database]\nredis_port = 65536\n":
                "FILE:2:14: database.redis_port: found the integer 65536, expected an integer from 1 to 65535",
            "[database]\nredis_port = 18446744073709551617\n": "FILE:2:",
            "[sync]\nmode = \"mirrored\"\n":
                'FILE:2:8: sync.mode: found the string "mirrored", expected one of "mirror" "sonic"',
            "[sync]\nport_index = 1\n": "FILE:2:14: sync.port_index: found the integer 1, expected true or false",
            "[database]\nredis_host = localhost\n": "FILE:2:",
            "[performance]\n\n\nmax_latency_us = \n": "FILE:4:",
            "[logging]\ntarget = \"file\"\n": "FILE:2:10: logging.target is \"file\" and logging.file is empty",
        }.items():
            with self.subTest(text):
                self.assertIn(said, self.refusal(text))

    def test_a_host_with_a_port_or_a_scheme_is_an_error(self) -> None:
        for host in ("127.0.0.1:6380", "redis://127.0.0.1", "redis://localhost:6379/6", "[::1]"):
            self.assertIn(f'FILE:2:14: database.redis_host: found the string "{host}", expected a host name, an IPv4 or an IPv6 '
                          "address, without a scheme and a port", self.refusal(f'[database]\nredis_host = "{host}"\n'))
        for host in ("localhost", "10.0.0.1", "::1", "fe80::1%eth0"):
            self.assertEqual(self.shown(f'[database]\nredis_host = "{host}"\n')["database.redis_host"][0], f'"{host}"')
            self.assertEqual(self.warnings, "")

    def test_an_integer_beyond_64_bits_is_shown_as_it_stands(self) -> None:
        for value in ("99999999999999999999", "-9_999_999_999_999_999_999", "0xffffffffffffffff"):
            self.assertRegex(self.refusal(f"[database]\nredis_port = {value}\n"),
                             rf"FILE:2:14: .*found the integer {value}, expected an integer of at most 64 bits")

    def test_values_that_can_do_nothing_are_warnings_and_errors_with_strict(self) -> None:
        text = ('[database]\nredis_socket = "run/redis.sock"\nsonic_db_config = "db.json"\n[logging]\nfile = "./log"\n'
                '[ports]\nmatch = ["Ethernet*", "Ethernet[0-9", "Ethernet1/1"]\n')
        path = self.file(text)
        done = self.run_it("--check-config", path)
        self.assertEqual((done.returncode, done.stdout), (0, f"{path}: valid\n"))
        depends = "depends on the folder that portsyncd is started in, which is / under systemd; expected a path that begins with /"
        for warning in (f"{path}:2:16: database.redis_socket: run/redis.sock {depends}",
                        f"{path}:3:19: database.sonic_db_config: db.json {depends}", f"{path}:5:8: logging.file: ./log {depends}",
                        f'{path}:7:9: ports.match: nothing can match "Ethernet[0-9": its [ has no ]',
                        f"{path}:7:9: ports.match: nothing can match \"Ethernet1/1\": no name of an interface has '/' in it"):
            self.assertIn(f"warning: {warning}\n", done.stderr)
        strict = self.run_it("--check-config", path, "--strict")
        self.assertEqual((strict.returncode, strict.stdout), (EX_CONFIG, ""))
        self.assertEqual(strict.stderr, done.stderr + f"{path}: not valid: --strict treats warnings as errors\n")
        good = self.run_it("--strict", "--check-config", str(SHIPPED))
        self.assertEqual((good.returncode, good.stderr), (0, ""))
        alone = self.run_it("--strict")
        self.assertEqual(alone.returncode, EX_CONFIG)
        self.assertIn("--check-config", alone.stderr)

    def test_an_integer_out_of_range_does_not_wrap(self) -> None:
        for section, key in (("database", "redis_port"), ("database", "state_db_number"),
                             ("performance", "max_event_queue"), ("netlink", "receive_buffer_bytes")):
            for value in ("-1", "4294973675", "9223372036854775807", "-9223372036854775808", "99999999999999999999"):
                with self.subTest(f"{key} = {value}"):
                    refusal = self.refusal(f"[{section}]\n{key} = {value}\n")
                    # The key's range refuses what does not fit into 64 bits; toml11 4 refuses it before it knows the
                    # key.
                    self.assertRegex(refusal, rf"{section}\.{key}|:2:\d+: .* an integer of at most 64 bits")

    def test_hostile_files(self) -> None:
        """Whatever the file contains, the error takes little time and memory."""
        fifo = self.directory / "fifo"
        os.mkfifo(fifo)
        hundred_megabytes = self.directory / "100MB"
        hundred_megabytes.write_bytes(b"#" * (100 << 20))
        cases = {
            "nested brackets": (self.file("x = " + "[" * 10_000, "nested"), ":1:69: found more than 64 nested"),
            "invalid UTF-8": (self.bytes_file(b"[database]\nredis_host = '\x83o'\n"),
                              ":2:15: found bytes that are not UTF-8"),
            "control character": (self.bytes_file(b"a\x03 = 1\n"), ":1:2: found a control character"),
            "a directory": (str(self.directory), "found a directory, expected a regular file"),
            "a FIFO": (str(fifo), "found a device, pipe or socket, expected a regular file"),
            "/dev/zero": ("/dev/zero", "found a device, pipe or socket, expected a regular file"),
            "100 MB": (str(hundred_megabytes), "longer than 65536 bytes"),
            "a quadratic file": (self.file("a = 1\n" * 12_000, "keys"), "keys:"),
        }
        for name, (path, said) in cases.items():
            with self.subTest(name):
                done = self.run_it("--check-config", path, limit=20 if SANITIZED else 10)
                self.assertEqual(done.returncode, EX_CONFIG, done.stderr)
                self.assertIn(said, done.stderr)
        if not SANITIZED:
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            self.assertLess(peak, 256 * 1024, "kB of the largest child")

    def bytes_file(self, content: bytes) -> str:
        path = self.directory / f"bytes{len(content)}"
        path.write_bytes(content)
        return str(path)

    def test_database_config_json_gives_what_no_other_source_gives(self) -> None:
        sonic = self.file("""{"INSTANCES": {"redis": {"hostname": "127.0.0.1", "port": 6379,
                                                         "unix_socket_path": "/var/run/redis/redis.sock"}},
                              "DATABASES": {"STATE_DB": {"id": 16, "separator": "|", "instance": "redis"}}}""", "sonic.json")
        text = f'[database]\nsonic_db_config = "{sonic}"\n'
        shown = self.shown(text)
        self.assertEqual(shown["database.redis_socket"], ('"/var/run/redis/redis.sock"', sonic))
        self.assertEqual(shown["database.state_db_number"], ("16", sonic))
        self.assertEqual(shown["database.redis_port"][1], "default")
        shown = self.shown(text + "state_db_number = 6\n", {"REDIS_PORT": "6399"})
        self.assertEqual(shown["database.redis_socket"], ('""', "default"))
        self.assertEqual(shown["database.redis_port"], ("6399", "REDIS_PORT"))
        self.assertEqual(shown["database.state_db_number"][0], "6")

    def test_a_bad_database_config_json_is_a_warning(self) -> None:
        sonic = self.file("{ broken", "sonic.json")
        shown = self.shown(f'[database]\nsonic_db_config = "{sonic}"\n')
        self.assertEqual(shown["database.redis_port"], ("6379", "default"))
        self.assertIn(f"{sonic}:1: found no JSON here", self.warnings)


class Environment(Program):
    def test_every_key_has_its_variable(self) -> None:
        for name, (value, _) in self.shown().items():
            section, key = name.split(".")
            variable = f"PORTSYNCD_{section}_{key}".upper()
            text = ",".join(re.findall(r'"([^"]*)"', value)) if value[0] in '["' else value
            with self.subTest(variable):
                shown = self.shown("", {variable: text})
                self.assertEqual(shown[name], (value, variable))
                self.assertEqual(self.warnings, "")

    def test_it_goes_over_the_file_and_options_over_it(self) -> None:
        text = "[logging]\nlevel = \"error\"\n[database]\nredis_port = 1\n"
        variables = {"RUST_LOG": "warn", "REDIS_PORT": "2"}
        self.assertEqual(self.shown(text)["logging.level"][0], '"error"')
        shown = self.shown(text, variables)
        self.assertEqual(shown["logging.level"], ('"warn"', "RUST_LOG"))
        self.assertEqual(shown["database.redis_port"], ("2", "REDIS_PORT"))
        variables |= {"PORTSYNCD_LOG_LEVEL": "debug", "PORTSYNCD_DATABASE_REDIS_PORT": "3"}
        shown = self.shown(text, variables)
        self.assertEqual(shown["logging.level"], ('"debug"', "PORTSYNCD_LOG_LEVEL"))
        self.assertEqual(shown["database.redis_port"], ("3", "PORTSYNCD_DATABASE_REDIS_PORT"))
        shown = self.shown(text, variables, "--log-level", "trace")
        self.assertEqual(shown["logging.level"], ('"trace"', "--log-level"))

    def test_rust_log_takes_a_level_or_directives(self) -> None:
        for value, level in (("debug", "debug"), ("portsyncd=trace", "trace"), ("warn,portsyncd=off", "off")):
            self.assertEqual(self.shown("", {"RUST_LOG": value})["logging.level"][0], f'"{level}"')

    def test_an_unknown_level_is_a_warning_and_info(self) -> None:
        for option, variables in ((("--log-level", "loud"), {}), ((), {"PORTSYNCD_LOG_LEVEL": "loud"}),
                                  ((), {"RUST_LOG": "portsyncd=loud"})):
            shown = self.shown("[logging]\nlevel = \"error\"\n", variables, *option)
            self.assertEqual(shown["logging.level"][0], '"info"')
            self.assertIn(f'unknown level "loud", {LEVELS}; using info', self.warnings)

    def test_what_a_container_engine_injects_is_a_warning_and_ignored(self) -> None:
        shown = self.shown("", {"REDIS_PORT": "tcp://10.96.0.5:6379", "REDIS_HOST": ""})
        self.assertEqual(shown["database.redis_port"], ("6379", "default"))
        self.assertEqual(shown["database.redis_host"], ('"127.0.0.1"', "default"))
        self.assertEqual(self.warnings, 'warning: REDIS_PORT: database.redis_port: found the string '
                                        '"tcp://10.96.0.5:6379", expected an integer from 1 to 65535; ignored\n')

    def test_an_unknown_variable_is_a_warning_with_the_nearest_name(self) -> None:
        self.shown("", {"PORTSYNCD_DATABASE_REDIS_PROT": "1"})
        self.assertEqual(self.warnings, "warning: PORTSYNCD_DATABASE_REDIS_PROT: unknown variable, "
                                        "did you mean PORTSYNCD_DATABASE_REDIS_PORT?\n")

    def test_host_and_port_that_a_socket_overrides_are_reported(self) -> None:
        self.shown('[database]\nredis_socket = "/run/r.sock"\n', {"REDIS_HOST": "r"})
        self.assertIn("REDIS_HOST has no effect", self.warnings)
        self.shown('[database]\nredis_socket = "/run/r.sock"\n', {"PORTSYNCD_DATABASE_REDIS_HOST": "r"})
        self.assertIn("PORTSYNCD_DATABASE_REDIS_HOST has no effect", self.warnings)


class Password(Program):
    def test_it_is_in_no_output(self) -> None:
        secret = self.file("correct-horse-battery\n", "secret")
        text = f'[database]\nredis_password_file = "{secret}"\n'
        shown = self.shown(text)
        self.assertEqual(shown["database.redis_password_file"][0], f'"{secret}"')
        self.assertNotIn("correct-horse", self.output + self.warnings)

    def test_a_file_that_is_missing_or_empty_is_an_error(self) -> None:
        self.assertEqual(self.refusal('[database]\nredis_password_file = "/does/not/exist"\n'),
                         "database.redis_password_file: /does/not/exist: No such file or directory")
        empty = self.file("\n", "empty")
        self.assertIn("found an empty first line, expected the password in it",
                      self.refusal(f'[database]\nredis_password_file = "{empty}"\n'))
