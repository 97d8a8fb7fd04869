# SPDX-License-Identifier: Apache-2.0
"""
install.sh and remove.sh of portsyncd/data/sonic, with the real package, in a root of Debian that looks like SONiC's swss
container: supervisord from a template, a package swss whose portsyncd is a stand-in, dpkg. docker and systemctl are
stand-ins, too. Needs -Ddbus and -Dmetrics disabled, as the container has not their libraries.
"""

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from support import debian_root, packages, process
from support import sonic_templates as templates
from support.sonic import SonicCase, Switch
from support.sonic_neighbours import Orchagent, Row

PACKAGES = ["supervisor", "redis-tools", "python3-jinja2"]
TEMPLATES = "usr/share/sonic/templates"
SECTION = f"/{TEMPLATES}/supervisord.conf.common.j2"

# The first program of the container: as docker-init.sh, it makes supervisord's configuration from the template.
INIT = """#!/bin/sh
cd /etc/supervisor && python3 - <<'END'
import jinja2
loader = jinja2.FileSystemLoader("/usr/share/sonic/templates")
text = jinja2.Environment(loader=loader, trim_blocks=True).get_template("supervisord.conf.j2").render()
text += "[unix_http_server]\\nfile=/run/supervisor.sock\\n[supervisorctl]\\nserverurl=unix:///run/supervisor.sock\\n"
text += "[rpcinterface:supervisor]\\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\\n"
open("/etc/supervisor/supervisord.conf", "w").write(text.replace("autostart=false", "autostart=true"))
END
exec supervisord --nodaemon --configuration /etc/supervisor/supervisord.conf
"""

# swss' own portsyncd, as far as its neighbours can see it here.
OLD = """#!/bin/sh
[ "$1" != --version ] || exit 1
redis-cli -s {socket} -n 0 HSET PORT_TABLE:PortInitDone lanes 0
exec sleep infinity
"""

DOCKER = """#!/bin/bash
# start, exec, cp and ps of one container, swss; {folder}/pid is its first process.
inside() {{ nsenter --target "$(cat {folder}/pid)" --mount --net "$@"; }}
runs() {{ kill -0 "$(cat {folder}/pid 2>/dev/null)" 2>/dev/null; }}
case $1 in
  ps) if [ "$2" = --all ] || runs; then echo database; echo swss; fi ;;
  start) runs || {folder}/start ;;
  exec)
    shift
    [ "$1" != --interactive ] || shift
    [ "$1" = swss ] && runs || exit 1
    shift
    inside env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot {folder}/merged "$@"
    ;;
  cp)
    [ "$2" = --quiet ] || exit 1
    case $3:$4 in
      swss:*:*) runs && inside cat "{folder}/merged${{3#swss:}}" >"$4" ;;
      *) runs && inside sh -c 'cat >"$1"' sh "{folder}/merged${{4#swss:}}" <"$3" ;;
    esac
    ;;
  *) exit 1 ;;
esac
"""

SYSTEMCTL = """#!/bin/bash
echo "$*" >>{folder}/systemctl.log
[ "$2" = swss ] || exit 1
stop() {{
  local pid
  pid=$(cat {folder}/pid 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null
  timeout 60 tail --pid="$pid" -f /dev/null
}}
case $1 in
  reset-failed) ;;
  stop) stop ;;
  restart)
    stop
    # As swss.sh and syncd do at a cold start.
    redis-cli -s {socket} -n 0 FLUSHDB
    nsenter --net={net} sh -c "ip -o link | sed -n 's/^[0-9]*: \\(Ethernet[0-9]*\\)@.*/link del \\1/p' | ip -batch -"
    {folder}/start
    ;;
  *) exit 1 ;;
esac
"""

# The container's file system stays from one start to the next; its mounts and processes do not.
START = """#!/bin/bash
setsid --fork unshare --mount --propagation private bash -ec '
  mount -t overlay overlay -o lowerdir={root},upperdir={folder}/upper,workdir={folder}/work {folder}/merged
  mount -t proc proc {folder}/merged/proc
  mount --bind {switch} {folder}/merged{switch}
  echo $$ >{folder}/pid
  exec nsenter --net={net} chroot {folder}/merged /usr/bin/docker-init.sh' >>{folder}/container.log 2>&1 9>&- </dev/null
timeout 10 sh -c 'until [ -e {folder}/merged/proc/1 ] || kill -0 $(cat {folder}/pid 2>/dev/null) 2>/dev/null; do sleep 0.05; done'
"""


class Remaking(Orchagent):
    """Makes the netdev of each port that is popped, as after a start of syncd."""

    def _take(self, client: object, name: str, fields: Row) -> None:
        self._created.clear()
        super()._take(client, name, fields)


class Container:
    def __init__(self, folder: Path, root: Path, switch: Switch) -> None:
        self.folder, self._root, self._switch = folder, root, switch
        for name in ("upper", "work", "merged", "bin"):
            (folder / name).mkdir(parents=True)
        words = {"folder": folder, "root": root, "switch": switch.directory, "socket": switch.redis.socket,
                 "net": switch.dut.path}
        for path, text in {"start": START, "bin/docker": DOCKER, "bin/systemctl": SYSTEMCTL}.items():
            self._program(folder / path, text.format(**words))

    @staticmethod
    def _program(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def prepare(self) -> None:
        """Adds what the image has besides Debian: swss, a package, and its templates and scripts."""
        upper, switch = self.folder / "upper", self._switch
        (upper / switch.directory.relative_to("/")).mkdir(parents=True)
        self._program(upper / "usr/bin/docker-init.sh", INIT)
        self._program(upper / "usr/local/bin/sonic-db-cli", "#!/bin/sh\nshift\n"
                      f"exec redis-cli -s {switch.redis.socket} -n 0 \"$@\"\n")
        templates.write(upper / TEMPLATES, "common")
        (upper / "var/run/redis/sonic-db").mkdir(parents=True)
        swss = self.folder / "swss"
        self._program(swss / "usr/bin/portsyncd", OLD.format(socket=switch.redis.socket))
        (swss / "DEBIAN").mkdir()
        (swss / "DEBIAN/control").write_text("Package: swss\nVersion: 1.0.0\nArchitecture: all\nMaintainer: nobody <n@example>\n"
                                             "Description: stands in\n")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", swss, upper / "swss.deb"], check=True,
                       stdout=subprocess.DEVNULL)
        self._program(upper / "usr/bin/docker-init.sh", "#!/bin/sh\ndpkg --install /swss.deb\nrm /swss.deb\n")
        subprocess.run([self.folder / "start"], check=True)
        process.wait_for(lambda: not (upper / "swss.deb").exists() and not self.runs(), 30, "swss is installed")
        self._program(upper / "usr/bin/docker-init.sh", INIT)

    def runs(self) -> bool:
        return Path(f"/proc/{self.pid()}").exists()

    def pid(self) -> str:
        return (self.folder / "pid").read_text().strip()

    def docker(self, *words: str) -> str:
        done = subprocess.run([self.folder / "bin/docker", *words], capture_output=True, text=True, check=False)
        return done.stdout

    def files(self) -> dict[str, bytes]:
        """Returns the contents of the image's programs and templates, and dpkg's list of diversions."""
        listed = self.docker("exec", "swss", "sh", "-c", "ls -d /usr/bin/portsync* /usr/local/bin/portsync* /tmp/*").split()
        names = [name for name in listed if "---supervisor-" not in name]  # logs of its programs
        names += [SECTION, "/var/lib/dpkg/diversions"]
        return {name: self.docker("exec", "swss", "cat", name).encode() for name in names}

    def close(self) -> None:
        subprocess.run([self.folder / "bin/systemctl", "stop", "swss"], check=False)


class Install(SonicCase):
    watched = False

    def setUp(self) -> None:
        super().setUp()
        self.package = packages.for_swss()
        depends = subprocess.run(["dpkg-deb", "--field", self.package, "Depends"], capture_output=True, text=True, check=True)
        libraries = re.findall(r"[a-z][a-z0-9.+-]+(?= \()", depends.stdout)
        root = debian_root.make_root("", Path(os.environ["PORTSYNC_BUILD"], "swss-root"), [*PACKAGES, *libraries])
        self.container = Container(self.directory / "container", root, self.switch)
        self.addCleanup(self.container.close)
        self.container.prepare()
        self.tools = templates.copy_tools(self.directory / "tools")
        self.host = self.directory / "etc"
        (self.host / "sonic").mkdir(parents=True)
        self.release("202505")
        switch = self.switch
        config = switch.directory / "database_config.json"
        link = self.container.folder / "upper/var/run/redis/sonic-db/database_config.json"
        link.symlink_to(config)
        self.orchagent = switch.add(Remaking(switch.redis, create=self.create))
        subprocess.run([self.container.folder / "start"], check=True)
        self.wait_old()

    def create(self, name: str) -> None:
        if name not in self.switch.dut.links():
            self.switch.create(name)

    def release(self, name: str, branch: str = "x") -> None:
        (self.host / "sonic/sonic_version.yml").write_text(
            f"---\nbuild_version: 'SONiC.x'\nbranch: '{branch}'\nrelease: '{name}'\n")

    def run_tool(self, *words: object) -> subprocess.CompletedProcess:
        """As on the switch: its /etc/sonic, and docker and systemctl in the path."""
        path = f"{self.container.folder}/bin:{os.environ['PATH']}"
        script = f'mount -t overlay overlay -o lowerdir={self.host}:/etc /etc && exec "$@"'
        return subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", f"{self.tools}/{words[0]}", *map(str, words[1:])],
                              capture_output=True, text=True, check=False, env={**os.environ, "PATH": path})

    def install(self, *words: object, package: object = None) -> subprocess.CompletedProcess:
        return self.run_tool("install.sh", *words, package or self.package)

    def wait_old(self) -> None:
        process.wait_for(lambda: self.switch.published("PortInitDone") and "RUNNING" in
                         self.container.docker("exec", "swss", "supervisorctl", "status", "portsyncd"), 30, "swss is up")

    def environment_of_portsyncd(self) -> dict[str, str]:
        pid = self.container.docker("exec", "swss", "supervisorctl", "pid", "portsyncd").strip()
        words = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        return dict(word.split("=", 1) for word in words if word.startswith("PORTSYNCD_"))

    def altered(self, script: str = "", **fields: str) -> Path:
        """The package with another program, or other fields."""
        tree = self.directory / "altered"
        shutil.rmtree(tree, ignore_errors=True)
        subprocess.run(["dpkg-deb", "--raw-extract", self.package, tree], check=True)
        if script:
            (tree / "usr/bin/portsyncd").write_text(script)
        control = tree / "DEBIAN/control"
        for name, value in fields.items():
            control.write_text(re.sub(rf"(?m)^{name.replace('_', '-')}: .*", f"{name.replace('_', '-')}: {value}",
                                      control.read_text()))
        new = self.directory / "altered.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, new], check=True, stdout=subprocess.DEVNULL)
        return new

    def test_a_dry_run_changes_nothing(self) -> None:
        before, pid = self.container.files(), self.container.pid()
        done = self.install("--dry-run")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        for step in ("docker exec swss dpkg --install", "docker cp", "systemctl restart swss"):
            self.assertIn(f"would run: {step}", done.stdout)
        self.assertEqual((self.container.files(), self.container.pid()), (before, pid))
        self.assertFalse((self.container.folder / "systemctl.log").exists())

    def test_a_dry_run_that_fails_undoes_nothing(self) -> None:
        pid = self.container.pid()
        self.container.docker("exec", "swss", "sed", "-i", "s,^command=/usr/bin/portsyncd,serverurl=AUTO,", SECTION)
        done = self.install("--dry-run")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("[program:portsyncd] has no line command=", done.stderr)
        self.assertEqual(self.container.pid(), pid)
        self.assertFalse((self.container.folder / "systemctl.log").exists())

    def test_installed_and_removed_again(self) -> None:
        before = self.container.files()
        done = self.install()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.environment_of_portsyncd(), {"PORTSYNCD_SYNC_MODE": "sonic"})
        self.assertEqual(self.container.docker("exec", "swss", "dpkg-divert", "--list", "/usr/bin/portsyncd"),
                         "diversion of /usr/bin/portsyncd to /usr/bin/portsyncd.swss by portsyncd-swss\n")
        self.assertIn("PortConfigDone", self.orchagent.names())
        self.switch.wait_equal()
        done = self.install()
        self.assertEqual(done.returncode, 0, f"it may be installed again: {done.stdout}{done.stderr}")
        done = self.run_tool("remove.sh")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.container.files(), before)
        self.wait_old()
        self.switch.state_db.call("FLUSHDB")
        self.switch.others = {}
        for name in [name for name in self.switch.dut.links() if name.startswith("Ethernet")]:
            self.switch.delete(name)

    def test_202411_has_its_management_port(self) -> None:
        self.release("202411")
        done = self.install()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.environment_of_portsyncd(),
                         {"PORTSYNCD_SYNC_MODE": "sonic", "PORTSYNCD_SONIC_MGMT_PORT": "true"})

    def test_what_does_not_fit_is_refused_before_anything_changes(self) -> None:
        before = self.container.files()
        this = debian_root.this_suite()

        def refused(text: str, **options: object) -> None:
            done = self.install(**options)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(text, done.stderr)
        refused("is for Debian sid, and container swss has Debian " + this, package=self.altered(Debian_Codename="sid"))
        refused("is for riscv64, and container swss is ", package=self.altered(Architecture="riscv64"))
        refused("libnone.so: cannot open", package=self.altered(
            "#!/bin/sh\necho 'error while loading shared libraries: libnone.so: cannot open' >&2\nexit 127\n"))
        self.release("202305")
        refused("release 202305: expected 202411, 202505, 202511, 202605 or master")
        self.release("none", "feature")
        refused("branch feature: expected")
        self.release("none", "master")
        self.assertEqual(self.install("--dry-run").returncode, 0)
        self.release("202305")
        self.assertEqual(self.install("--dry-run", "--any-release").returncode, 0)
        self.release("202505")
        self.switch.appl_db.call("DEL", "PORT_TABLE:PortInitDone")
        refused("swss is not up")
        self.assertEqual(self.container.files(), before)

    def undone(self, script: str) -> None:
        before = self.container.files()
        done = self.install("--limit", int(20 * process.PATIENCE), package=self.altered(script))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, "container swss: swss is not up after [0-9]+ s; it is undone")
        self.assertNotIn("after the changes were undone either", done.stderr)
        self.assertEqual(self.container.files(), before)
        self.wait_old()

    def test_one_that_does_not_come_up_is_undone(self) -> None:
        self.undone('#!/bin/sh\n[ "$1" = --version ] || exit 1\n')

    def test_one_that_ends_the_container_is_undone(self) -> None:
        """As SONiC's listener does when a critical process ends."""
        self.undone('#!/bin/sh\n[ "$1" = --version ] || { sleep 1; kill $PPID; sleep infinity; }\n')

    def test_a_bad_command_line(self) -> None:
        for words in ((), ("a.deb", "b.deb"), ("--limit", "soon", "a.deb"), ("--what", "a.deb")):
            self.assertEqual(self.run_tool("install.sh", *words).returncode, 2)
        self.assertEqual(self.run_tool("remove.sh", "a.deb").returncode, 2)


if __name__ == "__main__":
    unittest.main()
