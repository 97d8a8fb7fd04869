# SPDX-License-Identifier: Apache-2.0
"""
sync.mode = "sonic" under a real supervisord, as in the swss container: the section of the template, no arguments, no
service manager, and a listener that ends supervisord as SONiC's does.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from support import process
from support import sonic_templates as templates
from support.case import program
from support.limits import need
from support.sonic import SonicCase, port

# As SONiC's supervisor-proc-exit-listener: a critical program that ends unexpectedly, or that supervisord gave up, ends
# supervisord; one that is watched and sends no heartbeat for a while is said to be stuck.
LISTENER = """
import os, select, signal, sys, time
folder, stuck_after = sys.argv[1], float(sys.argv[2])
names = lambda file: [line.split(":")[1].strip() for line in open(f"{folder}/{file}") if line.strip()]
critical, watched = names("critical_processes"), names("watchdog_processes")
last = {}
log = lambda text: open(f"{folder}/heard", "a").write(text + "\\n")
print("READY", flush=True)
while True:
    for name in [name for name, at in last.items() if time.monotonic() - at > stuck_after]:
        log(f"{name} is stuck")
        del last[name]
    if not select.select([sys.stdin], [], [], 0.1)[0]:
        continue
    header = dict(word.split(":") for word in sys.stdin.readline().split())
    body = sys.stdin.read(int(header["len"]))
    log(header["eventname"] + " " + body.replace("\\n", " "))
    values = dict(word.split(":") for word in body.split() if ":" in word)
    name, event = values["processname"], header["eventname"]
    if event == "PROCESS_COMMUNICATION_STDOUT" and name in watched:
        last[name] = time.monotonic()
    if name in critical and (event == "PROCESS_STATE_FATAL" or (event, values.get("expected")) == ("PROCESS_STATE_EXITED", "0")):
        log(f"{name} ends supervisord")
        os.kill(os.getppid(), signal.SIGTERM)
    print("RESULT 2\\nOK", end="", flush=True)
    print("READY", flush=True)
"""


class SupervisordCase(SonicCase):
    def setUp(self) -> None:
        super().setUp()
        supervisord = need("supervisord")
        folder, switch = self.directory, self.switch
        (folder / "listener.py").write_text(LISTENER)
        self.heard = folder / "heard"
        (folder / "critical_processes").write_text("program:orchagent\nprogram:portsyncd\n")
        (folder / "watchdog_processes").write_text("program:orchagent\nprogram:portsyncd\n")
        config = folder / "supervisord.conf"
        config.write_text(f"""
[supervisord]
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
nodaemon=true

[unix_http_server]
file={folder}/supervisor.sock

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{folder}/supervisor.sock

{self.sections()}
""")
        self.config = str(config)
        with open(folder / "output", "ab") as output:
            self.supervisord = process.start([supervisord, "--nodaemon", "--configuration", str(config)], switch.dut,
                                             stdout=output, stderr=output, cwd=folder)
        self.addCleanup(self.end)
        process.wait_for((folder / "supervisor.sock").exists, 20, "supervisord listens")

    startsecs = 0  # or supervisord says only after a second that it is started

    def sections(self) -> str:
        """portsyncd's and the listener's of the rendered template, but for what this machine lacks."""
        more = {"DATABASE_SONIC_DB_CONFIG": self.switch.config_file, "SYNC_HEARTBEAT_SECS": 1,
                "DATABASE_RETRY_INTERVAL_SECS": 1}
        file = templates.write(self.directory / "templates", "common")
        done = templates.section_py("add", file, *(f"PORTSYNCD_{name}={value}" for name, value in more.items()))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        listener = f"{sys.executable} {self.directory}/listener.py {self.directory} 3"
        text = templates.render(file.parent, {**templates.SWITCHES["T0"], "listener": listener})
        kept = [section for section in re.split(r"(?m)^(?=\[)", text) if re.match(r"\[(program:portsyncd|eventlistener)", section)]
        lacking = r"(?m)^(stdout|stderr)_(logfile|syslog)=.*\n|^dependent_.*\n| --container-name swss$"
        return re.sub(lacking, "", "".join(kept)).replace(
            "command=/usr/bin/portsyncd", f"command={program('portsyncd/portsyncd')}\nstartsecs={self.startsecs}\n"
            f"stderr_logfile={self.directory}/stderr")

    def end(self) -> None:
        """Ends supervisord's children, which survive it when it is killed."""
        self.supervisord.send_signal(signal.SIGTERM)
        try:
            self.supervisord.wait(20 * process.PATIENCE)
        except subprocess.TimeoutExpired:
            process.end(self.supervisord)

    def ctl(self, *words: str) -> str:
        done = subprocess.run(["supervisorctl", "--configuration", self.config, *words], capture_output=True, text=True,
                              check=False)
        return done.stdout

    def pid(self) -> int:
        return int(self.ctl("pid", "portsyncd"))

    def log(self) -> str:
        return (self.directory / "supervisord.log").read_text()

    def come_up_here(self) -> None:
        orchagent = self.switch.orchagent()
        self.assertIn("started", self.ctl("start", "portsyncd"))
        orchagent.wait_popped("PortInitDone")
        self.switch.wait_equal()

    def wait_heard(self, pattern: str, limit: float = 10) -> None:
        """Until the listener has noted such a line."""
        process.wait_for(lambda: self.heard.exists() and re.search(f"(?m){pattern}", self.heard.read_text()), limit,
                         f"the listener notes {pattern}")

    def wait_ended(self) -> None:
        """SONiC restarts swss as a whole when its container's supervisord has ended."""
        self.wait_heard("portsyncd ends supervisord", 20)
        process.wait_for(lambda: self.supervisord.poll() is not None, 20, "supervisord ends, and the container with it")


class Supervisord(SupervisordCase):
    def test_start_run_and_stop(self) -> None:
        self.come_up_here()
        switch = self.switch
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{self.pid()}/status").read_text().splitlines()
                      if ":\t" in line)
        self.assertTrue(int(status["SigIgn"], 16) >> (signal.SIGPIPE - 1) & 1, "SIGPIPE is ignored")
        # The old daemon span here.
        switch.watch = None
        switch.redis.kill_clients()
        switch.dut.ip("link set Ethernet0 mtu 2000")
        switch.wait_equal(20)
        self.wait_heard("^PROCESS_COMMUNICATION_STDOUT processname:portsyncd .* heartbeat$")
        self.assertIn("stopped", self.ctl("stop", "portsyncd"))
        process.wait_for(lambda: "stopped: portsyncd (exit status 0)" in self.log(), 10, "it ended by itself, with 0")
        self.assertEqual(switch.row(port(0))["mtu"], "2000")
        self.assertIsNone(self.supervisord.poll(), "an expected exit ends nothing")

    def test_lost_data_is_an_exit_that_supervisord_sees(self) -> None:
        self.come_up_here()
        switch = self.switch
        for thread in switch.threads:
            thread.stop()
        switch.restart_redis(keep=False)
        process.wait_for(lambda: "exited: portsyncd (exit status 75" in self.log(), 20, "it exits with 75")
        self.wait_ended()
        self.assertEqual(switch.clean_up_after_loss(), [])

    def test_a_crash_ends_supervisord(self) -> None:
        self.come_up_here()
        os.kill(self.pid(), signal.SIGSEGV)
        self.wait_ended()

    def test_a_daemon_that_hangs_is_stuck_and_one_that_waits_is_not(self) -> None:
        """Heartbeats come from the loop, and while Redis is away as well."""
        self.come_up_here()
        self.wait_heard("heartbeat")
        pid = self.pid()
        os.kill(pid, signal.SIGSTOP)
        self.wait_heard("portsyncd is stuck", 20)
        os.kill(pid, signal.SIGCONT)
        beats = self.heard.read_text().count("heartbeat")
        process.wait_for(lambda: self.heard.read_text().count("heartbeat") > beats + 1, 10, "heartbeats go on")
        self.assertEqual(self.heard.read_text().count("is stuck"), 1)

    def test_redis_away_is_no_exit_and_costs_nothing(self) -> None:
        self.come_up_here()
        switch, pid = self.switch, self.pid()
        with switch.redis.connect() as client:
            client.call("SAVE")
        switch.watch.close()
        switch.watch = None
        switch.forget_clients()
        switch.redis.kill()

        def ticks() -> int:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return int(fields[11]) + int(fields[12])
        before = ticks()
        time.sleep(1)  # what happens in a while of nothing is what is looked at
        self.assertLess(ticks() - before, 20)
        switch.redis.start()
        switch.dut.ip("link set Ethernet0 mtu 2000")
        switch.wait_equal(20)
        self.assertEqual(self.pid(), pid)


class GivenUp(SupervisordCase):
    # The template has 1. supervisord looks at its processes every second, and may then count one as running that has
    # exited within that second.
    startsecs = 3

    def test_one_that_cannot_start_is_fatal_and_ends_supervisord(self) -> None:
        """supervisord tries four times; then the container ends instead of staying without portsyncd."""
        (self.directory / "bad.conf").write_text("[ports\n")
        text = Path(self.config).read_text().replace("portsyncd/portsyncd\n",
                                                     f"portsyncd/portsyncd --config {self.directory}/bad.conf\n")
        Path(self.config).write_text(text)
        self.ctl("update")
        self.ctl("start", "portsyncd")
        self.wait_ended()
        self.assertIn("PROCESS_STATE_FATAL processname:portsyncd", self.heard.read_text())

    def settle(self) -> None:
        """It never came up."""

