# SPDX-License-Identifier: Apache-2.0
"""The Debian package of portsyncd, on a booted system that has Redis, or has none yet."""

import json
import re
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from support import packages, process
from support.box import BoxCase
from support.packages import INSTALL, PackageCase
from support.sonic import IDS, database_config

CAP_NET_ADMIN = 1 << 12

# Runs in portsyncd's unit instead of portsyncd: tries what the unit must refuse, and prints the results.
TRIES = r"""
use Socket; use POSIX;
sub report { printf "%s: %s\n", $_[0], $_[1] ? "done" : $!{EPERM} ? "EPERM" : $!{EROFS} ? "EROFS" : $!{EACCES} ? "EACCES"
  : $!{EAFNOSUPPORT} ? "EAFNOSUPPORT" : $!{ENOENT} ? "ENOENT" : "$!" }
report("write /etc", open(my $a, ">", "/etc/tried"));
report("write /usr", open(my $b, ">", "/usr/tried"));
report("write /var/lib", open(my $c, ">", "/var/lib/tried"));
report("write own runtime directory", open(my $d, ">", "$ENV{RUNTIME_DIRECTORY}/tried"));
unlink("$ENV{RUNTIME_DIRECTORY}/tried");
report("socket packet", socket(my $e, 17, SOCK_RAW, 0));
report("socket bluetooth", socket(my $f, 31, SOCK_STREAM, 0));
report("socket inet", socket(my $g, AF_INET, SOCK_STREAM, 0));
report("socket netlink", socket(my $h, 16, SOCK_RAW, 0));
report("become root", POSIX::setuid(0));
my ($what, $where, $type) = ("none", "/tmp", "tmpfs");  # syscall() takes no constants
report("mount", syscall(165, $what, $where, $type, 0, 0) == 0);
report("look at root's processes", -e "/proc/1/status");
report("see the disk", -e "/dev/sda" || -e "/dev/vda" || -e "/dev/mem");
open(my $s, "<", "/proc/self/status"); print grep(/^(CapEff|CapBnd|NoNewPrivs|Seccomp):/, <$s>);
printf "user: %s\n", scalar getpwuid($<);
"""


class Package(PackageCase, BoxCase):
    def status(self, name: str) -> str:
        return self.box.run(f"grep -P '^{name}:' /proc/{self.pid()}/status").partition(":")[2].strip()

    def drop_in(self, text: str) -> None:
        folder = "/etc/systemd/system/portsyncd.service.d"
        self.box.run(f"mkdir -p {folder} && printf '%s\\n' '[Service]' {text} > {folder}/test.conf && "
                     "systemctl daemon-reload && systemctl reset-failed portsyncd")

    def test_from_the_package_to_healthy(self) -> None:
        """
        After two commands the service runs as its own user, in Redis' group, with one capability and in its sandbox.
        """
        self.install()
        self.healthy()
        self.wait_for("redis-cli -n 6 HGET 'PORT_TABLE|Ethernet0' netdev_oper_status", "up")
        self.assertEqual(self.show("portsyncd", "UnitFileState"), "enabled")
        self.assertEqual(self.box.run("journalctl -q -u portsyncd -p err"), "")
        # The service owned its bus name at once, although the bus had read its policy before that user existed.
        self.assertNotIn("The system bus refuses", self.box.run("journalctl -q -u portsyncd -p warning"))
        self.assertIn(":1.", self.box.run("busctl list | grep org.sonic.PortSync1"))
        self.assertEqual(self.box.run("ps -o user:20=,group:20=,comm= -C portsyncd").split(), ["portsyncd"] * 3)
        self.assertEqual(self.box.run("id -nG portsyncd").split(), ["portsyncd", "redis"])
        self.assertIn(self.box.run("getent group redis").split(":")[2], self.status("Groups").split())
        self.assertEqual({int(self.status(n), 16) for n in ("CapEff", "CapPrm", "CapBnd")}, {CAP_NET_ADMIN})
        self.assertEqual(self.status("NoNewPrivs"), "1")
        self.assertEqual(self.status("Seccomp"), "2")
        self.assertEqual(self.box.run("stat -c '%U %a' /run/portsyncd").split(), ["portsyncd", "755"])
        self.assertIn("Healthy", self.box.run("portsyncctl"))
        self.assertEqual(self.box.run("setpriv --reuid nobody --clear-groups portsyncctl ports | wc -l").strip(), "5")
        self.box.run("man -w portsyncd 2>/dev/null || ls /usr/share/man/man8/portsyncd.8.gz || "
                     # Dpkg in a container may leave out manual pages.
                     "dpkg -L portsyncd | grep -q man8/portsyncd.8.gz")
        self.assertIn("valid", self.box.run("portsyncd --check-config"))

    def test_what_the_unit_refuses(self) -> None:
        self.install()
        self.healthy()
        self.box.run(f"cat > /usr/local/bin/tries <<'END_OF_TRIES'\n{TRIES}END_OF_TRIES\n")
        self.drop_in("Type=oneshot Restart=no WatchdogSec=0 RemainAfterExit=yes ExecStart= "
                     "'ExecStart=/usr/bin/perl /usr/local/bin/tries'")
        self.box.run("systemctl stop portsyncd; systemctl start portsyncd")
        self.wait_for("journalctl -q -o cat _COMM=perl", "user: ")
        said = dict(line.partition(":")[::2] for line in self.box.run("journalctl -q -o cat _COMM=perl").splitlines())
        self.assertEqual({name: value.strip() for name, value in said.items()}, {
            "write /etc": "EROFS", "write /usr": "EROFS", "write /var/lib": "EROFS", "write own runtime directory": "done",
            "socket packet": "EAFNOSUPPORT", "socket bluetooth": "EAFNOSUPPORT", "socket inet": "done",
            "socket netlink": "done", "become root": "EPERM", "mount": "EPERM", "look at root's processes": "ENOENT",
            "see the disk": "ENOENT", "CapEff": "0000000000001000", "CapBnd": "0000000000001000", "NoNewPrivs": "1",
            "Seccomp": "2", "user": "portsyncd"})

    def test_units_are_clean_and_at_most_1_5(self) -> None:
        self.install()
        for unit in ("portsyncd.service", "portsyncd@asic0.service"):
            self.assertEqual(self.box.run(f"systemd-analyze verify --man=no {unit}"), "")
            said = self.box.run(f"systemd-analyze security --no-pager {unit}")
            score = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1])
            print(f"{unit}: systemd-analyze security {score}")
            self.assertLessEqual(score, 1.5, said)

    def test_the_units_differ_in_what_makes_an_instance(self) -> None:
        one, instance = ({line for line in self.box.run(f"cat /mnt/source/debian/{name}").splitlines()
                          if re.match(r"[A-Z]\w*=", line)} for name in ("portsyncd.service", "portsyncd@.service"))
        self.assertEqual({line.partition("=")[0] for line in one ^ instance}, {
            "Description", "After", "ConditionPathExists", "Wants", "NetworkNamespacePath", "Environment", "RuntimeDirectory",
            "ExecStartPre", "ReadWritePaths"})

    def test_two_asics(self) -> None:
        """
        One instance for each network namespace. Each namespace has its own Redis, which database_global.json describes.
        Their TCP ports differ, so that no instance finds the right one with another's file.
        """
        self.box.run("systemctl stop redis-server")
        self.install()
        self.box.run("systemctl disable --now portsyncd; mkdir -p /var/run/redis/sonic-db")
        asics = {"asic0": ["Ethernet0", "Ethernet4"], "asic1": ["Ethernet8"]}
        redis = {name: f"ip netns exec {name} redis-cli -p {6379 + i}" for i, name in enumerate(asics)}
        for i, (name, ports) in enumerate(asics.items()):
            self.make_asic(name, ports, 6379 + i)
            self.wait_for(f"{redis[name]} ping", "PONG")
        includes = [{"include": f"../../redis-{name}/database_config.json", "namespace": name} for name in asics]
        self.write("/var/run/redis/sonic-db/database_global.json", json.dumps({"INCLUDES": includes, "VERSION": "1.0"}))
        self.box.run("systemctl enable --now portsyncd@asic0 portsyncd@asic1")
        for name, ports in asics.items():
            self.wait_for(f"systemctl show -p StatusText portsyncd@{name}", "StatusText=Healthy\n")
            rows = self.box.run(f"{redis[name]} -n 6 HKEYS PORT_TABLE").split()
            self.assertEqual(sorted(rows), ports)
            said = self.box.run(f"portsyncctl --socket /run/portsyncd-{name}/control.sock ports")
            self.assertEqual(re.findall(r"(?m)^Ethernet\d+", said), ports)
        self.box.run("ip -n asic1 link set Ethernet8 mtu 2000")
        self.wait_for(f"{redis['asic1']} -n 6 HGET 'PORT_TABLE|Ethernet8' mtu", "2000")
        # A killed instance comes back, and the other one does not notice.
        before = self.show("portsyncd@asic1", "MainPID")
        self.box.run("systemctl kill -s KILL portsyncd@asic0")
        process.wait_for(lambda: self.show("portsyncd@asic0", "NRestarts") == "1", 20, "it is started again", 0.1)
        self.wait_for("systemctl show -p StatusText portsyncd@asic0", "StatusText=Healthy\n")
        self.assertEqual(self.show("portsyncd@asic1", "MainPID"), before)
        self.assertIn("crash", self.box.run("journalctl -q -u portsyncd@asic0 | grep Restart"))
        # The mount of the new name reaches the instance in its sandbox.
        self.box.run("ip netns del asic1; ip netns add asic1")
        self.wait_for("systemctl show -p StatusText portsyncd@asic1",
                      "StatusText=Degraded: /run/netns/asic1 is another network namespace than the one of this process, "
                      "or is gone: restart portsyncd\n")

    def test_an_asic_whose_namespace_comes_late(self) -> None:
        """The instance waits for longer than the start limit allows attempts, and then starts by itself."""
        self.install()
        self.box.run("systemctl disable --now portsyncd; systemctl enable --now portsyncd@late")
        self.assertEqual(self.show("portsyncd@late", "ActiveState"), "inactive")
        self.assertEqual(self.show("portsyncd@late", "ConditionResult"), "no")
        time.sleep(8)
        self.assertEqual(self.show("portsyncd@late", "ActiveState"), "inactive")
        self.box.run("ip netns add late")
        process.wait_for(lambda: self.show("portsyncd@late", "ActiveState") in ("activating", "active"), 20, "it is started")
        self.box.run("systemctl stop portsyncd@late; sleep 1")
        self.assertEqual(self.show("portsyncd@late", "ActiveState"), "inactive", "and stays stopped")
        self.assertEqual(self.show("portsyncd@late.path", "ActiveState"), "inactive")

    def make_asic(self, name: str, ports: list[str], redis_port: int) -> None:
        """Makes a namespace with ports that are up and with a Redis, as SONiC has them."""
        links = "".join(f"ip -n {name} link add {port} type veth peer name p{port}; "
                        f"ip -n {name} link set p{port} up; ip -n {name} link set {port} up; " for port in ports)
        self.box.run(f"ip netns add {name}; ip -n {name} link set lo up; {links}"
                     f"systemd-run -q --unit redis-{name} -p NetworkNamespacePath=/run/netns/{name} redis-server "
                     f"--port {redis_port} --save '' && mkdir /var/run/redis-{name}")
        server = SimpleNamespace(port=redis_port, socket="")
        self.write(f"/var/run/redis-{name}/database_config.json", database_config(dict.fromkeys(IDS, server)))

    def write(self, path: str, text: str) -> None:
        self.box.run(f"cat > {path} <<'END_OF_TEXT'\n{text}\nEND_OF_TEXT\n")

    def test_without_net_admin(self) -> None:
        self.install()
        self.drop_in("AmbientCapabilities= CapabilityBoundingSet=")
        self.box.run("systemctl restart portsyncd")
        self.healthy()
        self.assertEqual({int(self.status(n), 16) for n in ("CapEff", "CapPrm", "CapBnd")}, {0})
        self.far.ip("link set p0 down")
        self.wait_for("redis-cli -n 6 HGET 'PORT_TABLE|Ethernet0' netdev_oper_status", "down")

    def test_callers_permissions_on_the_bus(self) -> None:
        self.install()
        self.healthy()
        call = "busctl call org.sonic.PortSync1 /org/sonic/PortSync1 org.sonic.PortSync1 Resync b false"
        for user in ("nobody --regid nogroup --clear-groups", "games --regid games --clear-groups"):
            self.assertRegex(self.box.run(f"setpriv --reuid {user} {call}", check=False), "(?i)access denied|not allowed")
        self.assertIn("Healthy", self.box.run(
            "setpriv --reuid nobody --regid nogroup --clear-groups "
            "busctl get-property org.sonic.PortSync1 /org/sonic/PortSync1 org.sonic.PortSync1 Health"))
        self.box.run("usermod -aG portsyncd games")
        self.box.run(f"setpriv --reuid games --regid games --init-groups {call}")
        self.box.run(call)

    def test_killall_and_back_within_5_s(self) -> None:
        self.install()
        self.healthy()
        before = self.pid()
        self.assertIn("active (running)", self.box.run("killall portsyncd; sleep 5; systemctl status portsyncd"))
        self.assertNotEqual(self.pid(), before)
        self.healthy()

    def test_installed_before_redis(self) -> None:
        """Without a Redis the installation ends within 20 s. When one is installed, portsyncd joins its group."""
        self.box.run("dpkg --purge --force-depends redis-server redis-tools && ! getent group redis")
        began = time.monotonic()
        self.install()
        self.assertLess(time.monotonic() - began, 20 * process.PATIENCE)
        self.assertEqual(self.show("portsyncd", "ActiveState"), "active")
        self.assertRegex(self.show("portsyncd", "StatusText"), "^(Degraded|Unhealthy): ")
        self.assertEqual(self.box.run("id -nG portsyncd").strip(), "portsyncd")
        before = self.pid()
        # A stand-in for the Redis package with what matters: the path, and the group that its postinst makes.
        self.box.run("mkdir -p /tmp/r/DEBIAN /tmp/r/usr/bin && touch /tmp/r/usr/bin/redis-server && "
                     "printf '%s\\n' 'Package: redis-server' 'Version: 9' 'Architecture: all' 'Maintainer: a <a@b.example>' "
                     "'Description: a' > /tmp/r/DEBIAN/control && "
                     "printf '%s\\n' '#!/bin/sh' 'groupadd --system redis' > /tmp/r/DEBIAN/postinst && "
                     "chmod 755 /tmp/r/DEBIAN/postinst && dpkg-deb -b /tmp/r /tmp/redis.deb && dpkg -i /tmp/redis.deb")
        process.wait_for(lambda: self.pid() not in ("0", before), 20, "it has been restarted", 0.1)
        self.assertIn(self.box.run("getent group redis").split(":")[2], self.status("Groups").split())

    def test_upgrade_keeps_the_configuration_and_writes_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            newer = packages.changed(packages.portsyncd(), "9.0-1", Path(folder))
            self.install()
            self.healthy()
            self.box.run("echo '# of the operator' >> /etc/sonic/portsyncd.conf")
            before = self.pid()
            monitor = process.start(["nsenter", "--target", str(self.box.pid), "--all", "sh", "-c",
                                     "exec redis-cli monitor >/tmp/monitor"])
            self.addCleanup(process.end, monitor)
            self.wait_for("redis-cli ping; cat /tmp/monitor", '"ping"')
            Path(f"/proc/{self.box.pid}/root/tmp/newer.deb").write_bytes(newer.read_bytes())
            self.box.run("apt-get install -y /tmp/newer.deb")
        self.healthy()
        self.assertNotEqual(self.pid(), before)
        self.assertIn("# of the operator", self.box.run("cat /etc/sonic/portsyncd.conf"))
        self.wait_for("redis-cli ping; cat /tmp/monitor", '"SCAN"')
        self.assertNotRegex(self.box.run("cat /tmp/monitor"), r'(?i)\] "(HSET|HMSET|HDEL|DEL|UNLINK|SET)"')
        self.assertIn("clean stop", self.box.run("journalctl -q -u portsyncd | grep Restart"))
        # And back again, while links flap.
        for i in range(20):
            self.far.ip(*(f"link set p{n} {'up' if i % 2 else 'down'}" for n in range(4)))
            if i == 3:
                self.box.run("apt-get install -y --allow-downgrades /mnt/packages/portsyncd_*.deb")
        self.healthy()
        for i in range(4):
            self.wait_for(f"redis-cli -n 6 HGET 'PORT_TABLE|Ethernet{4 * i}' netdev_oper_status", "up")

    def test_purge_leaves_nothing(self) -> None:
        def files() -> set[str]:
            return set(self.box.run("find / -xdev \\( -path /proc -o -path /sys -o -path /var/log/journal -o -path /tmp -o "
                                    "-path /var/lib/dpkg -o -path /var/cache -o -path /var/lib/systemd -o -path /var/lib/apt -o -path /mnt \\) "
                                    "-prune -o -print; find /run/portsyncd* 2>/dev/null || true").splitlines())
        accounts = "getent passwd; getent group; getent shadow"
        before, who = files(), self.box.run(accounts)
        self.install()
        self.healthy()
        password = "/etc/sonic/redis.password"
        self.box.run(f"echo secret | install -m 0440 -o portsyncd -g portsyncd /dev/stdin {password}")
        self.box.run("echo '# of the operator' >> /etc/sonic/portsyncd.conf && apt-get remove -y portsyncd")
        self.assertEqual(self.box.run("pgrep -x portsyncd", check=False), "")
        self.assertIn("# of the operator", self.box.run("cat /etc/sonic/portsyncd.conf"))
        self.box.run("apt-get purge -y portsyncd")
        self.assertEqual(self.box.run(f"stat -c '%U %G %a' {password} && rm {password} && rmdir /etc/sonic").split(), ["root", "root", "440"])
        left = {name for name in files() - before if not re.match(r"/var/log/(apt|dpkg\.log|alternatives\.log)", name)}
        self.assertEqual(left, {name for name in left if name.endswith("-")})  # /etc/passwd- and the like
        self.assertEqual(self.box.run(accounts), who)
        self.assertEqual(self.box.run("systemctl is-system-running").strip(), "running")
