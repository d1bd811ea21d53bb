"""Mixup in embedding space: two pieces mixed in the proportion λ.

    x = λ·E(a) + (1 − λ)·E(b)         E sums the embeddings of fields and of structure
    loss = λ·nll(a) + (1 − λ)·nll(b)

After mixup (Zhang et al. 2018, arXiv:1710.09412) as MuseNet used it (Payne 2019). λ is drawn for
every window from Beta(α, α); b is the batch in another order. In the cascade head each of the two
is predicted with its own earlier fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_STREAM = 2
"""Separates these random numbers from others of the same seed."""


@dataclass(frozen=True)
class Mixup:
    """How the windows of a batch are mixed.

    Attributes:
        share: λ of each window, `(B,)`.
        other: the index of the window that each is mixed with, `(B,)`.
    """

    share: Tensor
    other: Tensor

    def mix(self, first: Tensor, second: Tensor) -> Tensor:
        """λ·first + (1 − λ)·second for tensors `(B, …)`."""
        share = self.share.view(-1, *(1,) * (first.ndim - 1)).to(first.dtype)
        return share * first + (1 - share) * second


def draw_mixups(
    windows: int, alpha: float, seed: int, numbers: Sequence[int], device: torch.device
) -> Sequence[Mixup | None]:
    """How batches with these numbers are mixed; always the same for the same number.

    λ is folded to ½ … 1, which only swaps a and b. With an `alpha` of 0 nothing is mixed. All are
    moved to the device at once.
    """
    if not alpha:
        return [None] * len(numbers)
    shares, others = [], []
    for number in numbers:
        random = np.random.default_rng([_STREAM, seed, number])
        share = random.beta(alpha, alpha, windows)
        shares.append(np.maximum(share, 1 - share))
        others.append(random.permutation(windows))
    share_NB = torch.from_numpy(np.stack(shares)).float().to(device)
    other_NB = torch.from_numpy(np.stack(others)).long().to(device)
    return [Mixup(share, other) for share, other in zip(share_NB, other_NB, strict=True)]
