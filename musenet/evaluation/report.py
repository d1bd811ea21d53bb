"""A complete evaluation: a model, some music, and the results as plain data."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.model.precision import device_of, matmul_dtype
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError

from .baselines import Baseline, counted_rows, fit, fit_best
from .generated import (
    NamedScore,
    decoded,
    originality_figures,
    read_scores,
    statistics_figures,
)
from .inputs import check_same, dataset_pieces, dataset_tokenizer, find_pieces
from .likelihood import Conditions, Piece, score, summary


@dataclass(frozen=True)
class EvaluationRequest:
    """What to score, and how.

    Attributes:
        paths: folders, archives, MIDI files, or datasets.
        weights: the name of a bundled model, or a checkpoint folder.
        split: of datasets.
        context: context length in rows; None is that of training.
        labels: whether the model is given the labels of each piece.
        baselines: a dataset to fit n-gram baselines on, or None.
        music: folders of generated music to compare with the scored pieces.
        library: a dataset to search for what that music copies, or None.
        device: `cpu`, `cuda` or `auto`.
        batch: windows at once.
        precision: of matrix products, `bf16`, `fp32` or `auto`.
    """

    paths: tuple[Path, ...]
    weights: str
    split: str = "test"
    context: int | None = None
    labels: bool = False
    baselines: Path | None = None
    music: tuple[Path, ...] = ()
    library: Path | None = None
    device: str = "auto"
    batch: int = 8
    precision: str = "auto"


@dataclass(frozen=True)
class Evaluation:
    """The results of an evaluation.

    Attributes:
        figures: plain data, as written by `musenet evaluate --json`.
        checkpoint: the model that was scored.
        pieces: the music that it was scored on.
        music: the generated scores that were compared, by name; empty if none were given.
    """

    figures: dict[str, Any]
    checkpoint: Checkpoint
    pieces: tuple[Piece, ...]
    music: tuple[NamedScore, ...] = ()


def evaluate(
    request: EvaluationRequest, progress: Callable[[int], None] | None = None
) -> Evaluation:
    """Run the evaluation described by `request`.

    Args:
        request: what to score, and how.
        progress: called with the number of windows that were scored since the last call.

    Raises:
        InputError: if the model or the music cannot be used.
    """
    device = device_of(request.device)
    compute = matmul_dtype(request.precision, device)
    loaded = load_checkpoint(request.weights, device=device, compute=compute, learned=True)
    if loaded.encoding is not None and request.labels:
        raise InputError(
            f"these weights write the {loaded.encoding.encoding} encoding, which is scored with "
            "the meter alone; leave out --labels"
        )
    found = find_pieces(request.paths, loaded.tokenizer, request.split)
    context = request.context or trained_context(loaded.training, loaded.config.context)
    if context > loaded.config.context:
        raise InputError(
            f"--context is too long: the model's context is {loaded.config.context} tokens"
        )
    begun = time.perf_counter()
    scores = score(
        loaded.model,
        loaded.tokenizer,
        found.pieces,
        context=context,
        batch=request.batch,
        conditions=Conditions(labels=request.labels),
        progress=progress,
        encoding=loaded.encoding,
    )
    figures = {
        **summary(found.pieces, scores),
        "weights": str(request.weights),
        "weights_hash": loaded.hash,
        "context": context,
        "told": "labels and meter" if request.labels else "meter",
        "seconds": round(time.perf_counter() - begun, 1),
        "refused": found.refused,
    }
    if request.baselines is not None:
        figures["baselines"] = baseline_figures(request.baselines, found.pieces, loaded.tokenizer)
    if not request.music:
        return Evaluation(figures, loaded, found.pieces)
    made = read_scores(request.music)
    figures["music"] = statistics_figures(made, decoded(found.pieces, loaded.tokenizer))
    if request.library is not None:
        check_same(loaded.tokenizer, dataset_tokenizer(request.library), request.library)
        figures["originality"] = originality_figures(made, found.pieces, request.library)
    return Evaluation(figures, loaded, found.pieces, tuple(made))


def trained_context(training: dict[str, Any], longest: int) -> int:
    """The context length of training if it is recorded, else the maximum."""
    said = training.get("settings", {}).get("context", longest)
    return min(int(said), longest)


def baseline_figures(
    dataset: Path, pieces: tuple[Piece, ...], tokenizer: Tokenizer
) -> dict[str, Any]:
    """Bits per note of n-gram baselines, fitted on a dataset's training split."""
    check_same(tokenizer, dataset_tokenizer(dataset), dataset)
    vocabulary = dataset_tokenizer(dataset).vocabulary
    training = [counted_rows(piece, vocabulary) for piece in dataset_pieces(dataset, "train")]
    validation = [
        counted_rows(piece, vocabulary) for piece in dataset_pieces(dataset, "validation")
    ]
    held_out = [counted_rows(piece, vocabulary) for piece in pieces]
    models: dict[str, Baseline] = {
        "order_0": fit(vocabulary, training, 0),
        "order_1": fit(vocabulary, training, 1),
        "best_pairs": fit_best(vocabulary, training, validation),
    }
    figures = {}
    for name, model in models.items():
        costs = model.scores(held_out)
        figures[name] = {
            "bits_per_note": costs.bits_per_note,
            "interval": list(costs.interval()),
            "per_field": costs.per_field,
            "contexts": model.names,
        }
    return figures


def table(figures: dict[str, Any]) -> list[str]:
    """The figures as lines of text."""
    (low, high), pieces = figures["interval"], figures["pieces"]
    fields = ", ".join(f"{name} {bits:.3f}" for name, bits in figures["per_field"].items())
    return [
        f"{figures['bits_per_note']:.3f} bits per note ({low:.3f}–{high:.3f}, 95 %) on "
        f"{figures['notes']:,} notes of {pieces:,} piece{'s' * (pieces != 1)}",
        f"  {fields}",
        *(
            f"  {source:<28} {part['bits_per_note']:7.3f}  {part['notes']:>10,} notes"
            for source, part in figures["per_source"].items()
        ),
        *(
            f"  {name:<28} {part['bits_per_note']:7.3f}"
            for name, part in figures.get("baselines", {}).items()
        ),
    ]
