"""The style map: cosines as NumPy has them, the frequent ones chosen, names that can be read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from typer.testing import CliRunner

from data_prep import prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from data_prep.pipeline import Run
from musenet.cli.main import app
from musenet.evaluation import style_map_picture
from musenet.evaluation.style_map import Label, StyleMap, style_map
from musenet.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from musenet.model.config import ModelConfig
from musenet.model.transformer import Transformer
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError

COMPOSERS = ["bach", "handel", "chopin", "robert_schumann", "clara_schumann", "nobody_known"]
STYLES = ["baroque", "romantic", "waltz"]
MIDI = Path(__file__).parents[2] / "fixtures" / "midi"


@pytest.fixture(scope="module")
def known(
    model_for: Callable[..., Transformer], tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    """A model in whose vectors Handel is Bach with a little else, and longer than all."""
    tokenizer = Tokenizer.default(composers=COMPOSERS, styles=STYLES)
    model = model_for(tokenizer, context=64)
    bach, handel = (tokenizer.vocabulary.control(f"composer:{n}") for n in ("bach", "handel"))
    with torch.no_grad():
        table = model.embedding.weight
        table[handel] = 3 * table[bach] + 0.1 * torch.randn(32)
    folder = tmp_path_factory.mktemp("map") / "tiny"
    save_checkpoint(folder, model, tokenizer, {})
    return load_checkpoint(folder)


def test_similarity_is_the_cosine_about_the_mean(known: Checkpoint) -> None:
    found = style_map(known, "composer", 10, None)
    vocabulary = known.tokenizer.vocabulary
    table = known.model.embedding.weight.detach().numpy().astype(np.float64)
    ids = [vocabulary.control(label.control) or 0 for label in found.labels]
    every = [vocabulary.control(f"composer:{name}") or 0 for name in COMPOSERS]
    vectors = table[ids] - table[every].mean(axis=0)
    for i, one in enumerate(vectors):
        for j, two in enumerate(vectors):
            cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
            assert found.similarity[i, j] == pytest.approx(cosine, abs=1e-6)


def test_without_a_dataset_the_longest_vectors_are_chosen(known: Checkpoint) -> None:
    found = style_map(known, "composer", 3, None)
    assert len(found.labels) == 3
    assert found.labels[0].control == "composer:handel"
    assert found.labels[0].pieces is None


def test_the_alike_are_neighbours(known: Checkpoint) -> None:
    found = style_map(known, "composer", 10, None)
    index = [label.control for label in found.labels].index("composer:bach")
    (nearest, value), *others = found.neighbours(index)
    assert nearest == "composer:handel"
    assert value > max(v for _, v in others)
    assert all(name != "composer:bach" for name, _ in found.neighbours(index, 10))


def test_names_and_groups_come_from_the_table_of_labels(known: Checkpoint) -> None:
    labels = {label.control: label for label in style_map(known, "all", 20, None).labels}
    assert len(labels) == len(COMPOSERS) + len(STYLES)
    assert labels["composer:bach"].name == "Bach"
    assert labels["composer:bach"].group == "baroque"
    assert labels["composer:nobody_known"].group == ""
    assert labels["style:baroque"].group == "baroque"
    assert labels["style:waltz"].group == "genre"
    names = [label.name for label in labels.values()]
    assert len(set(names)) == len(names)


def test_a_dataset_says_who_was_trained_on(known: Checkpoint, tmp_path: Path) -> None:
    pattern = dict.fromkeys(sorted(MIDI.glob("bach_*.mid")), "bach")
    pattern |= {MIDI / "chopin_narzeczony.mid": "chopin", MIDI / "hullah_the_storm.mid": "handel"}
    rows = [{"file": file.name, "composer": who, "split": "train"} for file, who in pattern.items()]
    folder = tmp_path / "music"
    folder.mkdir()
    for file in pattern:
        (folder / file.name).write_bytes(file.read_bytes())
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "manifest.jsonl").write_text(text, encoding="utf-8")
    prepare([folder], tmp_path / "set", plan=Plan(Shares(0, 0)), run=Run("threads"))
    found = style_map(known, "composer", 10, tmp_path / "set")
    assert (found.labels[0].control, found.labels[0].pieces) == ("composer:bach", 3)
    assert {label.control for label in found.labels[1:]} == {"composer:chopin", "composer:handel"}


def test_what_cannot_be_drawn_is_said(known: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'composer'"):
        style_map(known, "composers", 10, None)
    bare = Tokenizer.default(composers=["bach"])
    config = known.config
    sizes = (bare.vocabulary.sizes[0], *config.field_sizes[1:])
    model = Transformer(ModelConfig(**{**vars(config), "field_sizes": sizes}))
    save_checkpoint(tmp_path / "bare", model, bare, {})
    with pytest.raises(InputError, match="at least three"):
        style_map(load_checkpoint(tmp_path / "bare"), "composer", 10, None)


def test_no_name_covers_another_or_a_point() -> None:
    """In a crowd some names are left out; those that are shown can be read."""
    random = np.random.default_rng(0)
    places = random.normal(size=(120, 2))
    labels = [Label(f"composer:{i}", f"Composer {i}", "baroque", i) for i in range(120)]
    figure = Figure(figsize=(8, 8))
    axes = figure.subplots()
    texts = style_map_picture._draw_points(axes, labels, places)
    figure.draw_without_rendering()
    style_map_picture._part(axes, texts, figure, places)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in texts if text.get_visible()]
    assert 40 < len(boxes) <= 120
    frame = axes.get_window_extent()
    points = axes.transData.transform(places)
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert frame.x0 <= box.x0 <= box.x1 <= frame.x1
        inside = (points > [box.x0, box.y0]) & (points < [box.x1, box.y1])
        assert not inside.all(axis=1).any()


@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_same_map_is_drawn_to_the_same_bytes(known: Checkpoint, form: str) -> None:
    pytest.importorskip("sklearn")
    found = style_map(known, "all", 20, None)
    first, second = (style_map_picture.render(found, form, title="A map") for _ in range(2))
    assert first.startswith(b"\x89PNG" if form == "png" else b"<?xml")
    assert first == second


def test_alike_rows_stand_together() -> None:
    pytest.importorskip("sklearn")
    block = np.kron(np.eye(3), np.full((4, 4), 0.9)) + 0.1 * np.eye(12)
    mixed = np.random.default_rng(0).permutation(12)
    labels = tuple(Label(f"style:{i}", str(i), "genre", 1) for i in mixed)
    order, _ = style_map_picture._arranged(StyleMap(labels, block[np.ix_(mixed, mixed)]), 0)
    blocks = [int(mixed[i]) // 4 for i in order]
    assert sum(a != b for a, b in pairwise(blocks)) == 2


def test_without_scikit_learn_it_says_what_to_install(
    known: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(InputError, match=r"pip install 'musenet\[maps\]'"):
        style_map_picture.render(style_map(known, "all", 20, None), "png", title="A map")


def test_the_command_draws_lists_and_prints(known: Checkpoint, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    runner, weights = CliRunner(), ["--weights", str(known.folder)]
    words = ["embeddings", *weights, "--kind", "all", "--out", str(tmp_path / "map.png"), "--json"]
    result = runner.invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    plain = json.loads(result.output)
    assert plain["labels"][0]["label"] == "composer:handel"
    assert len(plain["labels"][0]["neighbours"]) == 5
    table = runner.invoke(app, ["embeddings", *weights], catch_exceptions=False)
    assert "Handel" in table.output
    wrong = runner.invoke(app, ["embeddings", *weights, "--out", str(tmp_path / "map.gif")])
    assert isinstance(wrong.exception, InputError)


def test_labels_that_are_nobody_or_a_second_spelling_are_left_out(
    model_for: Callable[..., Transformer], tmp_path: Path
) -> None:
    people = [*COMPOSERS, "english_folk_song", "franz_josef_haydn", "haydn", "tyler_p"]
    people += ["kevin_martins", "kevin_martins_and_jonathan_martins", "jan_stefani"]
    tokenizer = Tokenizer.default(composers=[*people, "jozef_stefani"], styles=STYLES)
    save_checkpoint(tmp_path / "tiny", model_for(tokenizer, context=64), tokenizer, {})
    found = style_map(load_checkpoint(tmp_path / "tiny"), "composer", 20, None)
    names = {label.name for label in found.labels}
    assert {"Haydn", "Tyler P", "Kevin Martins and Jonathan Martins", "Martins"} <= names
    assert {"Jan Stefani", "Józef Stefani"} <= names
    assert len(names) == len(found.labels) == len(people) + 1 - 2
