"""The prose of the project is plain English: words that readers stumbled over do not come back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
WRITTEN: Final = ("scarf_async", "docs", "tests", "benchmarks", "examples")
WORDS: Final = {
    r"stands?\b(?! (for|out|in for)\b)": "is",
    r"anew\b": "again",
    r"mend(s|ed|ing)?\b": "fix",
    r"whoever\b": "anyone who",
    r"takes? down\b": "record",
    r"took down\b": "recorded",
    r"taken down\b": "recorded",
    r"is no (?<!here is no )(?!(longer|more|less|fewer|such|difference|way|loopback)\b)[a-z]": "is not a",
    r"are no (?<!here are no )(?!(longer|more|less|fewer|such|difference|way|loopback)\b)[a-z]": "are not",
    r"one's own\b": "your own",
    r"gone on with\b": "resumed",
    r"go on (with|from)\b": "continue, resume",
    r"goes on (with|from)\b": "continues, resumes",
    r"gives? back\b": "return",
    r"gave back\b": "returned",
    r"given back\b": "returned",
    r"in the (place of|making)\b": "instead of, replacing",
    r"let go of\b": "release",
    r"takes? hold of\b": "lock, open",
    r"what became of\b": "the outcome of",
    r"what is there\b": "the live organization, what exists",
    r"it is so already\b": "already applied",
    r"proven whole\b": "verified as complete",
    r"lest\b": "so that ... not",
    r"shut out\b": "lose access",
    r"found by looking\b": "recovered after a lost response",
    r"at the most\b": "at most",
    r"under way\b": "in progress",
    r"held against\b": "compared with",
    r"is spoken\b": "is used",
    r"speaks? (v\d|of (?!the moment|a line|nothing))": "uses, mentions",
    r"the seed(?='s| says| lists| names| describes)": "the published description",
    r"all of it blocks\b": "all functions block",
}
"""Each with what to write instead. All begin with a letter: searching for a boundary first would be slow."""
PATTERN: Final = re.compile("|".join(WORDS))


def found(text: str) -> Iterator[tuple[int, str]]:
    """Yield where a word of the list is used, and what to write instead."""
    lower = text.lower()
    for match in PATTERN.finditer(lower):
        if not re.match(r"\w", lower[match.start() - 1 : match.start()]):
            yield match.start(), next(WORDS[word] for word in WORDS if re.compile(word).match(lower, match.start()))


def texts() -> Iterator[Path]:
    """Yield the files that people read, but for this one and the history."""
    yield from ROOT.glob("*.toml")
    yield from (file for file in ROOT.glob("*.md") if file.name != "CHANGELOG.md")
    for folder in WRITTEN:
        yield from (
            file for kind in ("*.py", "*.md") for file in (ROOT / folder).rglob(kind) if file != Path(__file__)
        )


def prose(file: Path) -> str:
    """Return a file, without names of code."""
    return re.sub(
        r"`[^`\n]*`|\bstands\b(?=[:,=.)]| =)|\.stands\b|\bStands(?=\W? ?[=|:,])", "", file.read_text("utf-8")
    )


def test_words() -> None:
    """No word of the list is used; the message says where one is, and what to write instead."""
    wrong = [
        f"{file.relative_to(ROOT)}:{text.count(chr(10), 0, place) + 1}: write {instead!r}"
        for file in texts()
        for text in [prose(file)]
        for place, instead in found(text)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("It is no JSON.", True),
        ("There is no package.", False),
        ("The error stands alone.", True),
        ("It stands for three.", False),
        ("There are no packages.", False),
        ("Of that the most.", False),
        ("Whoever reads it.", True),
        ("What became of it.", True),
        ("Two at the most.", True),
        ("It speaks v2.", True),
        ("The same seed gives the same faults.", False),
    ],
)
def test_the_list(line: str, refused: bool) -> None:
    """It refuses what it should and lets ordinary sentences pass."""
    assert any(found(line)) is refused
