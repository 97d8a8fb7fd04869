# SPDX-License-Identifier: Apache-2.0
"""Prometheus' text format, parsed strictly, and the names that its expressions use."""

import re
from dataclasses import dataclass, field
from typing import Optional

Labels = frozenset[tuple[str, str]]

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)')
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


@dataclass
class Page:
    """The contents of a page of metrics. Raises ValueError if it is not valid."""

    text: str
    types: dict[str, str] = field(default_factory=dict)
    helps: dict[str, str] = field(default_factory=dict)
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.text.endswith("\n"):
            raise ValueError("the page is cut off")
        for line in self.text.splitlines():
            if line.startswith("# "):
                kind, name, rest = line[2:].split(" ", 2)
                about = {"HELP": self.helps, "TYPE": self.types}[kind]
                if name in about:
                    raise ValueError(f"two {kind} of {name}")
                about[name] = rest
            else:
                self._add(line)

    def _add(self, line: str) -> None:
        found = _SAMPLE.match(line)
        if found is None:
            raise ValueError(f"no sample: {line!r}")
        name, labels, value = found.groups()
        pairs, at = set(), 0
        while at < len(labels or ""):
            label = _LABEL.match(labels, at)
            if label is None:
                raise ValueError(f"no labels: {line!r}")
            pairs.add((label[1], label[2]))
            at = label.end()
        key = (name, frozenset(pairs))
        if key in self.samples:
            raise ValueError(f"twice: {line!r}")
        if self.family(name) not in self.types:
            raise ValueError(f"no TYPE: {line!r}")
        self.samples[key] = float(value)

    def family(self, name: str) -> str:
        """Returns the metric that a sample of this name belongs to."""
        for family, kind in self.types.items():
            if name in [family + suffix for suffix in _SUFFIXES.get(kind, ("",))]:
                return family
        return ""

    def value(self, name: str, **labels: str) -> float:
        return self.samples[(name, frozenset(labels.items()))]

    def find(self, name: str, **labels: str) -> Optional[float]:
        return self.samples.get((name, frozenset(labels.items())))

    def series(self, name: str) -> dict[str, float]:
        """Returns the samples by the value of their only label."""
        return {next(iter(labels))[1]: value for (found, labels), value in self.samples.items() if found == name}

    def labels(self, name: str) -> set[str]:
        """Returns the names of the labels that the samples of a metric have."""
        return {label for (found, labels) in self.samples if self.family(found) == name for label, _ in labels}


# The words of our expressions that are neither a metric nor a label.
_WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "bool", "offset"}


def names_used(expression: str) -> tuple[set[str], set[str]]:
    """Returns the metrics and the labels in a PromQL expression."""
    labels: set[str] = set()

    def braces(found: re.Match[str]) -> str:
        labels.update(re.findall(rf"({_NAME})\s*(?:=~|!~|!=|=)", found[1]))
        return " "

    def grouping(found: re.Match[str]) -> str:
        labels.update(re.findall(_NAME, found[1]))
        return " "

    rest = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    rest = re.sub(r"\{([^{}]*)\}", braces, rest)
    rest = re.sub(r"\b(?:by|without|on|ignoring)\s*\(([^()]*)\)", grouping, rest)
    rest = re.sub(r"\[[^\]]*\]", " ", rest)
    metrics = {name for name in re.findall(rf"(?<![\w.]){_NAME}\b(?!\s*\()", rest) if name not in _WORDS}
    return metrics, labels
