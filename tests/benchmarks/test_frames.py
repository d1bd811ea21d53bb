from __future__ import annotations

import itertools
import json
import math
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.frame_model import ARCHIVE, FrameModel, Recipe, nats_per_frame, stacked, train
from benchmarks.frames import (
    END,
    HIGHEST,
    LOWEST,
    PAD,
    SHIFTS,
    TOKENS,
    Frame,
    Inputs,
    Piece,
    load,
    spell,
)
from tokenizer import InputError

INPUTS = Inputs(echoes=(1, 2, 5), periods=(4, 6))


def music(seed: int, frames: int, low: int = 40, high: int = 52, most: int = 5) -> Piece:
    random = np.random.default_rng(seed)
    keys = np.arange(low, high)
    return [
        tuple(sorted(random.choice(keys, random.integers(most), replace=False).tolist()))
        for _ in range(frames)
    ]


def shaken(recipe: Recipe) -> FrameModel:
    """A model whose every weight matters, in fp32."""
    torch.manual_seed(1)
    model = recipe.build().float()
    model.net.compute = None
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


RECIPE = Recipe(INPUTS, layers=2, heads=2, width=16, context=256)


def test_a_frame_is_its_sorted_pitches_and_an_end() -> None:
    assert spell([(21, 108), (), (60,)]).tolist() == [1, 2, 89, 1, 1, 41, 1]


def test_echoes_are_what_earlier_frames_would_have_next() -> None:
    piece = music(0, 40)
    spelled = INPUTS.of(piece)
    at = 0
    for number, frame in enumerate([*piece, ()]):
        for place in range(len(frame) + 1):
            below = frame[place - 1] if place else -1
            expected = [place + 1, SHIFTS + 1, number % 4 + 1, number % 6 + 1]
            for distance in (1, 2, 5):
                if number < distance:
                    expected.append(PAD)
                    continue
                higher = [pitch for pitch in piece[number - distance] if pitch > below]
                expected.append(min(higher) - LOWEST + 2 if higher else END)
            assert spelled.inputs[at].tolist() == expected
            at += 1
    assert at == len(spelled.tokens) == len(spelled.inputs)
    assert (spelled.inputs < INPUTS.sizes).all()


@pytest.mark.parametrize("shift", [-6, 1, 6])
def test_transposed_is_what_the_transposed_piece_gives(shift: int) -> None:
    piece = music(1, 30)
    moved = [tuple(pitch + shift for pitch in frame) for frame in piece]
    got, expected = INPUTS.transposed(INPUTS.of(piece), shift), INPUTS.of(moved)
    assert got.tokens.tolist() == expected.tokens.tolist()
    expected.inputs[:, 1] += shift
    assert got.inputs.tolist() == expected.inputs.tolist()


def test_probabilities_of_all_frames_add_up_to_one() -> None:
    # With six keys there are 64 sets of pitches: all of them, as the frame after a few others.
    model = shaken(RECIPE)
    model.possible[:, 2 + 6 :] = False
    before = music(2, 4, LOWEST, LOWEST + 6)
    known = len(spell(before)) - 1
    total, each = 0.0, []
    for size in range(7):
        for frame in itertools.combinations(range(LOWEST, LOWEST + 6), size):
            with torch.no_grad():
                nats = model.nll(*stacked([INPUTS.of([*before, frame])]))[0, known:]
            assert len(nats) == size + 1
            each.append(math.exp(-float(nats.sum())))
            total += each[-1]
    assert len(each) == 64
    assert max(each) > 2 * min(each)  # not simply uniform
    assert total == pytest.approx(1, abs=1e-5)


def test_only_higher_pitches_and_the_end_are_possible() -> None:
    model = shaken(RECIPE)
    piece = music(3, 20)
    tokens, inputs = stacked([INPUTS.of(piece)])
    with torch.no_grad():
        probabilities = model.logits(tokens, inputs)[0].softmax(-1)
    for token, given in zip(tokens[0].tolist(), probabilities, strict=True):
        first = 2 if token == END else token + 1
        assert set(given.nonzero().flatten().tolist()) == {END, *range(first, TOKENS)}


def test_nothing_is_known_of_frames_to_come() -> None:
    model = shaken(RECIPE)
    same, other = music(4, 25), music(5, 25)
    for cut in (1, 10, 24):
        first: Piece = same[:cut]
        known = len(spell(first)) - 1
        rows = []
        for later in (same[cut:], other[cut:]):
            with torch.no_grad():
                rows.append(model.nll(*stacked([INPUTS.of([*first, *later])]))[0, :known])
        torch.testing.assert_close(rows[0], rows[1])


@pytest.mark.parametrize("context", [256, 16])
def test_the_score_is_the_mean_over_one_flat_list_of_frames(context: int) -> None:
    # Fresh models know only what is possible: 88 keys or the end, then what is above, or the end.
    pieces = [music(6, 3), music(7, 40), music(8, 11)]

    def nats(frame: Frame) -> float:
        return math.log(HIGHEST - LOWEST + 2) + sum(math.log(HIGHEST - p + 1) for p in frame)

    each = [nats(frame) for piece in pieces for frame in piece]
    model = RECIPE.build()
    found = nats_per_frame(model, [INPUTS.of(piece) for piece in pieces], context)
    assert found == pytest.approx(sum(each) / 54, rel=1e-5)


def test_padding_costs_nothing_and_changes_nothing() -> None:
    model = shaken(RECIPE)
    short, long = INPUTS.of(music(9, 5)), INPUTS.of(music(10, 20))
    with torch.no_grad():
        together = model.nll(*stacked([short, long]))
        alone = model.nll(*stacked([short]))[0]
    torch.testing.assert_close(together[0, : len(alone)], alone)
    assert not together[0, len(alone) :].any()


def test_training_learns_what_repeats() -> None:
    bar: Piece = [(48, 60), (48, 64), (50, 65, 69), (47, 62)]
    spelled = [INPUTS.of([*bar[k:], *(bar * 6), *bar[:k]]) for k in range(4)]
    recipe = Recipe(
        INPUTS, layers=1, heads=2, width=32, batch=64, steps=240, average=0.9, muon_rate=0.01
    )
    said: list[str] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so little work is slower on two, which wait for each other
    model = train(recipe, spelled, spelled, 0, said.append)
    torch.set_num_threads(threads)
    assert said
    fresh = nats_per_frame(recipe.build(), spelled, recipe.context)
    assert nats_per_frame(model, spelled, recipe.context) < fresh / 3


def test_files_that_are_no_piano_rolls_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"JSB_Chorales\.json is not in .*nowhere"):
        load(tmp_path / "nowhere", "JSB_Chorales.json")
    file = tmp_path / "JSB_Chorales.json"
    for text in ("{", "[]", '{"train": [[[60]]]}'):
        file.write_text(text)
        with pytest.raises(InputError, match="holds no piano rolls of train, valid, test"):
            load(file, file.name)
    file.write_text('{"train": [[[20]]], "valid": [], "test": []}')
    with pytest.raises(InputError, match="outside 21 to 108"):
        load(file, file.name)


def test_a_file_is_found_in_folders_and_archives(tmp_path: Path) -> None:
    file = tmp_path / "Rolls.json"
    file.write_text(json.dumps({"train": [[[64, 60], []]], "valid": [], "test": [[[60]]]}))
    with tarfile.open(tmp_path / "all.tar.xz", "w:xz") as archive:
        archive.add(file, "folder/Rolls.json")
    for path in (file, tmp_path, tmp_path / "all.tar.xz"):
        assert load(path, "Rolls.json") == {
            "train": [[(60, 64), ()]],
            "valid": [],
            "test": [[(60,)]],
        }


@pytest.mark.skipif(not ARCHIVE.exists(), reason="the piano rolls are not beside the repository")
@pytest.mark.parametrize(
    ("name", "pieces", "frames"),
    [("JSB_Chorales", (229, 76, 77), 4725), ("Nottingham", (694, 173, 170), 44463)],
)
def test_the_published_splits(name: str, pieces: tuple[int, ...], frames: int) -> None:
    splits = load(ARCHIVE, f"{name}.json")
    assert tuple(len(splits[split]) for split in ("train", "valid", "test")) == pieces
    assert sum(map(len, splits["test"])) == frames
