from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from samebody.lab.train.curves import curves_page
from samebody.lab.train.metrics import read_metrics
from samebody.lab.train.run import read_record, train
from tests.lab.train.toy import recipe


class Elements(HTMLParser):
    """Counts elements and notes what is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_from_outside(tmp_path: Path) -> None:
    train(recipe(id="toy-run"), tmp_path / "run", cache=tmp_path)
    page = (tmp_path / "run" / "curves.html").read_text()
    elements = Elements()
    elements.feed(page)
    assert elements.open == []
    assert elements.seen.count("svg") >= 5 and "script" not in elements.seen
    assert not re.search(r"(src|href)=|url\(|https?:", page)
    assert 'http-equiv="refresh"' not in page and "toy-run" in page


def test_a_live_page_reloads_and_every_point_is_drawn(tmp_path: Path) -> None:
    train(recipe(), tmp_path / "run", cache=tmp_path)
    lines = read_metrics(tmp_path / "run")
    page = curves_page(recipe(), read_record(tmp_path / "run"), lines, live=True)
    assert 'http-equiv="refresh"' in page
    loss = re.search(r'aria-label="loss \(train\)">.*?points="([^"]+)"', page)
    assert loss is not None and len(loss[1].split()) == 30


def test_text_of_the_recipe_is_escaped_and_an_empty_run_has_a_page(tmp_path: Path) -> None:
    record = {
        "data": {"train": 1, "held": 1},
        "parameters": 1,
        "recipe_digest": "d",
        "recipe_text": "<script>alert(1)</script>",
        "environment": {"device": "<b>"},
    }
    page = curves_page(recipe(), record, [])
    assert "<script>" not in page and "&lt;script&gt;" in page and "nothing yet" in page
