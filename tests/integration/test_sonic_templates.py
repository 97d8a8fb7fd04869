# SPDX-License-Identifier: Apache-2.0
"""What portsyncd/data/sonic changes in docker-orchagent's templates and in a checkout of sonic-buildimage."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any, Optional

from support import sonic_templates as templates
from support.sonic_templates import FORMS, SONIC, SUPERVISOR, SWITCHES

MODE = 'PORTSYNCD_SYNC_MODE="sonic"'
PORTSYNCD = "program:portsyncd"


class TemplateCase(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="portsync-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def write(self, form: str) -> Path:
        return templates.write(self.directory / form, form)

    def add(self, file: Path, *variables: str) -> None:
        done = templates.section_py("add", file, *variables)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def sections(self, form: str, variables: dict[str, Any]) -> dict[str, dict[str, str]]:
        return templates.parse(templates.render(self.directory / form, variables))


class Section(TemplateCase):
    def test_it_is_in_sonic_mode_on_each_kind_of_switch_and_all_else_stays(self) -> None:
        for form in FORMS:
            file = self.write(form)
            before = {kind: self.sections(form, variables) for kind, variables in SWITCHES.items()}
            self.add(file)
            for kind, variables in SWITCHES.items():
                with self.subTest(form=form, kind=kind):
                    wanted = before[kind]
                    self.assertNotIn("environment", wanted[PORTSYNCD])
                    wanted[PORTSYNCD].update(environment=MODE, stdout_capture_maxbytes="1MB")
                    self.assertEqual(self.sections(form, variables), wanted)
                    self.assertEqual(wanted[PORTSYNCD]["priority"], "3")
                    self.assertEqual(wanted[PORTSYNCD]["command"], "/usr/bin/portsyncd")

    def test_a_chassis_supervisor_runs_no_portsyncd(self) -> None:
        for form in FORMS:
            self.add(self.write(form))
            sections = self.sections(form, SUPERVISOR)
            self.assertNotIn(PORTSYNCD, sections)
            self.assertEqual(sections["program:orchagent"]["dependent_startup_wait_for"], "rsyslogd:running")

    def test_it_waits_for_what_the_includer_says(self) -> None:
        """docker-sonic-vs has it wait for syncd, and another base of priorities."""
        folder = self.directory / "common"
        self.add(self.write("common"))
        (folder / "supervisord.conf.j2").write_text(
            '{% set swss_priority_base = 5 %}\n{% set portsyncd_dependent_startup_wait_for = "syncd:running" %}\n'
            '{% include "supervisord.conf.common.j2" %}\n')
        section = self.sections("common", SWITCHES["T0"])[PORTSYNCD]
        self.assertEqual((section["priority"], section["dependent_startup_wait_for"]), ("8", "syncd:running"))
        self.assertEqual(section["environment"], MODE)

    def test_options_of_asan_stand_beside_the_mode(self) -> None:
        for form in FORMS:
            self.add(self.write(form), "PORTSYNCD_SONIC_MGMT_PORT=true")
            environment = self.sections(form, {**SWITCHES["T0"], "ENABLE_ASAN": "y"})[PORTSYNCD]["environment"]
            self.assertTrue(environment.startswith(MODE + ',PORTSYNCD_SONIC_MGMT_PORT="true",ASAN_OPTIONS="'), environment)
            orchagent = self.sections(form, {**SWITCHES["T0"], "ENABLE_ASAN": "y"})["program:orchagent"]
            self.assertFalse(orchagent["environment"].startswith(MODE))

    def test_more_variables_and_others_later(self) -> None:
        file = self.write("single")
        self.add(file, "PORTSYNCD_SONIC_MGMT_PORT=true", "PORTSYNCD_SYNC_HEARTBEAT_SECS=10")
        self.assertEqual(self.sections("single", {})[PORTSYNCD]["environment"],
                         MODE + ',PORTSYNCD_SONIC_MGMT_PORT="true",PORTSYNCD_SYNC_HEARTBEAT_SECS="10"')
        self.add(file)
        self.assertEqual(self.sections("single", {})[PORTSYNCD]["environment"], MODE)

    def test_twice_is_once_and_taken_out_gives_the_file_back(self) -> None:
        for form in FORMS:
            file = self.write(form)
            os.chmod(file, 0o640)
            original = file.read_text()
            self.assertEqual(templates.section_py("check", file).returncode, 1)
            self.add(file, "PORTSYNCD_SONIC_MGMT_PORT=true")
            once = file.read_text()
            self.assertEqual(templates.section_py("check", file).returncode, 0)
            self.add(file, "PORTSYNCD_SONIC_MGMT_PORT=true")
            self.assertEqual(file.read_text(), once)
            for _ in range(2):
                self.assertEqual(templates.section_py("remove", file).returncode, 0)
                self.assertEqual(file.read_text(), original)
            self.assertEqual(file.stat().st_mode & 0o777, 0o640)

    def test_a_capture_that_is_there_is_left_alone(self) -> None:
        file = self.write("single")
        file.write_text(file.read_text().replace("command=/usr/bin/portsyncd\n",
                                                 "command=/usr/bin/portsyncd\nstdout_capture_maxbytes=2MB\n"))
        self.add(file)
        self.assertEqual(self.sections("single", {})[PORTSYNCD]["stdout_capture_maxbytes"], "2MB")

    def test_what_cannot_be_edited_is_left_as_it_is(self) -> None:
        file = self.write("single")
        original = file.read_text()
        for what, words in {
            "lower case": ("add", file, "PORTSYNCD_mode=x"), "another program's": ("add", file, "LD_PRELOAD=/x"),
            "no value": ("add", file, "PORTSYNCD_X"), "a quote": ("add", file, 'PORTSYNCD_X=a"b'),
            "what supervisord expands": ("add", file, "PORTSYNCD_X=%s"), "jinja": ("add", file, "PORTSYNCD_X={{ y }}"),
            "variables of remove": ("remove", file, "PORTSYNCD_X=1"), "another verb": ("put", file), "no file": ("add",),
            "a file that is not there": ("add", self.directory / "nobody")}.items():
            with self.subTest(what):
                done = templates.section_py(*words)
                self.assertEqual(done.returncode, 2)
                self.assertTrue(done.stderr)
        self.assertEqual(file.read_text(), original)
        for count, text in ((0, original.replace("[program:portsyncd]", "[program:other]")), (2, original * 2)):
            file.write_text(text)
            done = templates.section_py("add", file)
            self.assertIn(f"expected one section [program:portsyncd], found {count}", done.stderr)
            self.assertEqual(file.read_text(), text)

    def test_its_help_and_its_errors(self) -> None:
        for word in ("--help", "-h"):
            done = templates.section_py(word)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("section.py add FILE", done.stdout)
        nobody, latin = self.directory / "none", self.directory / "latin"
        latin.write_bytes(b"[program:portsyncd]\n# caf\xe9\n")
        for words, text in {
            (): "no verb: expected add, remove or check; see --help", ("put", latin): "put: expected add, remove or check; see --help",
            ("check",): "check: expected a FILE after it; see --help",
            ("remove", latin, "X=1"): "X=1: expected nothing after the FILE of remove; see --help",
            ("add", nobody): f"{nobody}: No such file or directory",
            ("add", latin): f"{latin}: expected UTF-8 text, found the byte 0xe9 at offset 25"}.items():
            done = templates.section_py(*words)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (2, "", f"section.py: {text}\n"))


class Buildimage(TemplateCase):
    """apply.sh on a checkout that stands in for sonic-buildimage's."""

    once: Optional[Path] = None  # a tree that apply.sh has been run on

    def setUp(self) -> None:
        super().setUp()
        self.tree = self.directory / "sonic-buildimage"

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.once is not None:
            shutil.rmtree(cls.once)

    def apply(self) -> subprocess.CompletedProcess:
        return subprocess.run([SONIC / "apply.sh", self.tree], capture_output=True, text=True, check=False)

    def applied(self) -> None:
        if Buildimage.once is None:
            templates.buildimage(self.tree, "common")
            done = self.apply()
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            Buildimage.once = Path(tempfile.mkdtemp(prefix="portsync-"))
            shutil.copytree(self.tree, Buildimage.once, dirs_exist_ok=True)
        else:
            shutil.copytree(Buildimage.once, self.tree)

    def files(self) -> dict[str, str]:
        return {str(path.relative_to(self.tree)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in self.tree.rglob("*") if path.is_file()}

    def make(self, text: str, *words: str, environment: Optional[dict[str, str]] = None) -> subprocess.CompletedProcess:
        """Runs make on a Makefile that has what slave.mk and the rules before ours give."""
        head = ("SRC_PATH = src\nCONFIGURED_ARCH = amd64\nDOCKER_ORCHAGENT = docker-orchagent.gz\nSWSS = swss_1.0.0_amd64.deb\n"
                "$(DOCKER_ORCHAGENT)_DEPENDS += $(SWSS)\nLIBNL3 = libnl-3-200.deb\nLIBNL_ROUTE3 = libnl-route-3-200.deb\n"
                "LIBNL3_DEV = libnl-3-dev.deb\nLIBNL_ROUTE3_DEV = libnl-route-3-dev.deb\n"
                "add_derived_package = DERIVED += $(2)\n")
        (self.tree / "Makefile").write_text(f"{head}include rules/portsyncd.mk\n{text}\n")
        return subprocess.run(["make", "-s", "-C", self.tree, *words], capture_output=True, text=True, check=False,
                              env={**os.environ, **(environment or {})})

    def test_only_what_it_says_changes_and_twice_is_once(self) -> None:
        for form, edited in (("common", "supervisord.conf.common.j2"), ("single", "supervisord.conf.j2")):
            with self.subTest(form):
                shutil.rmtree(self.tree, ignore_errors=True)
                templates.buildimage(self.tree, form)
                before = self.files()
                self.assertEqual(self.apply().returncode, 0)
                after = self.files()
                self.assertEqual({name for name in before if before[name] != after[name]},
                                 {f"dockers/docker-orchagent/{edited}", "sonic-slave-bookworm/Dockerfile.j2",
                                  "sonic-slave-trixie/Dockerfile.j2"}, "critical_processes and watchdog_processes stay")
                source = "src/portsyncd/portsync_0.1.0.orig.tar.gz"
                self.assertEqual(after.keys() - before.keys(),
                                 {"rules/portsyncd.mk", "rules/portsyncd.dep", "src/portsyncd/Makefile", source,
                                  source + ".sha256", "src/portsyncd/.gitignore"})
                (self.tree / "src/portsyncd/portsync_0.0.1.orig.tar.gz").write_text("of an earlier version")
                self.assertEqual(self.apply().returncode, 0)
                self.assertEqual(self.files(), after)
                slave = (self.tree / "sonic-slave-trixie/Dockerfile.j2").read_text()
                for package in ("libcli11-dev", "libspdlog-dev", "libtoml11-dev"):
                    self.assertEqual(slave.count(f"        {package} \\\n"), 1)

    def test_a_commit_has_the_source(self) -> None:
        """sonic-buildimage's .gitignore has *.gz."""
        self.applied()
        for words in (["init", "--quiet"], ["add", "--all"]):
            subprocess.run(["git", "-C", self.tree, *words], check=True)
        added = subprocess.run(["git", "-C", self.tree, "ls-files", "src/portsyncd"], capture_output=True, text=True, check=True)
        self.assertEqual({Path(name).name for name in added.stdout.split()},
                         {path.name for path in (self.tree / "src/portsyncd").iterdir()})

    def test_what_is_no_checkout_is_refused(self) -> None:
        self.tree.mkdir()
        self.assertIn("found no slave.mk", self.apply().stderr)
        (self.tree / "slave.mk").write_text("")
        self.assertIn("no supervisord.conf*.j2 has a section [program:portsyncd]", self.apply().stderr)

    def test_the_version_is_the_project_s_and_the_package_s(self) -> None:
        top = SONIC.parents[2]
        rules = (SONIC / "rules/portsyncd.mk").read_text()
        self.assertIn("version: '0.1.0'", (top / "meson.build").read_text())
        self.assertIn("PORTSYNCD_VERSION = 0.1.0\nPORTSYNCD_REVISION = 1\n", rules)
        self.assertTrue((top / "debian/changelog").read_text().startswith("portsync (0.1.0-1)"))

    def test_docker_orchagent_depends_on_the_package(self) -> None:
        self.applied()
        done = self.make("show: ; @echo '$(docker-orchagent.gz_DEPENDS)|$(SONIC_MAKE_DEBS)|$($(PORTSYNCD)_DEPENDS)|"
                         "$($(PORTSYNCD)_RDEPENDS)|$(DERIVED)'", "show")
        deb = "portsyncd-swss_0.1.0-1_amd64.deb"
        self.assertEqual(done.stdout.strip().split("|"),
                         [f"swss_1.0.0_amd64.deb {deb}", deb, "libnl-3-dev.deb libnl-route-3-dev.deb",
                          "libnl-3-200.deb libnl-route-3-200.deb swss_1.0.0_amd64.deb",
                          "portsyncd-swss-dbgsym_0.1.0-1_amd64.deb"])

    def build(self, **environment: str) -> subprocess.CompletedProcess:
        """With a stand-in for dpkg-buildpackage, which writes down how it was called."""
        programs = self.directory / "bin"
        programs.mkdir(exist_ok=True)
        builder = programs / "dpkg-buildpackage"
        builder.write_text("#!/bin/sh\n[ -f debian/portsyncd-swss.install ] || exit 1\n"
                           f'echo "$* profiles=$DEB_BUILD_PROFILES" >{self.directory}/called\n'
                           "for p in portsyncd-swss portsyncd-swss-dbgsym; do touch ../${p}_0.1.0-1_amd64.deb; done\n")
        builder.chmod(0o755)
        to = self.directory / "debs"
        to.mkdir(exist_ok=True)
        return self.make("made: ; $(MAKE) -C $($(PORTSYNCD)_SRC_PATH) DEST=$(DEST) $(DEST)/$(PORTSYNCD)", "made", f"DEST={to}",
                         environment={"PATH": f"{programs}:{os.environ['PATH']}", **environment})

    def test_the_makefile_builds_the_source_beside_it(self) -> None:
        self.applied()
        self.assertEqual(self.build().returncode, 0)
        self.assertEqual((self.directory / "called").read_text().split(),
                         ["-b", "-us", "-uc", "profiles=pkg.portsync.swss", "nodoc", "nocheck"])
        self.assertTrue((self.directory / "debs/portsyncd-swss_0.1.0-1_amd64.deb").exists())
        self.assertEqual(sorted(os.listdir(self.tree / "src/portsyncd")),
                         [".gitignore", "Makefile", "portsync_0.1.0.orig.tar.gz", "portsync_0.1.0.orig.tar.gz.sha256"])

    def test_a_cross_build(self) -> None:
        self.applied()
        self.assertEqual(self.build(CROSS_BUILD_ENVIRON="y", CONFIGURED_ARCH="amd64", SONIC_DPKG_ADMINDIR="/admin").returncode, 0)
        called = (self.directory / "called").read_text()
        self.assertIn("--admindir /admin", called)
        self.assertIn("cross", called)

    def test_a_source_that_was_changed_is_not_built(self) -> None:
        self.applied()
        with (self.tree / "src/portsyncd/portsync_0.1.0.orig.tar.gz").open("ab") as archive:
            archive.write(b"more")
        done = self.build()
        self.assertNotEqual(done.returncode, 0)
        self.assertFalse((self.directory / "called").exists())

    def test_the_source_has_no_build_and_no_history(self) -> None:
        self.applied()
        listed = subprocess.run(["tar", "-tf", self.tree / "src/portsyncd/portsync_0.1.0.orig.tar.gz"], capture_output=True,
                                text=True, check=True).stdout.splitlines()
        folders = {name.split("/")[1] for name in listed if name.count("/") > 1}
        self.assertLessEqual({"debian", "libportsync", "portsyncd"}, folders)
        self.assertEqual({name for name in folders if name == ".git" or name.startswith("build")}, set())

    def test_the_same_source_makes_the_same_archive_after_a_build(self) -> None:
        top = self.directory / "portsync"
        for name in ("portsyncd/data/sonic", "subprojects"):
            shutil.copytree(SONIC.parents[2] / name, top / name, ignore=lambda folder, names: [
                name for name in names if Path(folder).name == "subprojects" and not name.endswith(".wrap")])
        kept = top / "subprojects/packagefiles/hiredis/meson.build"
        kept.parent.mkdir(parents=True)
        kept.touch()

        def archive() -> tuple[str, list[str]]:
            subprocess.run([top / "portsyncd/data/sonic/apply.sh", "--rules-only", self.tree], check=True)
            made = self.tree / "src/portsyncd/portsync_0.1.0.orig.tar.gz"
            listed = subprocess.run(["tar", "-tf", made], capture_output=True, text=True, check=True).stdout.splitlines()
            return hashlib.sha256(made.read_bytes()).hexdigest(), listed
        self.tree.mkdir()
        before = archive()
        for name in ("build-swss/x", "build-by-hand/x", "subprojects/hiredis-1/x", "subprojects/packagecache/x", ".cache/x",
                     "compile_commands.json", "portsyncd/data/sonic/section.pyc", "portsyncd/__pycache__/x"):
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).touch()
        self.assertEqual(archive(), before)
        for name in ("subprojects/hiredis.wrap", "subprojects/packagefiles/hiredis/meson.build", "portsyncd/data/sonic/apply.sh"):
            self.assertIn(f"portsync-0.1.0/{name}", before[1])


class CommandLines(TemplateCase):
    """What the scripts refuse. Stand-ins for id, docker and /etc keep them from changing this machine."""

    def setUp(self) -> None:
        super().setUp()
        self.programs = self.directory / "bin"
        self.etc = self.directory / "etc"
        (self.etc / "sonic").mkdir(parents=True)
        self.stand_in("id", "echo 1000")

    def stand_in(self, name: str, script: str) -> None:
        self.programs.mkdir(exist_ok=True)
        (self.programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.programs / name).chmod(0o755)

    def fails(self, code: int, text: str, *words: object, before: tuple[object, ...] = ()) -> None:
        with self.subTest(words):
            done = subprocess.run([*map(str, before), SONIC / str(words[0]), *map(str, words[1:])], capture_output=True, text=True,
                                  check=False, cwd=self.directory,
                                  env={**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"})
            self.assertEqual((done.returncode, done.stdout, done.stderr), (code, "", f"{words[0]}: {text}\n"))

    def with_etc(self) -> tuple[object, ...]:
        """Returns what a command line begins with so that /etc is the folder of this test."""
        return ("unshare", "--mount", "sh", "-c", f'mount --bind {self.etc} /etc && exec "$@"', "sh")

    def test_of_build(self) -> None:
        before = set(self.directory.iterdir())
        self.fails(2, "sid: expected bookworm, trixie or --here; see --help", "build.sh", "sid")
        self.fails(2, "--what: unknown option; see --help", "build.sh", "trixie", "--what")
        for words in (("trixie", "armhf"), ("trixie", "amd64", "armhf"), ("--here", "armhf")):
            self.fails(2, "armhf: expected amd64, arm64 or a DIRECTORY with a / in it", "build.sh", *words)
        self.fails(2, "arm64: expected nothing after the DIRECTORY; see --help", "build.sh", "trixie", "./a", "arm64")
        for words in (("trixie",), ("bookworm", "arm64"), ("trixie", "./a"), ("trixie", "amd64", "etc")):
            self.fails(1, "only root can make a root and install packages", "build.sh", *words)
        (self.etc / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
        self.fails(1, "this machine is noble: expected Debian bookworm or trixie; see --help for docker", "build.sh", "--here",
                   before=self.with_etc())
        self.assertEqual(set(self.directory.iterdir()), before)
        done = subprocess.run([SONIC / "build.sh", "trixie", "--help"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("usage: build.sh "))

    def test_of_install_and_remove(self) -> None:
        for script in ("install.sh", "remove.sh"):
            self.fails(2, "--limit: expected a number of seconds after it; see --help", script, "--limit")
            self.fails(2, "--limit soon: expected a number of seconds; see --help", script, "--limit", "soon")
            self.fails(2, "--what: unknown option; see --help", script, "--what")
        self.fails(2, "no package: expected portsyncd-swss_VERSION_ARCHITECTURE.deb; see --help", "install.sh", "--limit", "08")
        self.fails(2, "b.deb: expected one package, and a.deb is one; see --help", "install.sh", "a.deb", "b.deb")
        self.fails(2, "a.deb: expected no package; see --help", "remove.sh", "a.deb")

    def test_of_apply(self) -> None:
        self.fails(2, "--what: unknown option; see --help", "apply.sh", "--what", "a")
        self.fails(2, "b: expected one DIRECTORY, and a is one; see --help", "apply.sh", "a", "b")
        self.fails(2, "no DIRECTORY: expected a checkout of sonic-buildimage; see --help", "apply.sh", "--rules-only")

    def test_a_package_that_is_none_of_ours_is_refused(self) -> None:
        (self.etc / "sonic/sonic_version.yml").write_text("release: '202505'\n")
        self.stand_in("id", "echo 0")
        self.stand_in("docker", 'case "$1 $3" in ps*) echo swss ;; "exec sh") echo /template ;; esac')
        self.fails(1, "none.deb: no such file", "install.sh", "--dry-run", "none.deb", before=self.with_etc())
        tree = self.directory / "other"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text("Package: portsyncd\nVersion: 1\nArchitecture: all\nMaintainer: n <n@example>\n"
                                             "Description: another\n")
        subprocess.run(["dpkg-deb", "-Znone", "--build", tree, self.directory / "other.deb"], check=True, stdout=subprocess.DEVNULL)
        self.fails(1, "other.deb: expected portsyncd-swss_VERSION_ARCHITECTURE.deb; build.sh makes it", "install.sh", "--dry-run",
                   "other.deb", before=self.with_etc())

    def test_a_dry_run_starts_no_container(self) -> None:
        self.stand_in("id", "echo 0")
        self.stand_in("docker", f'case $1 in ps) echo swss ;; start) touch {self.directory}/started ;; *) exit 1 ;; esac')
        self.fails(1, "container swss does not run; --dry-run does not start it", "remove.sh", "--dry-run")
        self.assertFalse((self.directory / "started").exists())


if __name__ == "__main__":
    unittest.main()
