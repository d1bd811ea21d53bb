"""A person's words mean the options that they should; the field's names are the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import pytest

from musenet.options.fill_keywords import AccompanyKeywords, FillKeywords
from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.generate_options import GenerateOptions
from musenet.options.keywords import Keywords
from musenet.options.knob import knobs
from musenet.options.parse import Place
from musenet.options.timeline import Change
from musenet.sampling.filters import FieldFilter
from tokenizer import records
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError
from tokenizer.theory import Key

WORDS: dict[str, tuple[Any, Any]] = {
    "bars": (8, 8),
    "ending": (True, True),
    "begin": (5, Place(bar=5)),
    "then": ("bar 9: tempo 80", (Change(9, tempo=80.0),)),
    "stop": ("1:05", Place(seconds=65)),
    "composer": ("Bach, Johann Sebastian", "bach"),
    "styles": ("baroque, Jazz", ("baroque", "jazz")),
    "instruments": (("piano", 42, "drums"), (0, 42, 128)),
    "only_instruments": ("violin,cello", (40, 42)),
    "hear_as": ("Keys=electric piano, 2=drums", {"Keys": 4, "2": 128}),
    "new_instruments": (True, True),
    "tempo": (96.0, 96.0),
    "meter": ((3, 4), (3, 4)),
    "key": ("F# minor", Key(3, True)),
    "guidance": (1.5, 1.5),
    "chords": ("C | Am / G7 | %", "C | Am / G7 | %"),
    "keep_chords": (True, True),
    "chord_guidance": (1.5, 1.5),
    "instrument_balance": (0.0, 0.0),
    "entrance": (0.5, 0.5),
    "find_beats": (False, False),
    "pedal": (False, False),
    "style_penalty": (0.5, 0.5),
    "loop_penalty": (1.0, 1.0),
    "overlap": (0.25, 0.25),
    "polyphony": (4, 4),
    "density": (6, 6),
    "unisons": (False, False),
    "scale": ("D dorian", (0, 2, 4, 5, 7, 9, 11)),
    "temperature": (0.9, 0.9),
    "top_k": (5, 5),
    "top_p": ("duration=0.8", {"duration": 0.8}),
    "min_p": ({"pitch": 0.1}, {"pitch": 0.1}),
    "seed": (7, 7),
    "seed_alone": (True, True),
    "variations": (3, (1, 2, 3)),
    "engine": ("eager", "eager"),
}
LENGTH = {"length": ("3:30", 210.0), "form": ("A:8, B A", "A:8 B A"), "distance": (0.5, 0.5)}
RICH = GenerateOptions.from_keywords(
    **{name: given for name, (given, _) in WORDS.items() if name != "keep_chords"}
)


@pytest.mark.parametrize("keyword", WORDS)
def test_a_keyword_sets_its_option_and_no_other(keyword: str) -> None:
    given, meant = WORDS[keyword]
    options = GenerateOptions.from_keywords(**{keyword: given})
    changed = {k: v for k, v in vars(options).items() if v != getattr(GenerateOptions(), k)}
    assert changed == {keyword: meant}


def test_every_keyword_is_tried_above_and_told_on_the_page() -> None:
    assert {*WORDS, *LENGTH} == set(knobs(GenerateOptions))
    page = (Path(__file__).parents[3] / "docs" / "generation.md").read_text(encoding="utf-8")
    assert [name for name in knobs(GenerateOptions) if f"`{name}`" not in page] == []


def keywords(kind: type[Any]) -> dict[str, Any]:
    """The type of each keyword: that of the field, and what its knob accepts besides."""
    return {
        name: own if knob.accepts is None else own | knob.accepts
        for name, (own, knob) in knobs(kind).items()
    }


def test_editors_know_the_keywords_and_their_types() -> None:
    assert get_type_hints(Keywords) == keywords(GenerateOptions)
    assert get_type_hints(FillKeywords) == keywords(FillOptions)
    assert get_type_hints(AccompanyKeywords) == keywords(AccompanyOptions)


def test_nothing_asked_for_is_the_default() -> None:
    nothing: dict[str, Any] = dict.fromkeys(knobs(GenerateOptions))
    assert GenerateOptions.from_keywords(**nothing) == GenerateOptions()


def test_a_length_takes_the_place_of_bars() -> None:
    for length in ("3:30", 210, 210.0):
        options = GenerateOptions.from_keywords(length=length)
        assert (options.bars, options.length) == (None, 210)
    assert GenerateOptions().bars == 16
    with pytest.raises(InputError, match="exclude each other"):
        GenerateOptions(length=60.0, bars=4)


def test_the_same_in_other_words() -> None:
    options = GenerateOptions.from_keywords
    assert options(meter="6/8") == options(meter=(6, 8))
    assert options(key="D") == options(key=Key(2, False))
    assert options(instruments="violin") == options(instruments=40)
    assert options(variations=(4, 2)).variations == (4, 2)
    assert options(stop=5) == options(stop="5") == options(stop=Place(bar=5))
    assert options(top_k="5") == options(top_k="1,2,5") == options(top_k=dict.fromkeys(FIELDS, 5))


def test_an_unknown_keyword_names_the_nearest() -> None:
    with pytest.raises(TypeError, match="did you mean 'instruments'"):
        GenerateOptions.from_keywords(instrument="piano")  # type: ignore[call-arg]
    with pytest.raises(InputError, match="did you mean 'violin'"):
        GenerateOptions.from_keywords(instruments=["violn"])
    with pytest.raises(InputError, match="time signature"):
        GenerateOptions.from_keywords(meter=(3,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"bars": 0}, "bars 0 is outside 1 to 10,000"),
        ({"length": 60.0, "bars": 3}, "exclude each other"),
        ({"chords": "C", "keep_chords": True}, "--chords and --keep-chords exclude each other"),
        ({"guidance": 11.0}, "guidance 11 is outside 0 to 10"),
        ({"length": 0.1}, r"length 0\.1 is outside 1 to 36,000 seconds"),
        ({"tempo": 1000.0}, "tempo 1000 is outside 10 to 400 quarter notes per minute"),
        ({"instrument_balance": 2.5}, r"instrument balance 2\.5 is outside 0 to 2"),
        ({"style_penalty": -1.0}, "style penalty -1 is outside 0 to 2"),
        ({"loop_penalty": 0.5}, r"loop penalty 0\.5 is outside 1 to 100"),
        ({"polyphony": 0}, "polyphony 0 is outside 1 to 128"),
        ({"overlap": 1.0}, r"overlap 1 is outside 0\.1 to 0\.9"),
        ({"seed": -1}, "seed -1"),
        ({"temperature": float("nan")}, "outside 0 to 10"),
        ({"temperature": {"pitch": -1.0}}, "outside 0 to 10"),
        ({"top_p": 1.5}, "above 0 and at most 1"),
        ({"variations": ()}, "1 to 64"),
        ({"variations": (0,)}, "no variation 0; they are numbered from 1"),
        ({"scale": ()}, "the scale has no note"),
    ],
)
def test_options_that_cannot_be(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        GenerateOptions(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [GenerateOptions(), RICH, GenerateOptions(length=200.5)])
def test_options_survive_as_json(options: GenerateOptions) -> None:
    for each in (options, options.completed(fresh=True), options.completed(fresh=False)):
        again = records.from_json(GenerateOptions, records.to_json(each), "the options")
        assert again == each
        assert [type(how.top_k) for how in again.sampling(fresh=True)] == [int] * 5


def test_a_new_piece_is_drawn_in_another_way() -> None:
    options = GenerateOptions.from_keywords(top_p="wait=0.5", temperature="pitch=0.5")
    assert [how.top_p for how in options.sampling(fresh=False)] == [0.5, 0.98, 0.95, 0.96, 0.96]
    assert [how.top_p for how in options.sampling(fresh=True)] == [0.5, 0.98, 0.98, 0.96, 0.96]
    assert options.sampling(fresh=True)[2] == FieldFilter(temperature=0.5, top_p=0.98)


def test_what_is_completed_no_longer_depends_on_a_prompt() -> None:
    for fresh in (True, False):
        written = RICH.completed(fresh=fresh)
        assert written.completed(fresh=not fresh) == written
        assert written.sampling(fresh=not fresh) == RICH.sampling(fresh=fresh)
    assert GenerateOptions().completed(fresh=True).instruments == (0,)
    assert GenerateOptions().completed(fresh=False).instruments == ()
    assert GenerateOptions(composer="bach").completed(fresh=True).instruments == ()


def test_the_draw_depends_on_the_music_and_on_the_seed() -> None:
    one, other = "0123456789ab", "0123456789ac"
    options = GenerateOptions(seed=7)
    drawn = {options.seed_for(one), options.seed_for(other), GenerateOptions(seed=8).seed_for(one)}
    assert len(drawn) == 3
    assert all(0 <= seed < 1 << 63 for seed in drawn)
    assert options.seed_for("") == 7
    assert GenerateOptions(seed=7, seed_alone=True).seed_for(one) == 7
    one_way = GenerateOptions.from_keywords(seed=7, bars=4, tempo=90.0)
    other_way = GenerateOptions.from_keywords(tempo=90.0, bars=4, seed=7)
    assert one_way.seed_for(one) == other_way.seed_for(one) == options.seed_for(one)
