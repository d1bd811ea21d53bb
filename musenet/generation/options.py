"""What a composer asks for, as one record: the same for the command line, Python and recipes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from musenet.sampling.filters import FieldSampling, Sampling
from musenet.sampling.grammar import Limits
from tokenizer.errors import InputError
from tokenizer.theory import Key

DEFAULT_BARS = 16
MOST_VARIATIONS = 64

NATURAL: FieldSampling = tuple(
    Sampling(temperature=1.0, top_p=top_p) for top_p in (0.98, 0.98, 0.95, 0.96, 0.96)
)
"""How the fields are drawn without being asked: the model as it is, less its unlikeliest values."""

FRESH: FieldSampling = tuple(
    Sampling(temperature=1.0, top_p=top_p) for top_p in (0.98, 0.98, 0.98, 0.96, 0.96)
)
"""The same where there is no prompt whose pitches are as varied as the piece's: more pitches."""


def sampling_for(prompt: object | None) -> FieldSampling:
    """How the fields are drawn after a prompt, or without one, where nobody says it."""
    return FRESH if prompt is None else NATURAL


@dataclass(frozen=True)
class Options:
    """What is asked for; every field has a default that sounds well.

    Attributes:
        bars: length of the new music in bars; None where `seconds` says it.
        seconds: length of the whole piece in seconds, prompt included, or None.
        ending: whether the music is to come to an end there.
        composer: id of the composer whose manner is asked for (`tokenizer.labels`).
        styles: ids of styles.
        instruments: programs asked for (128 is drums), beside those of the prompt.
        only_instruments: programs beside which nothing may play, or None.
        new_instruments: whether instruments may come in that neither the prompt has nor anybody
            asked for; without a prompt they may in any case.
        tempo: quarters a minute; None is the prompt's, or 100 without a prompt.
        meter: (numerator, denominator) of a piece without prompt; None is 4/4.
        key: (fifths, minor); None is the prompt's, or left to the model.
        sampling: how each field is drawn.
        limits: what may not be broken.
        balance: how strongly the instruments keep the shares that they have in the prompt; 0
            leaves it to the model (see `musenet.sampling.instrument_balance`).
        manner: how strongly a continuation keeps to the prompt's pitch classes (unless a key is
            asked for), note lengths and rhythm, and a new piece to those of its opening; 0 leaves
            it to the model (see `musenet.sampling.style_penalty`).
        repetition: how strongly figures that go round too often are broken; 1 is not at all (see
            `musenet.sampling.loop_penalty`).
        overlap: share of the context kept when music goes on past it.
        seed: of all variations.
        variations: numbers of the variations, each at least 1.
        engine: what computes (`musenet.decoding.engines`); a recipe names the one that did.
    """

    bars: int | None = DEFAULT_BARS
    seconds: float | None = None
    ending: bool = False
    composer: str | None = None
    styles: tuple[str, ...] = ()
    instruments: tuple[int, ...] = ()
    only_instruments: tuple[int, ...] | None = None
    new_instruments: bool = False
    tempo: float | None = None
    meter: tuple[int, int] | None = None
    key: Key | None = None
    sampling: FieldSampling = NATURAL
    limits: Limits = field(default_factory=Limits)
    balance: float = 1.0
    manner: float = 1.0
    repetition: float = 1.5
    overlap: float = 0.5
    seed: int = 0
    variations: tuple[int, ...] = (1,)
    engine: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what contradicts itself or lies outside what can be made."""
        if (self.bars is None) == (self.seconds is None):
            raise InputError("give a length in bars or in minutes, one of the two")
        if self.bars is not None and not 1 <= self.bars <= 10_000:
            raise InputError(f"{self.bars} bars is outside 1 to 10,000")
        if self.seconds is not None and not 1 <= self.seconds <= 36_000:
            raise InputError("a length is 1 second to 10 hours")
        if self.tempo is not None and not 10 <= self.tempo <= 400:
            raise InputError(f"a tempo of {self.tempo:g} is outside 10 to 400 quarters a minute")
        for name, strength in (("balance", self.balance), ("manner", self.manner)):
            if not 0 <= strength <= 2:
                raise InputError(f"a {name} of {strength:g} is outside 0 to 2")
        if not 1 <= self.repetition <= 100:
            raise InputError(f"a repetition of {self.repetition:g} is outside 1 to 100; 1 is none")
        if not 0.1 <= self.overlap <= 0.9:
            raise InputError(f"an overlap of {self.overlap:g} is outside 0.1 to 0.9")
        if not 0 <= self.seed < 1 << 63:
            raise InputError(f"the seed {self.seed} is outside 0 to 2^63 - 1")
        count = len(set(self.variations))
        if not 1 <= count <= MOST_VARIATIONS or min(self.variations) < 1:
            raise InputError(f"give 1 to {MOST_VARIATIONS} variations at once")

    def to_json(self) -> str:
        """One line of JSON with everything, defaults too: these may change, a recipe may not."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Options:
        """The inverse of `to_json`.

        Raises:
            InputError: if the text is no record of options of this version.
        """
        try:
            given = json.loads(text)
            known = {f.name for f in fields(cls)}
            if not isinstance(given, dict) or not set(given) <= known:
                raise InputError("the recipe is of another version of this program")
            if "sampling" in given:
                given["sampling"] = tuple(Sampling(**how) for how in given["sampling"])
            if "limits" in given:
                limits = {k: _frozen(v) for k, v in given["limits"].items()}
                given["limits"] = Limits(**limits)
            if given.get("key") is not None:
                given["key"] = Key(*given["key"])
            return cls(**{k: _frozen(v) for k, v in given.items()})
        except (ValueError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"the recipe is damaged ({error})") from error


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
