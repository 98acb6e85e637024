"""What no tool of `make lint` holds: prose that a reader sees whole, and one version."""

import re
from pathlib import Path

import pytest

import polyinj

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "CITATION.cff").exists(), reason="tests without their repository")


def test_prose_is_at_most_120_wide():
    """But for tables, which cannot be broken."""
    pages = [
        *ROOT.glob("*.md"),
        *(page for folder in ("docs", "tests", "data") for page in (ROOT / folder).rglob("*.md")),
    ]
    wide = [
        f"{page.relative_to(ROOT)}:{number}"
        for page in pages
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 120 and not line.startswith("|")
    ]
    assert wide == []


def test_the_version_is_the_same_wherever_it_stands():
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited[1] == polyinj.__version__
