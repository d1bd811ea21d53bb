"""An evaluation from beginning to end: a model, some music, and the figures as plain data."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musenet.model.checkpoint import load_checkpoint
from musenet.model.precision import device_of, matmul_dtype
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError

from .baselines import Baseline, fit, fit_best, rows_of
from .generated import decoded, originality_figures, scores_of, statistics_figures
from .inputs import check_same, dataset_pieces, dataset_tokenizer, find_pieces
from .likelihood import Conditions, Piece, score, summary


@dataclass(frozen=True)
class Request:
    """What is to be scored, and how.

    Attributes:
        paths: folders, archives, MIDI files, or datasets.
        weights: a shipped model's name, or a checkpoint folder.
        split: of datasets.
        context: rows read at once; None is what the model was trained with.
        labels: whether the model is told what is known of each piece.
        baselines: a dataset on whose training split models of counts are fitted, or None.
        music: folders of music that the model made, to be compared with what is scored.
        library: a dataset with whose training split that music is compared, or None.
        device: `cpu`, `cuda` or `auto`.
        batch: windows at once.
        precision: of matrix products, `bf16` or `fp32`.
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
    precision: str = "bf16"


def scored(request: Request) -> dict[str, Any]:
    """The figures that `request` asks for.

    Raises:
        InputError: if the model or the music cannot be used.
    """
    loaded = load_checkpoint(
        request.weights,
        device=device_of(request.device),
        compute=matmul_dtype(request.precision),
    )
    found = find_pieces(request.paths, loaded.tokenizer, request.split)
    context = request.context or trained_context(loaded.training, loaded.config.context)
    if context > loaded.config.context:
        raise InputError(f"the model reads at most {loaded.config.context} tokens at once")
    begun = time.perf_counter()
    scores = score(
        loaded.model,
        loaded.tokenizer,
        found.pieces,
        context=context,
        batch=request.batch,
        conditions=Conditions(labels=request.labels),
        progress=_Progress(),
    )
    result = {
        **summary(found.pieces, scores),
        "weights": str(request.weights),
        "weights_hash": loaded.hash,
        "context": context,
        "told": "labels and meter" if request.labels else "meter",
        "seconds": round(time.perf_counter() - begun, 1),
        "refused": found.refused,
    }
    if request.baselines is not None:
        result["baselines"] = baseline_figures(request.baselines, found.pieces, loaded.tokenizer)
    if request.music:
        made = scores_of(request.music)
        result["music"] = statistics_figures(made, decoded(found.pieces, loaded.tokenizer))
        if request.library is not None:
            check_same(loaded.tokenizer, dataset_tokenizer(request.library), request.library)
            result["originality"] = originality_figures(made, found.pieces, request.library)
    return result


def trained_context(training: dict[str, Any], longest: int) -> int:
    """The context that a model was trained with, where its record says so, else its longest."""
    said = training.get("settings", {}).get("context", longest)
    return min(int(said), longest)


def baseline_figures(
    dataset: Path, pieces: tuple[Piece, ...], tokenizer: Tokenizer
) -> dict[str, Any]:
    """Bits per note of models of counts, fitted on a dataset's training split."""
    check_same(tokenizer, dataset_tokenizer(dataset), dataset)
    vocabulary = dataset_tokenizer(dataset).vocabulary
    training = [rows_of(piece, vocabulary) for piece in dataset_pieces(dataset, "train")]
    validation = [rows_of(piece, vocabulary) for piece in dataset_pieces(dataset, "validation")]
    held_out = [rows_of(piece, vocabulary) for piece in pieces]
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


def print_table(result: dict[str, Any]) -> None:
    """Print the figures as a table for the terminal."""
    low, high = result["interval"]
    print(
        f"{result['bits_per_note']:.3f} bits per note ({low:.3f}–{high:.3f}, 95 %) on "
        f"{result['notes']:,} notes of {result['pieces']:,} pieces"
    )
    fields = ", ".join(f"{name} {bits:.3f}" for name, bits in result["per_field"].items())
    print(f"  {fields}")
    for source, part in result["per_source"].items():
        print(f"  {source:<28} {part['bits_per_note']:7.3f}  {part['notes']:>10,} notes")
    for name, part in result.get("baselines", {}).items():
        print(f"  {name:<28} {part['bits_per_note']:7.3f}")
    if result["refused"]:
        print(f"  {len(result['refused'])} files could not be read", file=sys.stderr)


class _Progress:
    """A line on the terminal that counts windows."""

    def __init__(self) -> None:
        self._done = 0
        self._begun = time.perf_counter()

    def __call__(self, windows: int) -> None:
        self._done += windows
        if sys.stderr.isatty():
            speed = self._done / max(1e-9, time.perf_counter() - self._begun)
            print(f"\r{self._done} windows, {speed:.1f} a second", end="", file=sys.stderr)
