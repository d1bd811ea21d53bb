"""Draw the pictures of docs/daw.md: what is selected in a workstation, and what comes.

    python benchmarks/daw_pictures.py

They are drawings, no screenshots, and go to docs/pictures.
"""

from __future__ import annotations

import random
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
INK, GREY, LINE = "#0f172a", "#475569", "#94a3b8"
OLD, OLD_FILL, NEW, NEW_FILL, CHOSEN = "#1d4ed8", "#eff6ff", "#c2410c", "#fff7ed", "#0f172a"
BAR = 42.0


class Drawing:
    """An SVG picture in the making.

    Args:
        width: in pixels.
        height: in pixels.
        title: read by screen readers.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="Helvetica, Arial, sans-serif">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            '<defs><marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" fill="{GREY}"/></marker>'
            "</defs>",
        ]

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        line: str,
        thick: float = 1,
    ) -> None:
        """A rectangle with round corners."""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4" '
            f'fill="{fill}" stroke="{line}" stroke-width="{thick:g}"/>'
        )

    def text(self, x: float, y: float, words: str, size: float = 12, *, fill: str = INK,
             bold: bool = False) -> None:  # fmt: skip
        """Words from a point on."""
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{fill}"{weight}>'
            f"{escape(words)}</text>"
        )

    def arrow(self, x: float, y: float, length: float) -> None:
        """An arrow to the right."""
        self._parts.append(
            f'<path d="M{x:g} {y:g}h{length:g}" stroke="{GREY}" stroke-width="2" '
            'marker-end="url(#a)" fill="none"/>'
        )

    def notes(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        ink: str,
        seed: int,
        hole: tuple[float, float] = (0, 0),
        take: int = 0,
    ) -> None:
        """A few notes in a box, the same for the same seed; in a hole, those of a take."""
        for n in range(int((width - 6) // 14)):
            new = hole[0] <= 14 * n + 4 < hole[1]
            draw = random.Random(1000 * (seed + 77 * take * new) + n)
            up = y + 5 + draw.randrange(5) * (height - 12) / 4
            self._parts.append(
                f'<rect x="{x + 4 + 14 * n:g}" y="{up:g}" width="{draw.choice((6, 9, 11))}" '
                f'height="3" fill="{NEW if new else ink}"/>'
            )

    def band(self, x: float, y: float, width: float, height: float) -> None:
        """A time selection."""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="#fde68a" '
            'fill-opacity="0.45"/>'
        )

    def item(
        self,
        x: float,
        y: float,
        bars: float,
        seed: int,
        *,
        new: bool = False,
        chosen: bool = False,
        hole: tuple[int, int] = (0, 0),
        take: int = 0,
        height: float = 30,
    ) -> None:
        """An item of some bars; in a hole (its first bar, the first after it) those of a take."""
        ink, fill = (NEW, NEW_FILL) if new else (OLD, OLD_FILL)
        self.box(x, y, bars * BAR, height, fill, CHOSEN if chosen else ink, 2.5 if chosen else 1)
        pixels = hole[0] * BAR, hole[1] * BAR
        self.notes(x, y, bars * BAR, height, ink, seed, pixels, take)

    def save(self, name: str) -> None:
        """Write the picture."""
        (FOLDER / name).write_text("\n".join([*self._parts, "</svg>"]) + "\n", encoding="utf-8")


def reaper() -> None:
    """Three actions of the script, before and after."""
    d = Drawing(980, 560, "What is selected in REAPER, and what the script makes of it")
    left, right = 90.0, 590.0

    def heads(y: float, before: str, after: str) -> None:
        d.text(20, y, before, 13, bold=True)
        d.text(520, y, after, 13, bold=True)

    heads(24, "Fill: an item and a time selection", "its takes, the old one among them")
    for number, name in enumerate(("Bass", "Keys")):
        y = 40 + 38 * number
        d.text(20, y + 19, name, 12, fill=GREY)
        d.item(left, y, 6, 3 + number, chosen=name == "Bass")
    d.band(left + 2 * BAR, 34, 2 * BAR, 80)
    d.text(left, 132, "Keys are heard, and stay as they are", 11, fill=GREY)
    d.arrow(450, 74, 40)
    d.text(520, 59, "Bass", 12, fill=GREY)
    for number, name in enumerate(("played", "MuseNet fill 1  ▶", "MuseNet fill 2")):
        y = 36 + 27 * number
        hole = (2, 4) if number else (0, 0)
        d.item(right, y, 6, 3, hole=hole, take=number, height=24)
        d.text(right + 6 * BAR + 8, y + 16, name, 11, fill=NEW if number else OLD)

    heads(178, "Continue: items", "items behind them, with takes")
    for number, name in enumerate(("Bass", "Keys")):
        y = 194 + 38 * number
        d.text(20, y + 19, name, 12, fill=GREY)
        d.item(left, y, 4, 3 + number, chosen=True)
        d.text(520, y + 19, name, 12, fill=GREY)
        d.item(right, y, 4, 3 + number)
        d.item(right + 4 * BAR + 3, y, 4, 20 + number, new=True)
    d.arrow(450, 228, 40)
    d.text(right + 4 * BAR + 3, 286, "4 takes each; the first plays", 11, fill=NEW)

    heads(332, "Accompany: items", "parts on new tracks")
    d.text(20, 367, "Lead", 12, fill=GREY)
    d.item(left, 348, 8, 9, chosen=True)
    d.arrow(450, 372, 40)
    for number, name in enumerate(("Lead", "Drums", "Bass", "Piano")):
        y = 348 + 38 * number
        d.text(520, y + 19, name, 12, fill=GREY)
        d.item(right, y, 8, 9 if not number else 40 + number, new=number > 0)
    d.box(20, 520, 22, 16, OLD_FILL, CHOSEN, 2.5)
    d.text(50, 533, "selected", 11, fill=GREY)
    d.box(130, 520, 22, 16, NEW_FILL, NEW)
    d.text(160, 533, "new; one undo takes all of it back", 11, fill=GREY)
    d.band(400, 520, 22, 16)
    d.text(430, 533, "time selection", 11, fill=GREY)
    d.save("daw-reaper.svg")


def ableton() -> None:
    """A scene of Live before and after four takes."""
    d = Drawing(980, 330, "Where takes go in Ableton Live's session view")
    wide, tall = 112.0, 34.0

    def grid(x: float, names: list[str], clips: dict[tuple[int, int], tuple[str, bool]]) -> None:
        for column, name in enumerate(names):
            d.box(x + column * wide, 44, wide - 6, 26, "#e2e8f0", LINE)
            d.text(x + column * wide + 8, 61, name, 12, bold=True)
            for row in range(5):
                y = 78 + row * (tall + 6)
                words, new = clips.get((column, row), ("", False))
                ink, fill = (NEW, NEW_FILL) if new else (OLD, OLD_FILL)
                thick = 2.5 if (column, row) == (0, 0) and x < 100 else 1.0
                line = CHOSEN if thick > 1 else ink if words else "#cbd5e1"
                d.box(
                    x + column * wide, y, wide - 6, tall, fill if words else "#f8fafc", line, thick
                )
                if words:
                    d.text(x + column * wide + 8, y + 21, f"▶ {words}", 12, fill=ink)
        for row in range(5):
            d.text(
                x + len(names) * wide + 4, 99 + row * (tall + 6), f"scene {row + 1}", 11, fill=GREY
            )

    before = {(0, 0): ("Groove", False), (1, 0): ("Chords", False), (0, 2): ("Break", False)}
    d.text(20, 28, "A clip is selected", 13, bold=True)
    grid(20, ["Bass", "Keys"], before)
    d.arrow(330, 150, 50)
    d.text(420, 28, "continue --variations 3, and accompany --instruments strings", 13, bold=True)
    after = {
        **before,
        **{(0, row): (f"Groove {n}", True) for n, row in enumerate((1, 3, 4), 1)},
        (2, 0): ("Groove 1", True),
    }
    grid(420, ["Bass", "Keys", "Strings"], after)
    d.text(
        20,
        306,
        "What is there stays; takes go to the next scenes whose slots are free.",
        11,
        fill=GREY,
    )
    d.save("daw-ableton.svg")


def watched_folder() -> None:
    """The way of a file through a watched folder."""
    d = Drawing(980, 106, "The way of a file through a watched folder")
    steps = [
        ("your workstation", "export as MIDI", OLD_FILL, OLD),
        ("export/", "song.mid", "#f8fafc", LINE),
        ("musenet watch", "continue, fill, accompany", NEW_FILL, NEW),
        ("takes/", "song-1.mid … song-4.mid", "#f8fafc", LINE),
        ("your workstation", "drag it in", OLD_FILL, OLD),
    ]
    for number, (name, words, fill, line) in enumerate(steps):
        x = 20 + number * 192
        d.box(x, 20, 152, 66, fill, line)
        d.text(x + 10, 48, name, 13, bold=True)
        d.text(x + 10, 70, words, 11, fill=GREY)
        if number:
            d.arrow(x - 36, 53, 30)
    d.save("daw-watch.svg")


def main() -> None:
    """Draw all pictures."""
    reaper()
    ableton()
    watched_folder()


if __name__ == "__main__":
    main()
