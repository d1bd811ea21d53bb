from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tokenizer.notation.percussion import DRUM_KEYS, drum, key_at, make_pitched

PART = """<score-partwise><part-list><score-part id="P1"><part-name>Kit</part-name>{own}
</score-part></part-list><part id="P1"><measure number="1"><note><unpitched>
<display-step>{step}</display-step><display-octave>{octave}</display-octave></unpitched>
<duration>1</duration>{instrument}{head}</note></measure></part></score-partwise>"""


def keys_of(root: ElementTree.Element) -> list[str]:
    return [
        f"{p.findtext('step')}{p.findtext('alter') or ''}{p.findtext('octave')}"
        for p in root.iter("pitch")
    ]


def made_pitched(**words: str) -> tuple[bool, list[str]]:
    given = {"own": "", "instrument": "", "head": "", "step": "C", "octave": "5"} | words
    root = ElementTree.fromstring(PART.format(**given))
    (part,), (score_part,) = root.findall("part"), list(root.iter("score-part"))
    return make_pitched(score_part, part), keys_of(root)


def test_drums_are_told_by_their_instrument() -> None:
    own = (
        '<score-instrument id="I1"><instrument-name>Kick</instrument-name></score-instrument>'
        '<midi-instrument id="I1"><midi-channel>10</midi-channel>'
        "<midi-unpitched>37</midi-unpitched></midi-instrument>"
    )
    assert made_pitched(own=own, instrument='<instrument id="I1"/>') == (True, ["C2"])  # key 36


@pytest.mark.parametrize(
    ("step", "octave", "head", "key"),
    [("F", 4, "normal", 35), ("C", 5, "normal", 38), ("G", 5, "x", 42), ("C", 5, "x", 37)],
)
def test_drums_without_instrument_are_told_by_place_and_head(
    step: str, octave: int, head: str, key: int
) -> None:
    assert key_at(step, octave, head) == key
    drums, found = made_pitched(step=step, octave=str(octave), head=f"<notehead>{head}</notehead>")
    assert drums
    assert len(found) == 1


def test_every_key_has_a_drum_with_a_name_of_its_own() -> None:
    assert len({drum(key).name for key in DRUM_KEYS}) == len(DRUM_KEYS)
