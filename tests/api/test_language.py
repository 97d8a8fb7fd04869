# SPDX-License-Identifier: Apache-2.0
"""
The rules of "How we write" (CONTRIBUTING.md) that a program can check: words and forms at which a reader stumbles.

Checks the comments and docstrings of every source, the documents, the messages of the product, and names.
"""

import ast
import io
import re
import subprocess
import tokenize
import unittest
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
CPP = (".hpp", ".cpp")
HASH = (".sh", ".build", ".conf", ".service", ".toml", ".yml", ".py", ".map", ".in")  # comments begin with '#'
PROSE = (".md", ".scd", ".dox")
PEOPLE = ("engineer", "maintainer", "operator", "person", "reader", "reviewer", "someone", "user", "users", "people")

# What each form stands for, the form, and a sentence with it. These are words, because a program does not understand
# sentences.
FORMS = {
    "only people tell; a program logs, reports, notifies, publishes, replies or returns":
        (r"\b(?:tell|tells|told|telling)\b", "Health is told of it."),
    "a program is 'it', not 'who'":
        (rf"(?<!['\w-]){''.join(f'(?<!{word} )' for word in PEOPLE)}[Ww]ho(?:ever|m)?\b", "A list for who asks often."),
    "a program is 'it', not 'he'": (r"\b(?:he|him|his|himself|she|herself)\b", "A server answers when he is asked."),
    "name the actor: which program, user or process?":
        (r"\b(?:[Ss]ome|[Ee]very|[Aa]ny|[Nn]o)body\b", "Somebody holds the lock."),
    "the subject comes first: no sentence begins with 'Of'":
        (r"(?:^|[.:;!?] )Of (?!course)\w+", "Done. Of two that start together one ends."),
    "the subject comes first: only a question begins with 'What'":
        (r"(?:^|[.!?] )What [^.?!]*?\b(?:is|are|was|were|has|have|may|must|cannot|can|does)\b[^.?!]*\.(?:\s|$)",
         "Done. What cannot be read is ignored."),
    "'most' or 'many' with a plural, not 'many a'": (r"\b[Mm]any an? ", "Many a datagram is small."),
    "an error is fixed, not mended": (r"\bcannot (?:be )?mend(?:ed)?\b", "An error that trying again cannot mend."),
    "a word for decoration": (r"\b(?:[Jj]ust|[Ss]imply|[Oo]f course|as it were)\b", "It simply works."),
}
LONGEST = 40  # words of a sentence, or of its part up to a colon or a semicolon, without parentheses; the aim is 25
NAME = (r"(?:\b|_)(?:tell|tells|told|telling|somebody|everybody|everybodys|whoever|mended)(?:\b|_)"
        r"|[a-z](?:Tell|Told)|_nobody|nobody_")


def python_prose(text: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (docstring := ast.get_docstring(node)):
            for paragraph in docstring.split("\n\n"):
                yield node.body[0].lineno, " ".join(paragraph.split())
    comments = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT]
    yield from comment_prose([(token.start[0], token.string.lstrip("#!"), token.line.lstrip().startswith("#"))
                              for token in comments])


def cpp_prose(text: str) -> Iterator[tuple[int, str]]:
    comments = []
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.search(r"//+(.*)", re.sub(r'"(?:\\.|[^"\\])*"', lambda m: "_" * len(m[0]), line)):
            comments.append((number, line[found.start(1):], line.lstrip().startswith("//")))
    yield from comment_prose(comments)


def hash_prose(text: str) -> Iterator[tuple[int, str]]:
    lines = enumerate(text.splitlines(), 1)
    yield from comment_prose([(number, found[1], line.lstrip().startswith("#")) for number, line in lines
                              if (found := re.search(r"(?:^|\s)#+( .*)", line))])


def comment_prose(comments: list[tuple[int, str, bool]]) -> Iterator[tuple[int, str]]:
    """
    Joins comments that have lines of their own. A comment behind code stands alone, an indented line that is no item of a
    list is code, and the licence is no prose.
    """
    whole: list[tuple[int, str]] = []
    for number, words, has_line in comments:
        if re.match(r"\s{2,}[^-\s]", words) or "SPDX-" in words:
            continue
        if has_line:
            whole.append((number, words))
        else:
            yield number, words.strip()
    yield from blocks(whole)


def document_prose(text: str) -> Iterator[tuple[int, str]]:
    """Leaves out code blocks, and the table of sentences before and after in CONTRIBUTING.md."""
    text = re.sub(r"^\| before \| after \|\n(?:\|.*\n)+", lambda m: "\n" * m[0].count("\n"), text, flags=re.MULTILINE)
    lines: list[tuple[int, str]] = []
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith("    ") and line.strip():
            if re.match(r"\s*(?:[-*|#]|\d+\.) ?", line):
                yield from blocks(lines)
                lines = []
            lines.append((number, line.strip().lstrip("-|# ")))
    yield from blocks(lines)


def blocks(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Joins adjacent lines. Yields each block with the number of its first line."""
    block: list[str] = []
    began = 0
    for number, words in [*lines, (0, "")]:
        if block and (number != began + len(block) or not words.strip()):
            yield began, " ".join(block)
            block = []
        if words.strip():
            began = began if block else number
            block.append(words.strip())


def messages(text: str) -> Iterator[tuple[int, str]]:
    """The string literals of C++, which in the product are log lines, errors and help."""
    for number, line in enumerate(text.splitlines(), 1):
        for found in re.finditer(r'"((?:\\.|[^"\\])*)"', re.sub(r"^\s*(?://|#include).*", "", line)):
            yield number, found[1]


def names(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        code = re.sub(r'"(?:\\.|[^"\\])*"|(?://|#).*', "", line)
        for name in re.findall(r"\b[A-Za-z_]\w+", code):
            if re.search(NAME, name):
                yield number, name


def unquoted(sentence: str) -> str:
    """Removes quotations: the words of others, and code."""
    return re.sub(r'"[^"]*"|`[^`]*`|“[^”]*”|\*[^*]+\*|_[A-Za-z]+_', "…", sentence)


def wrong_forms(sentence: str) -> Iterator[str]:
    words = unquoted(sentence)
    for part in re.split(r"(?<=[.:;!?]) ", re.sub(r"\([^()]*\)", "", words)):
        if (count := len(part.split())) > LONGEST:
            yield f"{part[:60]}… ({count} words: split the sentence)"
    for rule, (form, _) in FORMS.items():
        if found := re.search(form, words):
            yield f"…{words[max(0, found.start() - 30):found.end() + 40]}… ({rule})"


def prose(path: Path, text: str) -> Iterator[tuple[int, str]]:
    if path.suffix == ".py":
        yield from python_prose(text)
    elif path.suffix in CPP:
        yield from cpp_prose(text)
        if path.parts[:2] == ("libportsync", "src") or path.parts[0] == "portsyncd":
            yield from messages(text)
    elif path.suffix in HASH:
        yield from hash_prose(text)
    elif path.suffix in PROSE:
        yield from document_prose(text)


def faults(path: Path, text: str) -> list[str]:
    found = [f"{path}:{line}: {fault}" for line, sentence in prose(path, text) for fault in wrong_forms(sentence)]
    if path.suffix in (*CPP, ".py"):
        found += [f"{path}:{line}: {name}: a name says what is done: log, report, notify, publish, reply, return"
                  for line, name in names(text)]
    return found


def files() -> list[Path]:
    listed = subprocess.run(["git", "-C", TOP, "ls-files"], check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in listed.splitlines() if (TOP / name).is_file() and "/corpus/" not in name
            and Path(name).name != Path(__file__).name]


class Language(unittest.TestCase):
    def test_no_sentence_and_no_name_has_a_form_that_makes_a_reader_stumble(self) -> None:
        if not (TOP / ".git").exists():
            self.skipTest("only in a checkout")
        self.assertEqual([fault for path in files() if path.suffix in (*CPP, *HASH, *PROSE)
                          for fault in faults(path, (TOP / path).read_text())], [])

    def test_each_form_is_found(self) -> None:
        for rule, (_, sentence) in FORMS.items():
            with self.subTest(sentence):
                self.assertIn(f"({rule})", " ".join(wrong_forms(sentence)))

    def test_a_long_sentence_is_found(self) -> None:
        self.assertEqual(len(list(wrong_forms("a row " * 21))), 1)
        self.assertEqual(len(list(wrong_forms("a row " * 19 + "row (with a remark): " + "a row " * 20))), 0)

    def test_each_kind_of_text_is_read(self) -> None:
        planted = "many a link"
        for name, text in (("a.py", f'def f():\n    """{planted}"""\n'), ("a.py", f"x = 1  # {planted}\n"),
                           ("a.cpp", f"// one\n// {planted}\n"), ("a.cpp", "// many a\n// link\n"), ("a.hpp", f"int a;  // {planted}\n"),
                           ("portsyncd/a.cpp", f'log("{planted}");\n'), ("a.sh", f"x=1 # {planted}\n"),
                           ("a.md", f"A list:\n- one of {planted}\n"), ("a.md", f"| a | {planted} |\n"),
                           ("a.scd", f"*a*\n\t{planted}\n"), ("a.py", "def is_told(): pass\n"),
                           ("a.cpp", "void tell_all();\n"), ("a.hpp", "struct SignalsTold {};\n")):
            with self.subTest(text):
                self.assertEqual(len(faults(Path(name), text)), 1)

    def test_good_text_has_no_fault(self) -> None:
        for name, text in (("a.cpp", "// Returns what was stored. What is a port? The row of the port.\n"),
                           ("a.cpp", '// Redis replied "who is there".\nrequire(ok, "many a row");\n'),
                           ("a.cpp", "// Another user who may read it.\n"),
                           ("a.md", "```\nmany a line of code\n```\n"), ("a.md", "See `tell()`.\n"),
                           ("a.md", "| before | after |\n| --- | --- |\n| many a row | most rows |\n"),
                           ("a.py", 'x = "just"\n'), ("a.hpp", "int stellar;\n")):
            with self.subTest(text):
                self.assertEqual(faults(Path(name), text), [])
