"""Runs that begin with other weights: what was known stays, what is new begins as an average."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from musenet.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from musenet.model.transformer import Transformer
from musenet.training.card import card
from musenet.training.publish import export
from musenet.training.settings import Settings, settings_of
from musenet.training.start import resume_run, start_run
from musenet.training.warm_start import grown_config, load_grown
from tokenizer.encoding.grid import Grid
from tokenizer.encoding.structure import structure
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.errors import InputError

LABELS = ["style:baroque", "composer:bach"]
FACTS = {"steps": 7, "notes": 4_200_000, "hours": 1.5, "settings": {"batch": 4}, "initial": None}


Saved = Callable[..., Checkpoint]


@pytest.fixture(scope="module")
def saved(model_for: Callable[..., Transformer]) -> Saved:
    """A function that saves a checkpoint of random weights and loads it."""

    def made(folder: Path, tokenizer: Tokenizer, **changes: Any) -> Checkpoint:
        model = model_for(tokenizer, noise=0.1, seed=1, **changes)
        save_checkpoint(folder, model, tokenizer, FACTS)
        return load_checkpoint(folder)

    return made


def grown(known: Checkpoint, tokenizer: Tokenizer) -> Transformer:
    model = Transformer(grown_config(known, tokenizer, known.config.context))
    load_grown(model, known, tokenizer.vocabulary)
    return model.eval()


def music(tokenizer: Tokenizer, prefix: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of one scale behind a prefix, with its structure."""
    controls = [tokenizer.vocabulary.control(name) or 0 for name in prefix]
    tokens = np.zeros((len(controls) + 40, 5), dtype=np.int16)
    tokens[: len(controls), 0] = controls
    body = tokens[len(controls) :]
    body[:, 0], body[:, 1], body[:, 3], body[:, 4] = 13, 1, 12, 17
    body[:, 2] = 49 + np.arange(40) % 24
    columns = structure(tokens, tokenizer.vocabulary)
    rows = torch.from_numpy(tokens.astype(np.int64))[None]
    return rows, torch.from_numpy(columns.astype(np.int64))[None]


@pytest.mark.parametrize("head", ["cascade", "parallel"])
def test_more_labels_leave_what_was_known_as_it_was(
    tmp_path: Path, head: str, saved: Saved
) -> None:
    before = Tokenizer.default().extended(LABELS)
    after = before.extended(["composer:new", "style:other"])
    known = saved(tmp_path / "known", before, head=head)
    model = grown(known, after)
    rows, columns = music(after, ["start", "style:baroque", "composer:bach"])
    with torch.no_grad():
        old = known.model.trunk(rows, columns)
        new = model.trunk(rows, columns)
        torch.testing.assert_close(new, old, rtol=0, atol=0)
        logits = known.model.state_dict()["head.out.0"] @ old[0].T
        wider = model.state_dict()["head.out.0"] @ new[0].T
        old_nll = known.model.nll(rows, columns)
        new_nll = model.nll(rows, columns)
    torch.testing.assert_close(wider[: len(logits)], logits, rtol=1e-5, atol=1e-5)
    # Fields after the first have the same values; the first shares its chance with two more.
    torch.testing.assert_close(new_nll[..., 1:], old_nll[..., 1:], rtol=1e-5, atol=1e-5)
    # The prefix is given, not predicted: row i predicts row i + 1.
    extra = torch.logsumexp(wider[:, :-1], 0) - torch.logsumexp(logits[:, :-1], 0)
    torch.testing.assert_close(new_nll[0, :, 0], old_nll[0, :, 0] + extra, rtol=1e-4, atol=1e-4)


def test_a_new_label_begins_as_the_average_of_the_known_labels(
    tmp_path: Path, saved: Saved
) -> None:
    before = Tokenizer.default().extended([*LABELS, "composer:chopin"])
    after = before.extended(["composer:new"])
    known = saved(tmp_path / "known", before)
    model = grown(known, after)
    vocabulary = after.vocabulary
    old_ids = [vocabulary.control(name) for name in (*LABELS, "composer:chopin")]
    new_id = vocabulary.control("composer:new")
    for name in ("embedding.weight", "head.out.0"):
        table, state = known.model.state_dict()[name], model.state_dict()[name]
        torch.testing.assert_close(state[new_id], table[old_ids].mean(dim=0))
    rows = known.model.embedding.weight.shape[0]
    assert model.embedding.weight.shape[0] == rows + 1
    # The tables of the other fields follow, moved by one row.
    torch.testing.assert_close(
        model.embedding.weight[before.vocabulary.sizes[0] + 1 :],
        known.model.embedding.weight[before.vocabulary.sizes[0] :],
    )


def test_weights_without_labels_take_the_average_of_all_values(
    tmp_path: Path, saved: Saved
) -> None:
    before = Tokenizer.default()
    known = saved(tmp_path / "known", before)
    model = grown(known, before.extended(["composer:new"]))
    size = before.vocabulary.sizes[0]
    mean = known.model.state_dict()["head.out.0"].mean(dim=0)
    torch.testing.assert_close(model.state_dict()["head.out.0"][size], mean)


def test_labels_that_the_dataset_lacks_are_left_out(tmp_path: Path, saved: Saved) -> None:
    before = Tokenizer.default().extended(LABELS)
    after = Tokenizer.default().extended([*reversed(LABELS[1:]), "style:other"])
    known = saved(tmp_path / "known", before)
    model = grown(known, after)
    for label in LABELS[1:]:
        new, old = (t.vocabulary.control(label) for t in (after, before))
        assert torch.equal(model.embedding.weight[new], known.model.embedding.weight[old])


@pytest.mark.parametrize("changes", [{"layers": 5}, {"layers": 3, "positions": "rotary"}])
def test_added_layers_start_without_effect(
    tmp_path: Path, saved: Saved, changes: dict[str, Any]
) -> None:
    tokenizer = Tokenizer.default()
    known = saved(tmp_path / "known", tokenizer, layers=2, patterns=("dense",))
    model = Transformer(grown_config(known, tokenizer, known.config.context, changes)).eval()
    load_grown(model, known, tokenizer.vocabulary)
    rows, columns = music(tokenizer, ["start"])
    with torch.no_grad():
        torch.testing.assert_close(model.trunk(rows, columns), known.model.trunk(rows, columns))


def test_key_value_heads_become_the_mean_of_their_group(tmp_path: Path, saved: Saved) -> None:
    """Heads that are alike within each group compute the same after they have become one."""
    tokenizer = Tokenizer.default()
    shared = saved(tmp_path / "shared", tokenizer, heads=4, kv_heads=2)
    apart = saved(tmp_path / "apart", tokenizer, heads=4)
    state = shared.model.state_dict()
    channels = shared.config.head_width
    for name in list(state):
        if name.endswith((".key", ".value")):
            heads = state[name].unflatten(0, (2, channels))
            state[name] = heads.repeat_interleave(2, dim=0).flatten(0, 1)
    apart.model.load_state_dict(state)
    changes = {"kv_heads": 2}
    model = Transformer(grown_config(apart, tokenizer, apart.config.context, changes)).eval()
    load_grown(model, apart, tokenizer.vocabulary)
    rows, columns = music(tokenizer, ["start"])
    with torch.no_grad():
        expected = shared.model.trunk(rows, columns)
        torch.testing.assert_close(apart.model.trunk(rows, columns), expected)
        torch.testing.assert_close(model.trunk(rows, columns), expected)


@pytest.mark.parametrize("changes", [{"layers": 1}, {"kv_heads": 4}])
def test_weights_do_not_shrink(tmp_path: Path, saved: Saved, changes: dict[str, Any]) -> None:
    tokenizer = Tokenizer.default()
    shape = {"layers": 2, "patterns": ("dense",), "heads": 4, "kv_heads": 2}
    known = saved(tmp_path / "known", tokenizer, **shape)
    with pytest.raises(InputError, match="layers can only be added"):
        grown_config(known, tokenizer, 128, changes)


def test_another_grid_is_refused(tmp_path: Path, saved: Saved) -> None:
    other = Tokenizer(Vocabulary.create(Grid.seconds())).extended(LABELS)
    known = saved(tmp_path / "known", Tokenizer.default().extended(LABELS))
    with pytest.raises(InputError, match=r"prepare it with --tokenizer .*tokenizer\.json"):
        grown_config(known, other, 128)


def test_the_critic_stays_behind(tmp_path: Path, saved: Saved) -> None:
    tokenizer = Tokenizer.default()
    known = saved(tmp_path / "known", tokenizer, critic=True)
    assert known.model.critic is not None
    model = grown(known, tokenizer)
    assert model.critic is None
    assert not model.config.critic


def test_a_model_and_a_beginning_exclude_each_other() -> None:
    with pytest.raises(InputError, match="give only context, kv_heads, layers, patterns"):
        Settings(initial="mini", model={"width": 64})


def test_weights_may_look_elsewhere(tmp_path: Path, saved: Saved) -> None:
    """Patterns and positions change what a network reads, and none of its weights."""
    tokenizer = Tokenizer.default()
    known = saved(tmp_path / "known", tokenizer)
    changes = {"patterns": ("dense",), "positions": "rotary_time", "context": 512}
    model = Transformer(grown_config(known, tokenizer, 128, changes))
    load_grown(model, known, tokenizer.vocabulary)
    assert model.config.context == 512
    assert model.config.layer_patterns[0] == "dense"
    assert model.config.steps_per_quarter == tokenizer.vocabulary.grid.beat
    for name, weight in known.model.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight)


def test_controls_are_found_by_name(tmp_path: Path, saved: Saved) -> None:
    """A vocabulary of before, without marks and chords, in front of the labels that it knows."""
    now = Tokenizer.default().extended(LABELS)
    kinds = ("mark", "return", "chord", "density", "polyphony")
    names = now.vocabulary.controls
    old = tuple(name for name in names if not name.startswith(kinds))
    known = saved(tmp_path / "known", Tokenizer(Vocabulary(now.vocabulary.grid, old)))
    tables = (grown(known, now).state_dict()["head.out.0"], known.model.state_dict()["head.out.0"])
    for name in old:
        new_row, old_row = (
            table[t.vocabulary.control(name)]
            for table, t in zip(tables, (now, known.tokenizer), strict=True)
        )
        assert torch.equal(new_row, old_row)
    mean = torch.stack([tables[1][known.tokenizer.vocabulary.control(x)] for x in LABELS]).mean(0)
    torch.testing.assert_close(tables[0][now.vocabulary.control("mark")], mean)


@pytest.fixture(scope="module")
def continued(
    dataset: Path, tmp_path_factory: pytest.TempPathFactory, saved: Saved
) -> tuple[Path, Checkpoint]:
    """A run of a few steps that began with other weights, and those."""
    folder = tmp_path_factory.mktemp("continued")
    first = saved(folder / "first", Tokenizer.default())
    settings = settings_of(
        {
            "initial": str(folder / "first"),
            "steps": 3,
            "context": 64,
            "batch": 2,
            "threads": 1,
            "warmup": 1,
            "validate_windows": 1,
            "device": "cpu",
            "muon_rate": 1e-6,
            "adam_rate": 1e-6,
        }
    )
    start_run(dataset, folder / "run", settings).train()
    return folder / "run", first


def test_a_run_begins_with_the_weights(continued: tuple[Path, Checkpoint]) -> None:
    run, first = continued
    after = load_checkpoint(run / "last").model.state_dict()
    for name, tensor in first.model.state_dict().items():
        torch.testing.assert_close(after[name], tensor, rtol=0.02, atol=2e-3)
    assert load_checkpoint(run / "last").config.context == 64


def test_record_and_card_tell_what_came_before(
    continued: tuple[Path, Checkpoint], tmp_path: Path
) -> None:
    run, first = continued
    expected = {"name": "first", "hash": first.hash, **FACTS, "processes": 1, "averaged": None}
    assert json.loads((run / "initial.json").read_text(encoding="utf-8")) == expected
    assert load_checkpoint(run / "last").training["initial"] == expected
    export(run, tmp_path / "out", which="last")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"started from the weights first ({first.hash}), which had seen 4.20 M notes" in text


def test_a_resumed_run_remembers(continued: tuple[Path, Checkpoint]) -> None:
    run, first = continued
    session = resume_run(run, None, {"steps": 5})
    assert session.train() == 0
    assert load_checkpoint(run / "last").training["initial"]["hash"] == first.hash
    with pytest.raises(InputError, match="cannot change its model"):
        resume_run(run, None, {"initial": "mini"})


def test_the_card_goes_back_to_the_first_weights(continued: tuple[Path, Checkpoint]) -> None:
    run, _ = continued
    loaded = load_checkpoint(run / "last")
    oldest = {"name": "oldest", "hash": "0" * 12, "steps": 1, "notes": 1e6, "hours": 0.1}
    oldest["processes"] = 4
    chain = {**loaded.training["initial"], "initial": oldest}
    text = card("m", loaded.config, 1, {**loaded.training, "initial": chain})
    assert text.index("the weights oldest") < text.index("the weights first")
    assert "0.10 hours of 4 processes and 1 steps" in text
