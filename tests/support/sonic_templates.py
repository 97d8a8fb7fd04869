# SPDX-License-Identifier: Apache-2.0
"""
supervisord's templates of SONiC's swss container, in small: ours, with the variables and the forms of theirs, rendered as
sonic-cfggen does it. `common` is the form since March 2026, `single` the one before.
"""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jinja2

SONIC = Path(__file__).resolve().parents[2] / "portsyncd" / "data" / "sonic"
FORMS = ("common", "single")

LISTENER = """
[eventlistener:supervisor-proc-exit-listener]
command={{ listener | default("/usr/bin/supervisor-proc-exit-listener-rs") }} --container-name swss
events=PROCESS_STATE_EXITED,PROCESS_STATE_RUNNING,PROCESS_COMMUNICATION_STDOUT,PROCESS_STATE_FATAL
autostart=true
autorestart=unexpected
buffer_size=1024
"""

PROGRAMS = """
{% set fabric = 0 %}
{% set orchagent_waits_for = "portsyncd:running" %}
{% if DEVICE_METADATA is defined and DEVICE_METADATA.localhost.switch_type == "fabric" %}
{% set fabric = 1 %}
{% set orchagent_waits_for = "rsyslogd:running" %}
{%- endif %}
{% if portsyncd_dependent_startup_wait_for is not defined %}
{% set portsyncd_dependent_startup_wait_for = "rsyslogd:running" %}
{% endif %}
{% if fabric == 0 %}
[program:portsyncd]
command=/usr/bin/portsyncd
priority=PRIORITY
autostart=false
autorestart=false
stdout_logfile=NONE
stdout_syslog=true
stderr_logfile=NONE
stderr_syslog=true
dependent_startup=true
# what it waits for is the includer's to say
dependent_startup_wait_for={{ portsyncd_dependent_startup_wait_for }}
{% if ENABLE_ASAN == "y" %}
environment=ASAN_OPTIONS="log_path=/var/log/asan/portsyncd-asan.log:print_suppressions=0"
{% endif %}
{%- endif %}

[program:orchagent]
command=/usr/bin/orchagent.sh
priority=4
autostart=false
autorestart=false
dependent_startup=true
dependent_startup_wait_for={{ orchagent_waits_for }}
{% if ENABLE_ASAN == "y" %}
environment=ASAN_OPTIONS="log_path=/var/log/asan/orchagent-asan.log"
{% endif %}
"""

CRITICAL = """{% if DEVICE_METADATA.localhost.switch_type != "fabric" %}
program:portsyncd
{% endif %}
program:orchagent
"""

WATCHED = "program:orchagent"


def metadata(**fields: str) -> dict[str, Any]:
    return {"DEVICE_METADATA": {"localhost": {"hwsku": "test", **fields}}}


# The variables that CONFIG_DB gives on each kind of switch.
SWITCHES = {
    "T0": metadata(type="ToRRouter"),
    "T1": metadata(type="LeafRouter", switch_type="switch"),
    "multi-ASIC": metadata(type="SpineRouter", switch_type="voq", asic_name="asic0", sub_role="FrontEnd"),
    "DPU": metadata(type="SonicDpu", switch_type="dpu"),
    "without metadata": {},
}
SUPERVISOR = metadata(type="SpineRouter", switch_type="fabric")


def write(folder: Path, form: str) -> Path:
    """Writes the templates of a form as docker-orchagent has them; returns the file with portsyncd's section."""
    folder.mkdir(parents=True, exist_ok=True)
    head = "[supervisord]\nnodaemon=true\n" + LISTENER
    (folder / "critical_processes.j2").write_text(CRITICAL)
    (folder / "watchdog_processes.j2").write_text(WATCHED)
    if form == "single":
        (folder / "supervisord.conf.j2").write_text(head + PROGRAMS.replace("PRIORITY", "3"))
        return folder / "supervisord.conf.j2"
    (folder / "supervisord.conf.j2").write_text(
        head + '{% set swss_priority_base = 0 %}\n{% include "supervisord.conf.common.j2" %}\n')
    (folder / "supervisord.conf.common.j2").write_text(PROGRAMS.replace("PRIORITY", "{{ swss_priority_base + 3 }}"))
    return folder / "supervisord.conf.common.j2"


def render(folder: Path, variables: dict[str, Any], name: str = "supervisord.conf.j2") -> str:
    loader = jinja2.FileSystemLoader(str(folder))
    return jinja2.Environment(loader=loader, trim_blocks=True).get_template(name).render(**variables)


def parse(text: str) -> dict[str, dict[str, str]]:
    """By section, as supervisord reads it: of an option that stands twice the last one counts."""
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    parser.read_string(text)
    return {name: dict(parser.items(name)) for name in parser.sections()}


def section_py(*words: Any) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SONIC / "section.py", *map(str, words)], capture_output=True, text=True,
                          check=False)


def buildimage(folder: Path, form: str) -> Path:
    """A checkout that looks like sonic-buildimage to apply.sh. Returns the file with portsyncd's section."""
    for name in ("rules", "src"):
        (folder / name).mkdir(parents=True)
    (folder / "slave.mk").write_text("# stands in for SONiC's\n")
    (folder / ".gitignore").write_text("*.deb\n*.tar\n*.xz\n*.gz\n*.pyc\n")
    for suite in ("bookworm", "trixie"):
        slave = folder / f"sonic-slave-{suite}"
        slave.mkdir()
        (slave / "Dockerfile.j2").write_text("RUN apt-get install -y \\\n        libhiredis-dev \\\n        meson\n")
    return write(folder / "dockers" / "docker-orchagent", form)


def copy_tools(to: Path) -> Path:
    """What one copies to a switch."""
    to.mkdir()
    for name in ("install.sh", "remove.sh", "section.py"):
        shutil.copy(SONIC / name, to / name)
    return to
