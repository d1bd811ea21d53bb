from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from data_prep.report.page import page

MakeDataset = Callable[..., Path]


class _Page(HTMLParser):
    """Checks that tags close in order and gathers the text."""

    void = frozenset({"meta", "br", "rect", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_says_what_the_report_says(
    corpus: Path, tmp_path: Path, make_dataset: MakeDataset
) -> None:
    (corpus / "a" / "<odd & name>.mid").write_bytes(b"no midi")
    out = make_dataset(corpus, tmp_path / "d")
    text = (out / "report.html").read_text(encoding="utf-8")
    assert text == page(json.loads((out / "report.json").read_text()), "What is in this dataset")
    parser = _Page()
    parser.feed(text)
    assert parser.open == []
    for said in (
        "23 of 25 files are in this dataset (92.0%)",
        "corpus/a/<odd & name>.mid",
        "Johann Sebastian Bach",
        "Violin",
        "4/4",
        "CC0",
        "too few notes",
    ):
        assert said in parser.text
    assert "http" not in text.replace("http-equiv", "")  # it needs nothing from elsewhere
