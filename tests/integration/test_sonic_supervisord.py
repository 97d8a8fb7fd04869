# SPDX-License-Identifier: Apache-2.0
"""
sync.mode = "sonic" under a real supervisord, as in the swss container: no arguments, and no service manager to notify.
"""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from support import process
from support.case import program
from support.limits import need
from support.sonic import SonicCase, port

SECTION = Path(__file__).resolve().parents[2] / "portsyncd" / "data" / "portsyncd.supervisord.conf"
LISTENER = """
import sys
while True:
    print("READY", flush=True)
    header = dict(word.split(":") for word in sys.stdin.readline().split())
    body = sys.stdin.read(int(header["len"]))
    open(sys.argv[1], "a").write(header["eventname"] + " " + body.replace("\\n", " ") + "\\n")
    print("RESULT 2\\nOK", end="", flush=True)
"""


class Supervisord(SonicCase):
    def setUp(self) -> None:
        super().setUp()
        supervisord = need("supervisord")
        folder, switch = self.directory, self.switch
        (folder / "listener.py").write_text(LISTENER)
        self.heard = folder / "heard"
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

[eventlistener:heard]
command={sys.executable} {folder}/listener.py {self.heard}
events=PROCESS_COMMUNICATION_STDOUT

{self.section()}
startsecs=0
stderr_logfile={folder}/stderr
""")
        self.config = str(config)
        with open(folder / "output", "ab") as output:
            self.supervisord = process.start([supervisord, "--nodaemon", "--configuration", str(config)], switch.dut,
                                             stdout=output, stderr=output, cwd=folder)
        self.addCleanup(self.end)
        process.wait_for((folder / "supervisor.sock").exists, 20, "supervisord listens")

    def section(self) -> str:
        """Returns the shipped section without what this machine lacks."""
        text = re.sub(r"(?m)^;.*\n|^(stdout|stderr)_(logfile|syslog)=.*\n|^dependent_.*\n", "", SECTION.read_text())
        text = text.replace("command=/usr/bin/portsyncd", f"command={program('portsyncd/portsyncd')}")
        more = {"DATABASE_SONIC_DB_CONFIG": self.switch.config_file, "SYNC_HEARTBEAT_SECS": 1,
                "DATABASE_RETRY_INTERVAL_SECS": 1}
        variables = "".join(f',PORTSYNCD_{name}="{value}"' for name, value in more.items())
        return re.sub(r"(?m)^(environment=.*)", lambda match: match[1] + variables, text)

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

    def test_start_run_and_stop(self) -> None:
        self.come_up_here()
        switch = self.switch
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{self.pid()}/status").read_text().splitlines()
                      if ":\t" in line)
        self.assertTrue(int(status["SigIgn"], 16) >> (signal.SIGPIPE - 1) & 1, "SIGPIPE is ignored")
        # The old daemon used a whole CPU here.
        switch.watch = None
        switch.redis.kill_clients()
        switch.dut.ip("link set Ethernet0 mtu 2000")
        switch.wait_equal(20)
        process.wait_for(self.heard.exists, 10, "supervisord's listener has received a heartbeat")
        first = self.heard.read_text().splitlines()[0]
        self.assertRegex(first, "^PROCESS_COMMUNICATION_STDOUT processname:portsyncd .* heartbeat$")
        self.assertIn("stopped", self.ctl("stop", "portsyncd"))
        process.wait_for(lambda: "stopped: portsyncd (exit status 0)" in self.log(), 10, "it ended by itself, with 0")
        self.assertEqual(switch.row(port(0))["mtu"], "2000")

    def test_lost_data_is_an_exit_that_supervisord_sees(self) -> None:
        self.come_up_here()
        switch = self.switch
        for thread in switch.threads:
            thread.stop()
        switch.restart_redis(keep=False)
        process.wait_for(lambda: "exited: portsyncd (exit status 75" in self.log(), 20, "it exits with 75")
        self.assertEqual(switch.clean_up_after_loss(), [])

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
        time.sleep(1)  # under test is what happens while nothing happens
        self.assertLess(ticks() - before, 20)
        switch.redis.start()
        switch.dut.ip("link set Ethernet0 mtu 2000")
        switch.wait_equal(20)
        self.assertEqual(self.pid(), pid)
