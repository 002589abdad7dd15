"""The index of the guides leads to all pages, and so do the navigation and the README."""

import re
from pathlib import Path

import pytest

from tests import ROOT

GUIDES = ROOT / "docs" / "guides"
INDEX = GUIDES / "index.md"
PAGES = {page.resolve() for page in GUIDES.glob("*.md")} - {INDEX}


def linked_from(page: Path) -> set[Path]:
    links = re.findall(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    return {(page.parent / link).resolve() for link in links}


@pytest.mark.parametrize("page", [INDEX, ROOT / "docs" / "index.md"], ids=["guides", "docs"])
def test_every_guide_is_in_the_index(page: Path) -> None:
    assert linked_from(page) >= PAGES


def test_every_page_of_the_first_level_is_in_the_index() -> None:
    others = {page for page in (ROOT / "docs").glob("*.md") if page.name != "index.md"}
    # The format of encrypted records is reached from the page about encryption.
    others.remove(ROOT / "docs" / "encryption-format.md")
    assert linked_from(INDEX) >= others


def test_every_guide_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^ +- (guides/\S+\.md)", navigation, re.MULTILINE)
    assert {ROOT / "docs" / page for page in listed} == PAGES | {INDEX}
