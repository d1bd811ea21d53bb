"""Fine-tuning: a model goes on learning from a user's own folder, gently and for a short while.

    RUN/data         the folder as a dataset (`finetune_data`)
    RUN/checkpoints  and all else that a run has (`session`)
    MODEL            the outcome, with its card

Where pieces are held out, the run keeps the model that did best on those for validation, and both
models are compared on those for the test. Where there are none, the last model is taken and
nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.dataset.pieces import splits_of
from musenet.evaluation.bootstrap import Interval, bootstrap
from musenet.evaluation.inputs import dataset_pieces, dataset_tokenizer
from musenet.evaluation.likelihood import Scores, score
from musenet.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from musenet.model.likelihood import BITS
from tokenizer.errors import InputError

from .card import card
from .finetune_data import finetuning_plan, prepare_folder
from .publish import data_facts
from .session import Session
from .settings import settings_of
from .start import resume_run, start_run

MINUTES = 10.0

GENTLE: dict[str, Any] = {"muon_rate": 5e-4, "adam_rate": 5e-4, "warmup": 20, "decay": 1.0}
"""What differs from training from nothing: low rates that fall from the beginning to the end."""

VALIDATIONS = 5
"""How often a run of the default length is validated."""

FEW = 5
"""Held-out pieces below which a figure says little."""

_MOST_PIECES = 40


def is_begun(work: Path) -> bool:
    """Whether a folder holds a run, so that there is something to go on with."""
    return (work / "settings.json").is_file()


def check_free(work: Path, out: Path) -> None:
    """Refuse to write over an earlier run or model.

    Raises:
        InputError: if one of the folders is taken.
    """
    if is_begun(work):
        raise InputError(
            f"{work} already holds a run; go on with --resume, or choose another --out"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} already exists; choose another --out")


def begin(
    inputs: Sequence[str],
    work: Path,
    weights: str,
    changes: Mapping[str, Any],
    composer: str | None = None,
    path_labels: str | None = None,
) -> Session:
    """Prepare a folder and begin a run on it.

    Args:
        inputs: folders, archives or files of MIDI.
        work: the run's folder.
        weights: a shipped model's name, or a checkpoint folder.
        changes: settings that differ from `GENTLE`.
        composer: who wrote what nothing else says.
        path_labels: a pattern such as `{composer}/{title}.mid`.

    Raises:
        InputError: if the music, the weights or a setting is no good.
    """
    initial = load_checkpoint(weights)
    minutes = changes.get("minutes") or MINUTES
    resolved = settings_of(
        {
            **GENTLE,
            "minutes": minutes,
            "validate_minutes": minutes / VALIDATIONS,
            "save_minutes": min(5.0, minutes / 2),
            "context": initial.config.context,
        },
        changes,
        {"initial": weights},
    )
    plan = finetuning_plan(composer, path_labels)
    report = prepare_folder(inputs, work / "data", initial.tokenizer, plan)
    pieces = ", ".join(f"{part.pieces} for {name}" for name, part in sorted(report.splits.items()))
    print(f"{report.files:,} files read, {report.total.pieces:,} pieces kept: {pieces}")
    return start_run(work / "data", work, resolved)


def resume(work: Path, changes: Mapping[str, Any]) -> Session:
    """Go on with a run that was stopped, with settings changed where they are given."""
    return resume_run(work, None, changes)


@dataclass(frozen=True)
class Comparison:
    """Two models on the same held-out pieces.

    Attributes:
        split: `test`, or `validation` where the pieces also chose the model.
        before: what they cost the model that the run began with.
        after: what they cost the adapted one.
    """

    split: str
    before: Scores
    after: Scores

    @property
    def pieces(self) -> int:
        """How many pieces."""
        return len(self.before.notes)

    @property
    def notes(self) -> int:
        """How many notes."""
        return int(self.before.notes.sum())

    @property
    def interval(self) -> Interval | None:
        """95 % of the change in bits per note over pieces drawn with replacement; None for one."""
        if self.pieces < 2:
            return None
        change = (self.after.nats - self.before.nats).sum(axis=1) * BITS
        return bootstrap(change, self.before.notes)

    def facts(self) -> dict[str, Any]:
        """The comparison as plain data."""
        return {
            "split": self.split,
            "pieces": self.pieces,
            "notes": self.notes,
            "before": round(self.before.bits_per_note, 4),
            "after": round(self.after.bits_per_note, 4),
            "change_interval": self.interval and [round(end, 4) for end in self.interval],
        }


def compare(initial: Checkpoint, adapted: Checkpoint, dataset: Path) -> Comparison | None:
    """What a dataset's held-out pieces cost either model, or None where it holds none out."""
    split = next((s for s in ("test", "validation") if s in splits_of(dataset)), None)
    if split is None:
        return None
    pieces = dataset_pieces(dataset, split)[:_MOST_PIECES]
    tokenizer = dataset_tokenizer(dataset)
    before, after = (
        score(c.model, tokenizer, pieces, context=c.config.context) for c in (initial, adapted)
    )
    return Comparison(split, before, after)


def describe_comparison(facts: Mapping[str, Any] | None) -> str:
    """A comparison in words, with what it is worth."""
    if facts is None:
        return (
            "No piece was held out, because the folder has too few that differ: nothing is known "
            "of how much better the model is on music like it."
        )
    change = facts["after"] - facts["before"]
    words = (
        f"A note of {facts['pieces']} held-out piece(s) ({facts['notes']:,} notes) cost "
        f"{facts['before']:.3f} bits before and costs {facts['after']:.3f} after"
    )
    if facts["change_interval"]:
        low, high = facts["change_interval"]
        words += f" ({change:+.3f}; 95 % over pieces: {low:+.3f} to {high:+.3f})"
    words += "."
    if change >= 0:
        words += " It has not learned what carries over to them: give it more music."
    if facts["split"] == "validation":
        words += " The same piece(s) chose the best moment of the run, so expect a little less."
    if facts["pieces"] < FEW:
        words += " So few pieces say little."
    return words


def finish(session: Session, out: Path) -> dict[str, Any] | None:
    """Write a finished run's model to `out` with its card; gives the comparison's facts.

    Raises:
        InputError: if `out` cannot be written.
    """
    work = session.folder
    initial = load_checkpoint(session.settings.initial)
    has_best = (work / "best" / "config.json").is_file()
    adapted = load_checkpoint(work / ("best" if has_best else "last"))
    comparison = compare(initial, adapted, work / "data")
    facts = None if comparison is None else comparison.facts()
    training = {**adapted.training, "data": data_facts(work / "data"), "fine_tuning": facts}
    parameters = sum(p.numel() for p in adapted.model.parameters())
    text = card(out.name, adapted.config, parameters, training)
    text += f"\n## Fine-tuning\n\nBegan with {initial.folder.name}. {describe_comparison(facts)}\n"
    save_checkpoint(out, adapted.model, adapted.tokenizer, training, text)
    return facts
