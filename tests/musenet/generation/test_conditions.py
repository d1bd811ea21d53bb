"""What a request says is drawn from: the defaults that depend on the music that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from musenet.generation.conditions import USUAL_BANDS, blank_prompt, completed, processors
from musenet.generation.prompt import read_prompt
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.model.stored import AnyModel
from musenet.options import parse
from musenet.options.generate_options import GenerateOptions
from musenet.sampling.processors.style_penalty import StylePenalty
from musenet.sampling.sampler import Sampler, SamplerConfig
from tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.instruments import DRUMS

ROOT = Path(__file__).resolve().parents[3]
PIANO = ROOT / "examples" / "prompts" / "piano.mid"


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    return load_checkpoint(folder)


@pytest.mark.parametrize(
    ("asked", "band"),
    [
        ({"instruments": "guitar,drums"}, True),
        ({"only_instruments": "drums"}, True),
        ({"styles": "rock"}, True),
        ({"styles": "jazz", "instruments": "piano"}, False),
        ({"styles": "waltz"}, False),
        ({"composer": "bach"}, False),
        ({}, False),
    ],
)
def test_new_music_with_drums_is_sampled_at_a_lower_temperature(
    checkpoint: Checkpoint, asked: dict[str, Any], band: bool
) -> None:
    for stated in (None, 1.2):
        options = GenerateOptions.from_keywords(**asked, temperature=stated)
        drawn = completed(options, None, checkpoint).sampling(fresh=True)
        assert [how.temperature for how in drawn] == [stated or (0.8 if band else 1.0)] * 5


@pytest.mark.parametrize(
    ("asked", "programs"),
    [
        ({"styles": "jazz"}, (0, 32, 128)),
        ({"styles": "waltz,jazz"}, (0, 32, 128)),
        ({"styles": "jazz:0.7,blues:0.3"}, (0, 32, 128)),
        ({"styles": "waltz"}, ()),
        ({"styles": "jazz", "instruments": "banjo"}, (105,)),
        ({"styles": "jazz", "only_instruments": "banjo"}, ()),
        ({"styles": "jazz", "composer": "bach"}, ()),
    ],
)
def test_a_new_piece_in_a_style_of_bands_is_for_a_band(
    checkpoint: Checkpoint, asked: dict[str, Any], programs: tuple[int, ...]
) -> None:
    options = GenerateOptions.from_keywords(**asked)
    assert completed(options, None, checkpoint).instruments == programs
    assert completed(options, read_prompt(PIANO), checkpoint).instruments == options.instruments


def test_every_usual_band_has_drums_and_its_style_is_known() -> None:
    known = load_checkpoint(ROOT / "musenet" / "pretrained" / "mini").tokenizer.vocabulary
    for style, players in USUAL_BANDS.items():
        assert DRUMS in parse.programs(players), style
        assert known.control(f"style:{style}"), style


def test_a_new_piece_is_told_to_be_the_first_half_of_a_longer_one(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    class Spy(Sampler):
        def __init__(self, model: AnyModel, vocabulary: Vocabulary, config: SamplerConfig) -> None:
            told.append((config.length, config.until))
            super().__init__(model, vocabulary, config)

    monkeypatch.setattr("musenet.generation.session.Sampler", Spy)
    steps = 2 * 4 * checkpoint.tokenizer.vocabulary.grid.beat
    for prompt in (None, read_prompt(PIANO)):
        Continuation(checkpoint, prompt, GenerateOptions(bars=2))
    assert told[0] == (2 * steps, steps)
    assert told[1][0] is None


@pytest.mark.parametrize(
    ("asked", "texture"),
    [
        ({}, True),
        ({"key": "D minor"}, True),
        ({"instruments": "piano"}, True),
        ({"only_instruments": "piano"}, True),
        ({"instruments": "cello"}, False),
        ({"only_instruments": "cello"}, False),
        ({"new_instruments": True}, False),
    ],
)
def test_the_texture_of_a_prompt_counts_where_its_instruments_go_on(
    asked: dict[str, Any], texture: bool
) -> None:
    options = GenerateOptions.from_keywords(**asked)
    tokenizer = Tokenizer.default()
    for prompt, expected in ((read_prompt(PIANO), texture), (blank_prompt(options), False)):
        found = processors(options, prompt, (0, 384), tokenizer)
        (style,) = (one for one in found if isinstance(one, StylePenalty))
        assert style.keep_texture is expected
