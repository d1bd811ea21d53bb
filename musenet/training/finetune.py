"""Fine-tuning a model on a user's folder, briefly and at low learning rates.

    RUN/data         the folder as a dataset (`finetune_data`)
    RUN/checkpoints  and the other files of a run (`session`)
    MODEL            the resulting model, with its card

If pieces are held out, the run keeps the model with the best validation score, and both models are
compared on the test pieces. Otherwise the last model is used, without a comparison.
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
from musenet.model.adapter import copy_adapter
from musenet.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from musenet.model.likelihood import BITS
from musenet.model.precision import device_of
from tokenizer.errors import InputError

from .card import card
from .finetune_data import finetuning_plan, prepare_folder
from .publish import data_facts
from .reports import memory
from .session import Session
from .settings import settings_of
from .start import resume_run, start_run

MINUTES = 10.0

GENTLE: dict[str, Any] = {"muon_rate": 5e-4, "adam_rate": 5e-4, "warmup": 20, "decay": 1.0}
"""Differences from training from scratch: low learning rates that decay over the whole run."""

SMALL_CHANGES: dict[str, Any] = {**GENTLE, "adam_rate": 2e-3, "weight_decay": 0.0}
"""The same for LoRA, whose few numbers begin at nothing."""

VALIDATIONS = 5
"""Validations in a run of the default length."""

FEW = 5
"""With fewer held-out pieces, the comparison is unreliable."""

_MOST_PIECES = 40


def is_begun(work: Path) -> bool:
    """Whether a folder contains a run that can be resumed."""
    return (work / "settings.json").is_file()


def check_free(work: Path, out: Path) -> None:
    """Refuse to overwrite an earlier run or model.

    Raises:
        InputError: if one of the folders exists.
    """
    if is_begun(work):
        raise InputError(
            f"{work} already contains a run; continue it with --resume, or choose another --out"
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
    """Prepare a folder and start a run on it.

    Args:
        inputs: folders, archives or files of MIDI.
        work: the run's folder.
        weights: the name of a bundled model, or a checkpoint folder.
        changes: settings that differ from `GENTLE`.
        composer: composer of files without a composer label.
        path_labels: a pattern such as `{composer}/{title}.mid`.

    Raises:
        InputError: if the music, the weights or a setting cannot be used.
    """
    initial = load_checkpoint(weights)
    minutes = changes.get("minutes") or MINUTES
    resolved = settings_of(
        {
            **(SMALL_CHANGES if changes.get("lora") else GENTLE),
            "minutes": minutes,
            "validate_minutes": minutes / VALIDATIONS,
            "save_minutes": min(5.0, minutes / 2),
            "context": initial.config.context,
        },
        changes,
        {"initial": weights},
    )
    memory.check_enough(initial.config, resolved, device_of(resolved.device), 1)
    plan = finetuning_plan(composer, path_labels, new_labels=not resolved.lora)
    report = prepare_folder(inputs, work / "data", initial.tokenizer, plan)
    pieces = ", ".join(f"{part.pieces} for {name}" for name, part in sorted(report.splits.items()))
    print(f"{report.files:,} files read, {report.total.pieces:,} pieces kept: {pieces}")
    return start_run(work / "data", work, resolved)


def resume(work: Path, changes: Mapping[str, Any]) -> Session:
    """Resume a stopped run, with changed settings if given."""
    return resume_run(work, None, changes)


@dataclass(frozen=True)
class Comparison:
    """Two models on the same held-out pieces.

    Attributes:
        split: `test`, or `validation` if the pieces also selected the model.
        before: scores of the initial model.
        after: scores of the fine-tuned model.
    """

    split: str
    before: Scores
    after: Scores

    @property
    def pieces(self) -> int:
        """The number of pieces."""
        return len(self.before.notes)

    @property
    def notes(self) -> int:
        """The number of notes."""
        return int(self.before.notes.sum())

    @property
    def interval(self) -> Interval | None:
        """The 95 % bootstrap interval of the change in bits per note; None for one piece."""
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
    """Score both models on the held-out pieces; None if there are none."""
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
    """A comparison in words, with its reliability."""
    if facts is None:
        return (
            "No piece was held out, because the folder has too few different ones, so the "
            "improvement could not be measured."
        )
    change = round(facts["after"] - facts["before"], 3) + 0.0  # -0.0 would be written -0.000
    words = (
        f"Bits per note of {facts['pieces']} held-out piece(s) ({facts['notes']:,} notes): "
        f"{facts['before']:.3f} before, {facts['after']:.3f} after"
    )
    if facts["change_interval"]:
        low, high = (round(bound, 3) + 0.0 for bound in facts["change_interval"])
        words += f" ({change:+.3f}; 95 % over pieces: {low:+.3f} to {high:+.3f})"
    words += "."
    if change >= 0:
        words += " It did not improve on them: try more music."
    if facts["split"] == "validation":
        words += " The same piece(s) selected the model, so expect slightly less."
    if facts["pieces"] < FEW:
        words += " So few pieces are not reliable."
    return words


def finish(session: Session, out: Path, *, merge: bool = False) -> dict[str, Any] | None:
    """Write a finished run's model to `out` with its card; returns the facts of the comparison.

    With LoRA `out` becomes an adapter, or with `merge` a model like any other.

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
    text += (
        f"\n## Fine-tuning\n\nFine-tuned from {initial.folder.name}. {describe_comparison(facts)}\n"
    )
    if session.settings.lora and not merge:
        of = work / f"{'best' if has_best else 'last'}-adapter"
        copy_adapter(of, out, training, _adapter_card(out.name, initial, facts))
    else:
        save_checkpoint(out, adapted.model, adapted.tokenizer, training, text)
    return facts


def _adapter_card(name: str, initial: Checkpoint, facts: Mapping[str, Any] | None) -> str:
    return (
        f"# {name}\n\nA LoRA adapter for the weights {initial.folder.name} ({initial.hash}). "
        f"{describe_comparison(facts)}\n\n```\nmusenet generate PROMPT.mid "
        f"--weights {initial.folder.name}+{name} --out OUT.mid\n```\n"
    )
