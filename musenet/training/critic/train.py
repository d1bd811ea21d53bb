"""Training the critic on the trunk's states of generated and real music.

    groups of samples ─▶ trunk, frozen ─▶ states, every few rows ─▶ critic
                                          held-out groups        ─▶ AUC

The held-out groups have real pieces and prompts from the held-out splits, and generated music from
separate seeds. Early stopping uses a part of the training groups, so the held-out ones are used
only once.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data_prep.dataset.pieces import Pieces, splits_of
from musenet.evaluation.critic import WARM_UP, row_states
from musenet.model.checkpoint import Checkpoint, save_checkpoint
from musenet.model.heads import Critic
from musenet.model.transformer import Transformer
from tokenizer.errors import InputError

from .data import VARIATIONS, Groups, RealMusic, Sample
from .metrics import LENGTHS, Answers, figures, section, with_section

_EVERY = 4
_TUNED = 6
_HELD_OUT = 4
_FEWEST_ROWS = 16
_RATE, _DECAY, _BATCH, _EPOCHS, _PATIENCE = 1e-3, 0.1, 512, 30, 5


@dataclass(frozen=True)
class States:
    """What the critic sees of one sample: the trunk's states `(R, D)` after prompt and warm-up."""

    sample: Sample
    rows: Tensor


def generate(
    checkpoint: Checkpoint,
    dataset: Path,
    *,
    pieces: int,
    minutes: float | None,
    seed: int,
    progress: Callable[[int, int], None],
) -> tuple[list[Sample], list[Sample]]:
    """Training and held-out samples, generated in turn until there are enough.

    Args:
        checkpoint: the model that generates.
        dataset: the source of real music and prompts.
        pieces: number of pieces to generate for training; a third as many are held out.
        minutes: no new group is started after this, or None. Ctrl-C has the same effect.
        seed: of all random choices.
        progress: called with the number of groups done, and the total.

    Raises:
        InputError: if the dataset has too little music.
    """
    learn = max(2, round(pieces / VARIATIONS))
    held = max(2, learn // (_HELD_OUT - 1))
    train = Groups(checkpoint, RealMusic([Pieces(dataset, "train")], _random(seed, 0)), 2 * seed)
    test = Groups(checkpoint, RealMusic(_held_out(dataset), _random(seed, 1)), 2 * seed + 1)
    lengths = np.exp(_random(seed, 2).uniform(np.log(64), np.log(1000), learn)).astype(int)
    jobs = [(train, i, int(lengths[i]), i % 2 == 1) for i in range(learn)]
    spaced = [(i + 0.5) * learn / held for i in range(held)]
    for i, at in enumerate(spaced):
        # Long and short, with and without prompt, in all combinations.
        jobs.insert(int(at) + i, (test, i, LENGTHS[1 + i % 2], i // 2 % 2 == 1))
    found: tuple[list[Sample], list[Sample]] = ([], [])
    began = time.monotonic()
    for done, (groups, number, rows, prompted) in enumerate(jobs):
        enough = all(len({s.group for s in part}) >= 2 for part in found)
        if minutes is not None and enough and time.monotonic() - began > 60 * minutes:
            break
        progress(done, len(jobs))
        try:
            found[groups is test].extend(list(groups.make(number, rows, prompted=prompted)))
        except KeyboardInterrupt:
            if not enough:
                raise
            break
    return found


def _random(seed: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, purpose])


def _held_out(dataset: Path) -> list[Pieces]:
    """The held-out splits of a dataset.

    Raises:
        InputError: if the dataset has none.
    """
    splits = [split for split in splits_of(dataset) if split != "train"]
    if not splits:
        raise InputError(
            f"{dataset} has no validation or test split; the critic needs one for evaluation"
        )
    return [Pieces(dataset, split) for split in splits]


def read(checkpoint: Checkpoint, samples: Sequence[Sample]) -> list[States]:
    """The trunk's states of samples; those too short to be scored are left out."""
    tokenizer = checkpoint.tokenizer
    parts: list[list[tuple[int, Tensor]]] = [[] for _ in samples]
    tokens = [sample.tokens for sample in samples]
    for index, first, states in row_states(checkpoint.model, tokenizer, tokens):
        begin = max(0, samples[index].first + WARM_UP - first)
        parts[index].append((first, states[begin:].to("cpu", torch.float16)))
    whole = [torch.cat([s for _, s in sorted(part, key=lambda p: p[0])]) for part in parts]
    return [
        States(sample, rows)
        for sample, rows in zip(samples, whole, strict=True)
        if len(rows) >= _FEWEST_ROWS
    ]


def train(states: Sequence[States], width: int, seed: int) -> Critic:
    """Train a critic on states of real and generated pieces.

    Every sixth group is used for early stopping.
    """
    torch.manual_seed(seed)
    tuned = [s for s in states if s.sample.group % _TUNED == _TUNED - 1] or list(states)
    learned = [s for s in states if s.sample.group % _TUNED != _TUNED - 1]
    inputs = torch.cat([s.rows[::_EVERY] for s in learned])
    real = torch.cat([torch.full((len(s.rows[::_EVERY]),), s.sample.real) for s in learned])
    critic = Critic(width)
    optimizer = torch.optim.AdamW(critic.parameters(), lr=_RATE, weight_decay=_DECAY)
    best, kept, since = float("inf"), copy.deepcopy(critic.state_dict()), 0
    for _ in range(_EPOCHS):
        for part in torch.split(torch.randperm(len(inputs)), _BATCH):
            optimizer.zero_grad()
            torch.autograd.backward(critic.loss(inputs[part].float(), real[part]))
            optimizer.step()
        loss = _piece_loss(critic, tuned)
        since += 1
        if loss < best:
            best, kept, since = loss, copy.deepcopy(critic.state_dict()), 0
        if since == _PATIENCE:
            break
    critic.load_state_dict(kept)
    return critic


def _piece_loss(critic: Critic, states: Sequence[States]) -> float:
    """Mean cross-entropy over the rows of each piece, then over pieces."""
    with torch.no_grad():
        losses = [
            critic.loss(s.rows.float(), torch.full((len(s.rows),), s.sample.real)).item()
            for s in states
        ]
    return float(np.mean(losses))


def answers(critic: Critic, states: Sequence[States]) -> list[Answers]:
    """The critic's log-odds on every row."""
    with torch.no_grad():
        return [Answers(s.sample, critic(s.rows.float()).double().numpy()) for s in states]


def facts(
    critic: Critic, learned: Sequence[States], held: Sequence[States], seed: int
) -> dict[str, Any]:
    """The record of a critic: its training data and its accuracy.

    The held-out figures are those of the critic as stored, in bfloat16.
    """
    real = sum(s.sample.real for s in learned)
    stored = copy.deepcopy(critic).to(torch.bfloat16).float()
    return {
        "real": real,
        "generated": len(learned) - real,
        "groups": len({s.sample.group for s in learned}),
        "rows": sum(len(s.rows[::_EVERY]) for s in learned),
        "held_out": figures(answers(stored, held), seed=seed),
    }


def with_critic(checkpoint: Checkpoint, critic: Critic) -> Transformer:
    """The checkpoint's model with a critic, otherwise unchanged."""
    model = Transformer(replace(checkpoint.config, critic=True))
    kept = {
        name: tensor
        for name, tensor in checkpoint.model.state_dict().items()
        if not name.startswith("critic.")
    }
    learned = {f"critic.{name}": tensor for name, tensor in critic.state_dict().items()}
    model.load_state_dict(kept | learned)
    return model


def save(checkpoint: Checkpoint, critic: Critic, out: Path, facts: Mapping[str, Any]) -> str:
    """Write a checkpoint with its critic, the facts in training.json and card; returns its hash.

    Raises:
        InputError: if `out` cannot be written.
    """
    model = with_critic(checkpoint, critic)
    card = checkpoint.folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else f"# {out.name}\n"
    parameters = sum(p.numel() for p in critic.parameters())
    return save_checkpoint(
        out,
        model,
        checkpoint.tokenizer,
        {**checkpoint.training, "critic": dict(facts)},
        with_section(text, section(facts, parameters)),
    )
