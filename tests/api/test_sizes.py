# SPDX-License-Identifier: Apache-2.0
"""Limits on what becomes hard to follow when it grows: the lines of a test file, the flags of a class."""

import re
import tempfile
import unittest
from pathlib import Path
from typing import Iterator

TOP = Path(__file__).resolve().parents[2]
MOST_LINES = 600  # of a test file
MOST_FLAGS = 5    # bool members of a class; three that decide together are an enum with a table

COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^(]*)\(.*?\)\1"|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)\'', re.DOTALL)
PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
CLASS = re.compile(r"(?<!\benum )\b(?:class|struct|union)\b[^;()=]*?\b([A-Z]\w*)(?:\s+final)?(?:\s*:(?!:)[^;{]*)?\s*$")
BOOL = re.compile(r"^(?:mutable\s+|const\s+)*(?:bool|std::atomic<bool>|std::atomic_bool)\s+(\w.*)$", re.DOTALL)


def flags_of(statement: str) -> list[str]:
    """Returns the names that a statement of a class declares as bool members."""
    statement = re.sub(r"^(?:\s*(?:public|private|protected)\s*:)*\s*", "", statement).strip()
    found = BOOL.match(statement)
    if found is None or re.match(r"\w+\s*\(", found[1]):  # of another type, or a function
        return []
    declared = re.sub(r"\([^()]*\)|\{[^{}]*\}", "", found[1])
    return [re.match(r"\w+", name.strip())[0] for name in declared.split(",")]


def classes(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yields each class with its bool members. Nested classes are separate."""
    text = PREPROCESSOR.sub("", COMMENT_OR_TEXT.sub(lambda found: " " if found[0].startswith("/") else '""', text))
    blocks: list[tuple[str, list[str], str]] = []  # name ("" = no class), flags, the text before it
    name, flags, statement = "", [], ""
    for c in text:
        if c == "{":
            of_class = CLASS.search(statement)
            blocks.append((name, flags, statement))
            name, flags, statement = (of_class[1] if of_class else ""), [], ""
        elif c == "}":
            if name:
                yield name, flags
            if not blocks:
                return  # not C++ that this parser knows
            was_class = bool(name)
            name, flags, before = blocks.pop()
            is_body = was_class or re.search(r"\)\s*(const|noexcept|override|final|\s|:.*)*$", before, re.DOTALL)
            statement = "" if is_body else before + "{}"
        elif c == ";":
            if name:
                flags += flags_of(statement)
            statement = ""
        else:
            statement += c


def larger_classes(top: Path) -> dict[str, list[str]]:
    """Returns the classes with too many bool members, by file and name."""
    return {f"{path.relative_to(top)}: {name}": members for folder in ("libportsync", "portsyncd")
            for path in sorted((top / folder).rglob("*.[ch]pp")) for name, members in classes(path.read_text())
            if len(members) > MOST_FLAGS}


class Sizes(unittest.TestCase):
    def test_no_test_file_is_too_long(self) -> None:
        lines = {str(path.relative_to(TOP)): len(path.read_text().splitlines())
                 for path in sorted((TOP / "tests").rglob("*")) if path.suffix in (".cpp", ".hpp", ".py", ".sh")}
        longer = {path for path, count in lines.items() if count > MOST_LINES}
        self.assertEqual(longer, set(), f"split files with more than {MOST_LINES} lines")

    def test_no_class_has_too_many_flags(self) -> None:
        self.assertEqual(larger_classes(TOP), {}, f"more than {MOST_FLAGS} bool members: draw the state machine")


class ThisTest(unittest.TestCase):
    def check(self, text: str, wanted: dict[str, list[str]]) -> None:
        self.assertEqual(dict(classes(text)), wanted)

    def test_members_of_every_shape_are_counted(self) -> None:
        self.check("class A final : public B<bool> {\n  bool a_ = false;  // bool no;\n  bool b_{f(1, 2)}, c_ = g(x), d_;\n"
                   "  mutable bool e_;\n  const bool f_ = true;\n  std::atomic<bool> g_;\n  bool h_ : 1;\n};",
                   {"A": ["a_", "b_", "c_", "d_", "e_", "f_", "g_", "h_"]})

    def test_functions_types_and_constants_are_not(self) -> None:
        self.check("struct A {\n  bool f() const;\n  [[nodiscard]] bool g(bool x) noexcept { bool local = x; return local; }\n"
                   "  static constexpr bool h = true;\n  std::function<bool()> i;\n  using Bool = bool;\n  int boolean = 0;\n"
                   "  explicit operator bool() const;\n  bool (*pointer)(int);\n  bool k() { return true; }\n  bool l = false;\n};",
                   {"A": ["l"]})

    def test_nested_classes_have_their_own(self) -> None:
        self.check('class A {\n public:\n  struct B {\n    bool b = false;\n  };\n  enum class C : std::uint8_t { c };\n'
                   '  A() : a_(true) { if (a_) {} }\n  std::string s_ = "bool x; }";\n\n private:\n  bool a_;\n};',
                   {"B": ["b"], "A": ["a_"]})

    def test_attributes_macros_and_templates_before_the_name(self) -> None:
        self.check("template <typename T>\nclass PORTSYNC_API A : public Base {\n  bool a_;\n};\nclass Forward;\nbool global;",
                   {"A": ["a_"]})
        self.check("struct A::B {\n  bool b;\n};", {"B": ["b"]})

    def test_a_sixth_flag_is_found(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "portsyncd/base/planted.hpp")
            path.parent.mkdir(parents=True)
            members = [f"f{i}_" for i in range(MOST_FLAGS + 1)]
            path.write_text("class Planted {\n" + "".join(f"  bool {name} = false;\n" for name in members[1:]) + "};\n")
            self.assertEqual(larger_classes(Path(folder)), {})
            path.write_text("class Planted {\n" + "".join(f"  bool {name} = false;\n" for name in members) + "};\n")
            self.assertEqual(larger_classes(Path(folder)), {"portsyncd/base/planted.hpp: Planted": members})


if __name__ == "__main__":
    unittest.main()
