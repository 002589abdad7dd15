"""Hooks of mkdocs: the decisions in the navigation, without a list of them to keep by hand."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig

DECISIONS = "decisions/"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every decision into the navigation, in the order of its number."""
    numbered = sorted(page.name for page in Path(config.docs_dir, DECISIONS).glob("[0-9]*.md"))
    listed = [DECISIONS + page for page in ("README.md", *numbered)]
    config.nav = [
        {"Decisions": listed} if entry == {"Decisions": DECISIONS} else entry
        for entry in config.nav or []
    ]
    return config
