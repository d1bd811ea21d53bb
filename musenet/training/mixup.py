"""Mixup in embedding space: two pieces at once, in the proportion λ.

    x = λ·E(a) + (1 − λ)·E(b)         E sums the embeddings of fields and of structure
    loss = λ·nll(a) + (1 − λ)·nll(b)

After mixup (Zhang et al. 2018, arXiv:1710.09412) as MuseNet used it (Payne 2019). λ is drawn for
every window from Beta(α, α); b is the batch in another order. In the cascade head each of the two
is predicted with its own earlier fields.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_STREAM = 2
"""Keeps these draws apart from others of the same seed."""


@dataclass(frozen=True)
class Mix:
    """How the windows of a batch are mixed.

    Attributes:
        share: λ of each window, `(B,)`.
        other: the index of the window that each is mixed with, `(B,)`.
    """

    share: Tensor
    other: Tensor

    def weigh(self, own: Tensor, other: Tensor) -> Tensor:
        """λ·own + (1 − λ)·other for tensors `(B, …)`."""
        share = self.share.view(-1, *(1,) * (own.ndim - 1)).to(own.device, own.dtype)
        return share * own + (1 - share) * other


def draw(windows: int, alpha: float, seed: int, step: int) -> Mix:
    """The mix of a step's batch: the same whenever it is asked for.

    λ is folded to ½ … 1, which changes nothing but the names of a and b.
    """
    random = np.random.default_rng([_STREAM, seed, step])
    share = random.beta(alpha, alpha, windows)
    other = random.permutation(windows)
    return Mix(
        torch.from_numpy(np.maximum(share, 1 - share)).float(), torch.from_numpy(other).long()
    )
