from __future__ import annotations

import base64
from html.parser import HTMLParser

from data_prep.report import html
from data_prep.report.html import Html

ODD = '<b>"odd" & name</b>'


class Elements(HTMLParser):
    """Every element with its attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_text_is_escaped_and_html_is_not() -> None:
    parts = (
        html.section(ODD, ODD, Html("<hr>")),
        html.table((ODD, "n"), [(ODD, 1)]),
        html.key_figures([(ODD, ODD)]),
        html.figure(ODD, html.svg(ODD, 10, 10, []), html.legend([("#fff", ODD)])),
        html.png(ODD, b""),
        html.download(ODD, "audio/midi", b""),
    )
    page = Elements(html.page(ODD, ODD, parts))
    assert [tag for tag, _ in page.tags].count("b") == 1  # the value of the key figure
    assert page.texts.count(ODD) == 12
    assert [tag for tag, _ in page.tags].count("hr") == 1
    assert dict(page.tags)["svg"]["aria-label"] == ODD
    assert dict(page.tags)["a"]["download"] == ODD
    assert dict(page.tags)["img"]["alt"] == ODD


def test_numbers_stand_to_the_right_with_commas() -> None:
    rows = [("a", 1_234_567, "x"), ("all", 2, "y")]
    table = html.table(("name", "count", "why"), rows, total=True, text_columns=(0, 2))
    page = Elements(table)
    cells = [attributes.get("class") for tag, attributes in page.tags if tag == "td"]
    assert cells == [None, "n", None] * 2
    assert [attributes.get("class") for tag, attributes in page.tags if tag == "tr"][1:] == [
        None,
        "sum",
    ]
    assert "1,234,567" in page.texts


def test_pictures_and_files_are_inside_the_page() -> None:
    data = bytes(range(256))
    for tag, name, element in (
        ("img", "src", html.png("a picture", data)),
        ("a", "href", html.download("a.mid", "audio/midi", data)),
    ):
        address = dict(Elements(element).tags)[tag][name]
        assert address is not None
        kind, _, content = address.partition(";base64,")
        assert kind == {"img": "data:image/png", "a": "data:audio/midi"}[tag]
        assert base64.b64decode(content) == data
