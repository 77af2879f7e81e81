"""The prose of the project is plain English: words that readers stumbled over do not come back."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
WRITTEN: Final = ("scarf_async", "docs", "tests", "benchmarks", "examples")
WORDS: Final = {
    r"\bstands?\b(?! (for|out|in for)\b)": "is",
    r"\banew\b": "again",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\b[Ww]hoever\b": "anyone who",
    r"\b(take|takes|took|taken) down\b": "record",
    r"(?<!here )\b(is|are) no (?!(longer|more|less|fewer|such|difference|way|loopback)\b)[A-Za-z]": "is not a",
    r"\bone's own\b": "your own",
    r"\bgone on with\b": "resumed",
    r"\bwhat is there\b": "the live organization, what exists",
    r"\bit is so already\b": "already applied",
    r"\bproven whole\b": "verified as complete",
    r"\blest\b": "so that ... not",
    r"\bshut out\b": "lose access",
    r"\bfound by looking\b": "recovered after a lost response",
    r"\bgo(es)? on (with|from)\b": "continues, resumes",
    r"\b(gives?|gave|given) back\b": "return",
    r"\bin the (place of|making)\b": "instead of, replacing",
    r"\b[Ll]et go of\b|\b([Tt]akes?|took) hold of\b": "release, lock",
    r"\b[Ww]hat became of\b": "the outcome of",
    r"\b(at the most|under way)\b": "at most, in progress",
    r"\bheld against\b": "compared with",
    r"\b(is|are) spoken\b|\b[Ss]peaks? (v\d|of (?!the moment|a line|nothing))": "uses, mentions",
    r"\*Seed\*|\b[Tt]he seed(?='s| says| lists| names| describes)": "the published description",
    r"\bAll of it blocks\b": "All functions block",
}
"""Each with what to write instead."""


def texts() -> Iterator[Path]:
    """Yield the files that people read, but for this one and the history."""
    yield from ROOT.glob("*.toml")
    yield from (file for file in ROOT.glob("*.md") if file.name != "CHANGELOG.md")
    for folder in WRITTEN:
        yield from (
            file for kind in ("*.py", "*.md") for file in (ROOT / folder).rglob(kind) if file != Path(__file__)
        )


@functools.cache
def prose() -> list[tuple[Path, str]]:
    """Return the files, without names of code."""
    return [
        (file, re.sub(r"`[^`\n]*`|\bstands\b(?=[:,=.)]| =)|\.stands\b", "", file.read_text("utf-8")))
        for file in texts()
    ]


@pytest.mark.parametrize("word", WORDS)
def test_words(word: str) -> None:
    """A word of the list is not used; the message says where it is, and what to write instead."""
    found = [
        f"{file.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for file, text in prose()
        for match in re.finditer(word, text)
    ]
    assert not found, f"write {WORDS[word]!r}:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("It is no JSON.", True),
        ("There is no package.", False),
        ("The error stands alone.", True),
        ("It stands for three.", False),
        ("Whoever reads it.", True),
        ("What became of it.", True),
        ("Two at the most.", True),
        ("It speaks v2.", True),
        ("The same seed gives the same faults.", False),
    ],
)
def test_the_list(line: str, refused: bool) -> None:
    """It refuses what it should and lets ordinary sentences pass."""
    assert any(re.search(word, line) for word in WORDS) is refused
