"""How far a run is, and the learning rate that goes with it.

A run is as long as its steps or as its minutes of training. With minutes, the part done is the
time that all sessions of the run have spent in training, so that stopping and resuming neither
lengthens nor shortens the decay.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Length:
    """How long a run is: exactly one of optimizer steps and seconds of training is not None."""

    steps: int | None
    seconds: float | None

    def progress(self, step: int, seconds: float) -> float:
        """The part of the run that is done, from 0 to 1."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        return min(1.0, seconds / (self.seconds or 1.0))


def rate(progress: float, step: int, *, warmup: int, decay: float) -> float:
    """The factor on the learning rates: linear up over `warmup` steps, linear down to zero.

    Args:
        progress: part of the run that is done.
        step: steps done; the factor of step 0 is `1 / warmup`.
        warmup: steps of the way up.
        decay: part of the run, at its end, that is the way down.
    """
    up = min(1.0, (step + 1) / warmup) if warmup else 1.0
    down = min(1.0, (1.0 - progress) / decay) if decay else 1.0
    return min(up, down)
