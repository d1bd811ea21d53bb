"""A sweep over learning rates: the same short run at several multiples of them.

    RUN/sweep/0.5  RUN/sweep/1  RUN/sweep/2  …     a run each, with the best validation of each

A sweep that was stopped goes on: runs that are over are not run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tokenizer.errors import InputError

from ..distributed import Group
from ..metrics import MetricsRow, read_metrics
from ..session import Session
from ..settings import Settings
from ..start import resume_run, start_run

SweptRun = tuple[float, Settings, float]
"""A factor, the settings with it, and the bits per note that they reached."""


def factors(text: str) -> list[float]:
    """The factors in a text such as `0.5,1,2`.

    Raises:
        InputError: if one is no positive number, or there are fewer than two different ones.
    """
    try:
        found = sorted({float(part) for part in text.split(",")})
    except ValueError:
        found = []
    if len(found) < 2 or found[0] <= 0:
        raise InputError(f"'{text}' is no list of factors; write at least two, such as 0.5,1,2")
    return found


def sweep(
    dataset: Path,
    folder: Path,
    settings: Settings,
    multiples: Sequence[float],
    group: Group,
    train: Callable[[Session], int],
) -> Iterator[SweptRun]:
    """Train with each factor on both learning rates, and yield what it reached.

    Args:
        dataset: to train on.
        folder: of the run; the runs of the sweep are in its subfolder `sweep`.
        settings: of every run but for its rates.
        multiples: the factors.
        group: the processes.
        train: trains a session, and returns the signal that stopped it, or 0.

    Raises:
        InputError: if a run cannot start, or none has anything to compare.
    """
    for factor in multiples:
        own = replace(
            settings,
            muon_rate=factor * settings.muon_rate,
            adam_rate=factor * settings.adam_rate,
        )
        run = folder / "sweep" / f"{factor:g}"
        begun = (run / "settings.json").is_file()
        session = (
            resume_run(run, dataset, {}, group) if begun else start_run(dataset, run, own, group)
        )
        if train(session):
            return
        yield factor, own, reached(read_metrics(run / "metrics.jsonl"))


def reached(rows: Sequence[MetricsRow]) -> float:
    """The best validation of a run, or without any the last bits per note of its training."""
    held_out = [row["bits_per_note"] for row in rows if row["kind"] == "validation"]
    trained = [row["bits_per_note"] for row in rows if row["kind"] == "train"]
    return min(held_out) if held_out else trained[-1]


def table(runs: Sequence[SweptRun]) -> list[str]:
    """The runs as lines, and what to give `musenet train` for the best."""
    best = min(runs, key=lambda run: run[2])
    lines = [f"{'factor':>8} {'muon_rate':>10} {'adam_rate':>10} {'bits/note':>10}"]
    for factor, settings, bits in runs:
        mark = "  the best" if factor == best[0] else ""
        rates = f"{settings.muon_rate:>10.3g} {settings.adam_rate:>10.3g}"
        lines.append(f"{factor:>8g} {rates} {bits:>10.4f}{mark}")
    if len(runs) > 1 and best[0] in (runs[0][0], runs[-1][0]):
        lines.append("The best stands at the edge: sweep further in that direction.")
    rates = f"--set muon_rate={best[1].muon_rate:.3g} --set adam_rate={best[1].adam_rate:.3g}"
    return [*lines, f"Train with {rates}."]
