"""The page of an evaluation, read back by an HTML parser."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np

from musenet.evaluation.page import EXCERPTS, page
from tokenizer import read
from tokenizer.score.score import NOTES, Score, Track

MEAN = {"real": 2.25, "interval": (2.125, 2.75)}
SHARED = {"median_longest": 9.0, "percentile_99": 21.0, "longest": 44.0, "mean_covered": 0.125}
PART = {"bits_per_note": 4.5, "interval": (4.0, 5.0), "pieces": 2, "notes": 90_000}
FIGURES: dict[str, Any] = {
    **PART,
    "weights": "<mini>",
    "weights_hash": "0123456789ab",
    "told": "nothing but the meter",
    "per_field": {"wait": 1.5, "pitch": 3.0},
    "per_source": {"A & B": PART, "C": {**PART, "notes": 100_000}},
}
MUSIC = {
    "music": {
        "made": 7,
        "real": 8,
        "statistics": {
            "polyphony": {**MEAN, "ours": 2.5, "inside": True, "distance": 0.1},
            "pitch_range": {**MEAN, "ours": 9.5, "inside": False, "distance": None},
        },
    },
    "originality": {
        "library": 1300,
        "made": SHARED,
        "held_out": {**SHARED, "percentile_99": 31.0},
        "too_close": [{"name": "<b>.mid", "longest": 44, "at_note": 3, "piece": "ave.mid"}],
    },
}
LISTENING = {
    "copy_gain": [
        {
            "bars": 4,
            "music": "disguised",
            "figures": 7,
            "rounds": [3, 8],
            "first": 8.5,
            "later": 2.25,
            "gain": 6.25,
            "gain_interval": [5.5, 7.0],
        }
    ],
    "continuations": {
        "pieces": 5,
        "prompt_bars": 2,
        "bars": 3,
        "similarity": [0.5, 0.25, None],
        "real_similarity": [0.5, 0.75, None],
        "similarity_error": 0.25,
    },
}


class Reader(HTMLParser):
    """Collects table rows, headings and what the page refers to; checks that tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.headings: list[str] = []
        self.links: list[tuple[str | None, str]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        target = found.get("href") or found.get("src")
        if target:
            self.links.append((found.get("download"), target))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag in ("h1", "h2", "h3"):
            self.headings.append("")
        if tag not in ("meta", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        elif self._open and self._open[-1] in ("h1", "h2", "h3"):
            self.headings[-1] += data


def song(pitch: int) -> Score:
    note = np.zeros(1, dtype=NOTES)
    note["duration"], note["pitch"], note["velocity"] = 48, pitch, 80
    return Score(48, (Track("piano", 0, False),), notes=note)


def test_the_page_holds_the_figures_and_nothing_that_was_not_found() -> None:
    found = Reader(page(FIGURES))
    assert found.headings == ["Evaluation of <mini>", "By field", "By source"]
    assert ["wait", "1.500"] in found.rows
    sources = [row for row in found.rows if row[0] in ("A & B", "C")]
    assert sources == [
        ["C", "4.500", "4.00–5.00", "2", "100,000"],
        ["A & B", "4.500", "4.00–5.00", "2", "90,000"],
    ]


def test_generated_music_stands_beside_real_music() -> None:
    found = Reader(page({**FIGURES, **MUSIC}))
    assert ["polyphony", "2.500", "2.250", "2.125–2.750", "yes", "+0.10"] in found.rows
    assert ["pitch range", "9.500", "2.250", "2.125–2.750", "no", ""] in found.rows
    assert ["percentile 99", "21", "31"] in found.rows
    assert ["<b>.mid", "44", "3", "ave.mid"] in found.rows


def test_the_music_can_be_saved_and_nothing_is_fetched() -> None:
    songs = tuple((f"{i}.mid", song(40 + i)) for i in range(EXCERPTS + 2))
    found = Reader(page(FIGURES, songs))
    assert all(target.startswith("data:") for _, target in found.links)
    saved = [(name, target) for name, target in found.links if name]
    assert [name for name, _ in saved] == [f"{i}.mid" for i in range(EXCERPTS)]
    for number, (_, target) in enumerate(saved):
        kind, _, data = target.partition(";base64,")
        assert kind == "data:audio/midi"
        assert read(base64.b64decode(data)).notes["pitch"].tolist() == [40 + number]


def test_listening_is_a_table_and_two_curves() -> None:
    text = page({**FIGURES, "listening": LISTENING})
    found = Reader(text)
    assert ["4, disguised", "7", "3–8", "8.50", "2.25", "6.25", "5.50–7.00"] in found.rows
    assert "Similarity error 0.250" in text
    lines = re.findall(r'points="([^"]*)"', text)
    heights = [[float(point.split(",")[1]) for point in line.split()] for line in lines]
    assert len(lines) == 2
    assert [len(line) for line in heights] == [2, 2]  # where it is known
    assert heights[0][1] > heights[0][0] > heights[1][1]  # 0.25 lies below 0.5, that below 0.75
    text = page({**FIGURES, "listening": {**LISTENING, "continuations": None}})
    assert "Similarity" not in text
