"""Files are made again from what stands in them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from musenet.decoding.engines import resolve_engine
from musenet.editing.fill_recipe import read_recipe
from musenet.export.recipe_event import MAKER, RECIPE, recipe_event, recipe_text, same_music
from musenet.generation.prompt import Prompt, read_prompt
from musenet.generation.recipe import Recipe, options_in, prompt_in
from musenet.generation.result import Result
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from musenet.sampling.filters import FieldFilter
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS
from tokenizer.midi.events import Event, File, dump, meta
from tokenizer.midi.read import read
from tokenizer.theory import Key

EXAMPLES = Path(__file__).parents[3] / "examples" / "prompts"
SHIPPED = EXAMPLES.with_name("continuations")


def made(tiny: Checkpoint, prompt: Prompt | None, options: GenerateOptions) -> Result:
    continuation = Continuation(tiny, prompt, options)
    for _ in continuation.steps():
        pass
    return continuation.results()[0]


CASES = {
    "whole": ("chorale", None, None, GenerateOptions(bars=2, seed=1)),
    "part": ("quartet", 2, 5, GenerateOptions(bars=2, seed=2, instruments=(73,), tempo=80.0)),
    "key": ("piano", None, 4, GenerateOptions(bars=2, seed=3, key=Key(4, True), variations=(7,))),
    "end": ("folk", None, 3, GenerateOptions(bars=2, seed=4, ending=True)),
    "fresh": (None, None, None, GenerateOptions(bars=2, seed=5, meter=(3, 4), composer="bach")),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_is_made_again_byte_for_byte(tiny: Checkpoint, tmp_path: Path, case: str) -> None:
    name, begin, stop, options = CASES[case]
    prompt = name and read_prompt(
        EXAMPLES / f"{name}.mid",
        begin=Place(bar=begin) if begin else None,
        stop=Place(bar=stop) if stop else None,
    )
    first = made(tiny, prompt or None, options)
    path = tmp_path / "song.mid"
    path.write_bytes(first.data)
    recipe, file = read_recipe(path)
    written = options.completed(fresh=prompt is None)
    assert recipe.options == replace(written, engine=resolve_engine(options.engine, tiny.model))
    assert recipe.weights == tiny.hash
    old = prompt_in(file, recipe)
    if prompt:
        assert old is not None
        assert np.array_equal(old.music.notes, prompt.music.notes)
    assert made(tiny, old, recipe.options).data == first.data


def test_a_continued_continuation_is_made_again(tiny: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    data = (EXAMPLES / "folk.mid").read_bytes()
    for seed in (1, 2, 3):
        path.write_bytes(data)
        last = made(tiny, read_prompt(path), GenerateOptions(bars=2, seed=seed))
        data = last.data
    path.write_bytes(data)
    recipe, file = read_recipe(path)
    assert isinstance(recipe, Recipe)
    assert recipe.options.seed == 3
    assert made(tiny, prompt_in(file, recipe), recipe.options).data == data


def test_recipes_survive_as_text(tiny: Checkpoint) -> None:
    recipe = made(tiny, None, GenerateOptions(bars=1)).recipe
    for one in (recipe, replace(recipe, alone=True)):
        event = recipe_event(one)
        assert Recipe.from_text(recipe_text(event)) == one
        assert len(event.data) < 200


def test_nothing_of_a_recipe_is_printed_by_notation_programs(
    tiny: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "song.mid"
    path.write_bytes(made(tiny, None, GenerateOptions(bars=1)).data)
    midi = mido.MidiFile(path)
    printed = {"text", "copyright", "lyrics", "marker", "cue_marker", "track_name"}
    words = [m for track in midi.tracks for m in track if m.type in printed]
    assert {m.type for m in words} <= {"marker", "track_name"}
    (event,) = [m for m in midi.tracks[0] if m.type == "sequencer_specific"]
    assert bytes(event.data).startswith(b"\x7dMuseNet")
    assert not any("recipe" in text.lower() for text in read(path).markers["text"].tolist())


def test_recipes_of_earlier_versions_are_read_from_texts(tiny: Checkpoint, tmp_path: Path) -> None:
    first = made(tiny, read_prompt(EXAMPLES / "folk.mid"), GenerateOptions(bars=1, seed=4))
    midi = mido.MidiFile(file=io.BytesIO(first.data))
    text = RECIPE + recipe_text(recipe_event(first.recipe))
    midi.tracks[0] = mido.MidiTrack(
        mido.MetaMessage("text", text=text, time=m.time) if m.type == "sequencer_specific" else m
        for m in midi.tracks[0]
    )
    path = tmp_path / "old.mid"
    midi.save(path)
    recipe, file = read_recipe(path)
    assert recipe == first.recipe
    assert isinstance(recipe, Recipe)
    again = made(tiny, prompt_in(file, recipe), recipe.options)
    assert same_music(again.data, path.read_bytes())


@pytest.mark.parametrize("spoiled", [b"", b"nonsense", b"x\x9c", b"x\xbb\x00\x00\x00\x00\x00"])
def test_damaged_events_are_refused(spoiled: bytes, tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    event = Event(0, meta(0x7F, MAKER + spoiled))
    path.write_bytes(dump(File(480, [[event, Event(0, b"\x90\x3c\x40")]], 480)))
    with pytest.raises(InputError, match="damaged"):
        read_recipe(path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"options": {}}', '{"options": 3}', "nonsense"])
def test_damaged_recipes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="recipe"):
        Recipe.from_text(text)


EARLIER = {
    "bars": None, "seconds": 90.5, "ending": True, "composer": "bach", "styles": ["baroque"],
    "instruments": [0, 128], "only_instruments": None, "new_instruments": False, "tempo": 96.5,
    "meter": [6, 8], "key": [-3, True],
    "sampling": [{"temperature": 0.5 + k / 8, "top_k": k, "top_p": 0.9, "min_p": 0.0}
                 for k in range(5)],
    "limits": {"programs": None, "instruments": 16, "in_range": True, "unisons": False,
               "polyphony": 4, "density": None, "pitch_classes": [0, 4, 7]},
    "balance": 0.5, "manner": 0.25, "repetition": 2.0, "overlap": 0.4, "seed": 9,
    "variations": [2], "engine": "int8",
}  # fmt: skip
"""What the first version of this program wrote of what was asked for."""


def test_options_of_earlier_versions_are_read_under_their_names_of_today() -> None:
    read = options_in(EARLIER, "the recipe")
    assert read == GenerateOptions(
        length=90.5, ending=True, composer="bach", styles=("baroque",), instruments=(0, 128),
        tempo=96.5, meter=(6, 8), key=Key(-3, True), polyphony=4, unisons=False, scale=(0, 4, 7),
        temperature={f: 0.5 + k / 8 for k, f in enumerate(FIELDS)},
        top_k={f: k for k, f in enumerate(FIELDS)}, top_p=dict.fromkeys(FIELDS, 0.9),
        min_p=dict.fromkeys(FIELDS, 0.0), instrument_balance=0.5, style_penalty=0.25,
        loop_penalty=2.0, overlap=0.4, seed=9, variations=(2,), engine="int8", keep_chords=False,
        entrance=0.0, seed_alone=True, pedal=False, chord_guidance=1.0,
        find_beats=False,
    )  # fmt: skip
    assert read.sampling(fresh=True) == tuple(
        FieldFilter(temperature=0.5 + k / 8, top_k=k, top_p=0.9) for k in range(5)
    )


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.mid")), ids=lambda path: path.stem)
def test_shipped_files_hold_recipes(path: Path) -> None:
    recipe, file = read_recipe(path)
    assert isinstance(recipe, Recipe)
    prompt = prompt_in(file, recipe)
    assert prompt is not None
    (source,) = EXAMPLES.parent.glob(f"*prompts/{path.stem}.*")
    assert np.array_equal(
        prompt.music.notes, read_prompt(source, find_beats=recipe.options.find_beats).music.notes
    )
    band = DRUMS in prompt.music.notes["program"]
    usual = GenerateOptions(engine="int8").completed(fresh=False, drums=band, chords=band)
    # what later versions do, earlier ones did not
    told = recipe.options
    later = {"chord_guidance", "entrance", "seed_alone", "pedal", "find_beats"}
    assert told == replace(usual, **{name: getattr(told, name) for name in later})


@pytest.mark.parametrize(
    "change", [{"sampling": [1]}, {"sampling": 3}, {"limits": 3}, {"colour": 1}, {"bars": "x"}]
)
def test_damaged_options_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError, match="options of the recipe"):
        options_in({**EARLIER, **change}, "the recipe")


def test_a_file_without_a_recipe() -> None:
    with pytest.raises(InputError, match="contains no recipe"):
        read_recipe(EXAMPLES / "piano.mid")
