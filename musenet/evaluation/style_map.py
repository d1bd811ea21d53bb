"""The map of composers and styles, from the embeddings of their labels.

A label is a row of the prefix, and its embedding is all that the model knows about it. The
similarity of two labels is the cosine of their vectors minus the mean of all:

    similarity = cos(v − mean, w − mean)

after the figures of MuseNet (Payne 2019) and Jukebox (Dhariwal et al. 2020, arXiv:2005.00341). The
map is t-SNE on 1 − similarity (van der Maaten & Hinton 2008). A rare label still has its random
initial direction, so only the most frequent are shown: by training pieces if a dataset is given,
else by the norm of their vectors, which grows with training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.dataset.pieces import Pieces
from musenet.model.checkpoint import Checkpoint
from tokenizer.errors import InputError, unknown
from tokenizer.labels import composer_name, normalise_composer, period_of, style_kind
from tokenizer.typing import Floats

KINDS = {"composer": ("composer",), "style": ("style",), "all": ("style", "composer")}
"""The kinds of maps, and the controls in each."""


@dataclass(frozen=True)
class Label:
    """A composer or a style.

    Attributes:
        control: such as `composer:bach`.
        name: its short name for display.
        group: its period, or "genre", or "" if unknown.
        pieces: its number of training pieces, or None without a dataset.
    """

    control: str
    name: str
    group: str
    pieces: int | None


@dataclass(frozen=True)
class StyleMap:
    """Labels and their similarities.

    Attributes:
        labels: the labels shown, the most frequent first.
        similarity: `(N, N)` cosines.
    """

    labels: tuple[Label, ...]
    similarity: Floats

    def neighbours(self, index: int, count: int = 5) -> list[tuple[str, float]]:
        """The labels most similar to one, nearest first, each with its similarity."""
        order = np.argsort(-self.similarity[index], kind="stable")
        nearest = [i for i in order.tolist() if i != index][:count]
        return [(self.labels[i].control, float(self.similarity[index, i])) for i in nearest]

    def to_json(self) -> dict[str, Any]:
        """Every label with its neighbours, as plain data."""
        return {
            "labels": [
                {
                    "label": label.control,
                    "name": label.name,
                    "group": label.group or None,
                    "pieces": label.pieces,
                    "neighbours": [
                        {"label": name, "similarity": round(value, 4)}
                        for name, value in self.neighbours(index)
                    ],
                }
                for index, label in enumerate(self.labels)
            ]
        }


def style_map(checkpoint: Checkpoint, kind: str, most: int, dataset: Path | None) -> StyleMap:
    """The map of a checkpoint's labels.

    Args:
        checkpoint: with its tokenizer.
        kind: one of `KINDS`.
        most: maximum number of labels.
        dataset: the training dataset, to count the pieces of each label.

    Raises:
        InputError: if the kind is unknown, or the model has fewer than three such labels.
    """
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    vocabulary = checkpoint.tokenizer.vocabulary
    controls = [f"{k}:{name}" for k in KINDS[kind] for name in vocabulary.names(k)]
    names = set(vocabulary.names("composer"))
    controls = [control for control in controls if _is_one(control, names)]
    counts = None if dataset is None else _counts(dataset)
    if counts is not None:
        controls = [control for control in controls if counts[control]]
    if len(controls) < 3:
        raise InputError(
            f"{checkpoint.folder.name} has {len(controls)} labels of this kind; "
            "a map needs at least three"
        )
    values = [vocabulary.control(control) or 0 for control in controls]
    table = checkpoint.model.embedding.weight.detach().double().cpu().numpy()
    vectors: Floats = table[values]
    length = np.linalg.norm(vectors, axis=1)
    weight = length if counts is None else np.array([counts[c] for c in controls], dtype=float)
    shown = np.argsort(-weight, kind="stable")[:most]
    centred = _centred(vectors, [c.partition(":")[0] for c in controls])[shown]
    chosen = [controls[i] for i in shown.tolist()]
    return StyleMap(
        tuple(
            Label(control, name, _group(control), None if counts is None else counts[control])
            for control, name in zip(chosen, _short(chosen), strict=True)
        ),
        centred @ centred.T,
    )


def _centred(vectors: Floats, kinds: Sequence[str]) -> Floats:
    """Vectors minus the mean of their kind, normalised."""
    result = vectors.copy()
    for kind in set(kinds):
        own = np.array([k == kind for k in kinds])
        result[own] -= result[own].mean(axis=0)
    return result / np.maximum(np.linalg.norm(result, axis=1, keepdims=True), 1e-12)


def _counts(dataset: Path) -> Counter[str]:
    """Training pieces of every label of a dataset."""
    pieces = Pieces(dataset, "train")
    counts: Counter[str] = Counter()
    for index in range(len(pieces)):
        labels = pieces.labels(index)
        counts.update(f"style:{style}" for style in labels.styles)
        counts.update([f"composer:{labels.composer}"] if labels.composer else [])
    return counts


def _is_one(control: str, composers: Collection[str]) -> bool:
    """Whether a label is a style, or a composer who is somebody and not there under another name.

    Older weights have labels such as `english_folk_song`, and two of one composer.
    """
    kind, _, name = control.partition(":")
    if kind != "composer":
        return True
    found = normalise_composer(composer_name(name))
    return found is not None and (found == name or found not in composers)


def _group(control: str) -> str:
    kind, _, name = control.partition(":")
    if kind == "composer":
        return period_of(name) or ""
    return name if style_kind(name) == "period" else "genre"


def _short(controls: Sequence[str]) -> list[str]:
    """Names for a picture: the words of a style, a surname, initials where two have the same.

    Several people, and a surname of one letter, keep the whole name.
    """
    names = []
    for control in controls:
        kind, _, name = control.partition(":")
        if kind == "style":
            names.append([name.replace("_", " ")])
            continue
        *forenames, surname = composer_name(name).split()
        if len(surname) == 1 or "And" in forenames:
            names.append([composer_name(name).replace(" And ", " and ")])
            continue
        initials = [f"{word[0]}." for word in forenames if word[0].isupper()]
        names.append([*initials[:2], surname])
    shared = Counter(parts[-1] for parts in names)
    found = [parts[-1] if shared[parts[-1]] == 1 else " ".join(parts) for parts in names]
    counts = Counter(found)
    return [
        name if counts[name] == 1 else composer_name(control.partition(":")[2])
        for control, name in zip(controls, found, strict=True)
    ]
