# SPDX-License-Identifier: Apache-2.0
"""Every block of every document has a test that runs it or compares it, or a reason why none does."""

import re
import unittest

from api.contract_check import exists
from support import documents
from support.documents import Block, blocks_of
from system.test_deployment_guide import blocks as blocks_of_the_guide

GUIDE = "portsyncd/doc/deployment.md"
# Document, beginning of the block ("" = all of its blocks), the test that runs it or compares it.
TESTED = [
    (GUIDE, "", "system/test_deployment_guide.py::test_every_block"),
    ("portsyncd/doc/dbus.md", "", "integration/test_dbus.py::test_transcripts"),
    ("README.md", "./examples/quickstart.sh", "integration/test_documents.py::test_readme_shows_what_it_prints"),
    ("README.md", "packages: installing", "integration/test_documents.py::test_readme_shows_what_it_prints"),
    ("README.md", "apt-get install", "api/test_document_blocks.py::test_readme_has_commands_of_the_deployment_guide"),
    ("README.md", "cp build/", "api/test_document_blocks.py::test_readme_has_commands_of_the_deployment_guide"),
    ("README.md", "redis-cli", "api/test_document_blocks.py::test_readme_has_commands_of_the_deployment_guide"),
    ("README.md", "portsyncd  ", "integration/test_documents.py::test_readme_run_it"),
    ("README.md", "$ portsyncctl", "integration/test_portsyncctl.py::test_readme_shows_what_it_prints"),
    ("README.md", "portsyncctl ports", "integration/test_documents.py::test_readme_ask_it"),
    ("README.md", "#include <poll.h>", "api/test_examples.py::test_the_program_of_the_readme"),
    ("README.md", "g++", "api/test_examples.py::test_the_program_of_the_readme"),
    ("examples/README.md", "g++", "api/test_examples.py::test_documents_build_alike"),
    ("examples/README.md", "meson setup", "api/test_examples.py::test_the_meson_project_builds_each"),
    ("libportsync/doc/overview.md", "g++", "api/test_examples.py::test_documents_build_alike"),
    ("libportsync/doc/from-netdispatcher.md", "#include", "api/test_examples.py::test_from_netdispatcher"),
    ("libportsync/doc/from-netdispatcher.md", "g++", "api/test_examples.py::test_from_netdispatcher"),
    ("libportsync/doc/from-netdispatcher.md", "class SelectablePollable", "api/test_examples.py::test_an_adapter_for_select"),
    ("libportsync/doc/write-your-own-sink.md", "#include", "api/test_examples.py::test_write_your_own_sink"),
    ("libportsync/doc/write-your-own-sink.md", "g++", "api/test_examples.py::test_write_your_own_sink"),
    ("libportsync/doc/write-your-own-sink.md", "class MySink", "api/test_examples.py::test_all_functions_of_a_sink"),
    ("portsyncd/doc/control-protocol.md", "echo", "integration/test_documents.py::test_the_command_for_a_shell"),
    ("portsyncd/doc/control-protocol.md", '{"method"', "integration/test_documents.py::test_requests_and_replies"),
    ("portsyncd/doc/control-protocol.md", '{"event"', "integration/test_documents.py::test_events"),
    ("portsyncd/doc/metrics.md", "[metrics]", "integration/test_metrics.py::test_the_document_shows_this_configuration"),
    ("portsyncd/doc/metrics.md", "scrape_configs", "integration/test_metrics.py::test_promtool_takes_the_scrape_configuration"),
    ("portsyncd/doc/swss.md", "portsyncd/data/sonic/apply.sh", "integration/test_sonic_templates.py::test_only_what_it_says_changes_and_twice_is_once"),
    ("portsyncd/doc/swss.md", "sudo ./install.sh", "integration/sonic_install.py::test_a_dry_run_changes_nothing"),
    ("portsyncd/doc/swss.md", "redis-cli ACL", "integration/test_redis_acl.py::test_with_the_line_of_the_sonic_document_nothing_is_refused"),
]
# Document, beginning of the block, why no test runs it.
NOT_RUN = [
    ("README.md", " Linux kernel", "a picture"),
    ("libportsync/DESIGN.md", " kernel", "a picture"),
    ("README.md", "meson setup", "tests/run.sh makes this build"),
    ("README.md", "./tests/run.sh", "it runs the tests"),
    ("CONTRIBUTING.md", "./tests/run.sh", "it runs the tests"),
    ("CONTRIBUTING.md", "meson setup", "tests/run.sh makes a build and runs the suites"),
    ("CONTRIBUTING.md", "class PORTSYNC_API StateSink", "an example of a change that is not made"),
    ("CONTRIBUTING.md", "// A sink that wants to know", "an example of a change that is not made"),
    ("CONTRIBUTING.md", "void Impl::add_sink", "an example of a change that is not made"),
    ("libportsync/doc/from-netdispatcher.md", "class LinkSync : public NetMsg", "code of swss-common, which is not here"),
    ("portsyncd/doc/swss.md", "sudo portsyncd/data/sonic/build.sh", "takes minutes; tests/run.sh --all runs build.sh, for each container"),
    ("portsyncd/doc/swss.md", "meson setup", "takes minutes; tests/run.sh --all makes this build for integration/sonic_image.py"),
    ("tests/README.md", "tests/support/runner.py", "it runs the tests"),
    ("tests/bench/README.md", "tests/bench/bench.py", "a synopsis"),
    ("tests/bench/README.md", "build-bench/tests/bench/portsyncd_bench", "a synopsis"),
    ("tests/sim/README.md", "meson compile", "runs for minutes; the suite sim has short runs"),
]


def faults(document: str, page: list[Block]) -> list[str]:
    """Returns the blocks that no line of the tables, or more than one, names; and the lines that name no block."""
    lines = [beginning for name, beginning, _ in TESTED + NOT_RUN if name == document]
    found = [f"{document}:{block.line}: {sum(map(block.text.startswith, lines))} lines of the tables name this block, expected 1"
             for block in page if sum(map(block.text.startswith, lines)) != 1]
    return found + [f"{document} has no block that begins with {line!r}" for line in lines
                    if not any(block.text.startswith(line) for block in page)]


class DocumentBlocks(unittest.TestCase):
    def test_each_is_tested_or_has_a_reason(self) -> None:
        if not (documents.TOP / ".git").exists():
            self.skipTest("only in a checkout")
        names = documents.names()
        self.assertEqual([fault for name in names for fault in faults(name, documents.blocks(name))], [])
        self.assertEqual({name for name, _, _ in TESTED + NOT_RUN} - set(names), set())

    def test_the_tests_exist(self) -> None:
        self.assertEqual([test for _, _, test in TESTED if not exists(test)], [])

    def test_documents_that_are_named_exist(self) -> None:
        """A comment or a document that names a document outside the repository leaves its reader without it."""
        if not (documents.TOP / ".git").exists():
            self.skipTest("only in a checkout")
        names = documents.names()
        wrong = []
        for path in documents.tracked():
            if path not in ("tests/api/test_language.py", "tests/api/test_document_blocks.py"):  # they plant names
                text = (documents.TOP / path).read_bytes().decode(errors="replace")
                wrong += [f"{path} names {name}" for name in re.findall(r"(?<![\w/.:$-])[\w./-]+\.md\b", text)
                          if not any(f"/{other}".endswith("/" + name.lstrip("./")) for other in names)]
        self.assertEqual(wrong, [])

    def test_dbus_transcripts_have_the_form_that_their_test_reads(self) -> None:
        for block in documents.blocks("portsyncd/doc/dbus.md"):
            self.assertTrue(block.text.startswith("$ "), block)

    def test_readme_has_commands_of_the_deployment_guide(self) -> None:
        """
        The guide's test runs these commands on a booted system. There journalctl may have -q and -o cat, which only shorten
        its output, and a pipe may follow.
        """
        run: list[str] = []
        for block in blocks_of_the_guide((documents.TOP / GUIDE).read_text()):
            if not block.why_not_run:
                run += re.findall(r"^\$ (.*)" if block.kind == "console" else r"^(.*)", block.text, re.MULTILINE)
        run = [line.replace("journalctl -q -o cat ", "journalctl ") for line in run]
        for beginning in ("apt-get install", "cp build/", "redis-cli"):
            for command in documents.commands(documents.block("README.md", beginning).text):
                self.assertTrue(any(line == command or line.startswith(command + " | ") for line in run),
                                f"{GUIDE} does not run {command!r} of README.md")
        said = re.search(r"systemctl show -p StatusText portsyncd +# (.*)", documents.block("README.md", "apt-get").text)[1]
        self.assertIn(f"$ systemctl show -p StatusText portsyncd\n{said}\n", (documents.TOP / GUIDE).read_text())


class ThisTest(unittest.TestCase):
    def test_each_form_of_a_block_is_found(self) -> None:
        page = "A\n```sh\none\n  two\n```\nB:\n\n    three\n\n      four\n\nC\n    no block\n- D:\n\n      five\n\n```\n```\n"
        self.assertEqual(list(blocks_of(page)), [Block(3, "sh", "one\n  two\n"), Block(8, "", "three\n\n  four\n"),
                                                 Block(16, "", "five\n"), Block(19, "", "")])

    def test_a_block_without_a_line_and_a_line_without_a_block_are_found(self) -> None:
        page = documents.blocks("examples/README.md")
        self.assertEqual(faults("examples/README.md", page), [])
        self.assertIn("examples/README.md:9: 0 lines", faults("examples/README.md", [*page, Block(9, "", "rm -r /\n")])[0])
        self.assertIn("no block that begins with 'g++'", faults("examples/README.md", page[1:])[0])

    def test_commands_lose_their_comments(self) -> None:
        self.assertEqual(documents.commands("a b && c   # d && e\nf '#' g\n"), ["a b", "c", "f '#' g"])


if __name__ == "__main__":
    unittest.main()
