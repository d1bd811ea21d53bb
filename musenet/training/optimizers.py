"""The optimizers of a run, and their state as named tensors.

Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks") moves each
hidden matrix by the nearest orthogonal matrix to its momentum; its rate is in AdamW's scale
(Liu et al. 2025, "Muon is scalable for LLM training", eq. 4). Embeddings, the heads' output
tables, norms and biases are not linear maps between hidden spaces and use AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from musenet.model.transformer import Transformer
from tokenizer.errors import InputError

from .distributed import placed_like, whole
from .half_adam import HalfAdam
from .muon import Muon
from .settings import Settings
from .variants import low_rank

Named = list[tuple[str, nn.Parameter]]

_EXTRA = "extra"


def by_kind(model: Transformer) -> tuple[Named, Named]:
    """The model's parameters as (matrices between hidden states, all others), each by name."""
    inside = {id(parameter) for parameter in model.hidden_matrices()}
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if any(low_rank.MARK in name for name, _ in named):
        return [], named  # the parts of a product are no maps between hidden spaces
    hidden = [(name, p) for name, p in named if id(p) in inside]
    return hidden, [(name, p) for name, p in named if id(p) not in inside]


class Optimizers:
    """Several optimizers that step together, with one factor on all their rates."""

    def __init__(self, parts: Mapping[str, tuple[torch.optim.Optimizer, Named]]) -> None:
        self.parts = {name: part for name, part in parts.items() if part[1]}
        self._rates = {
            name: [group["lr"] for group in optimizer.param_groups]
            for name, (optimizer, _) in self.parts.items()
        }

    def set_rate(self, factor: float) -> None:
        """Make every learning rate `factor` times the one it was built with."""
        for name, (optimizer, _) in self.parts.items():
            for group, rate in zip(optimizer.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * factor

    @property
    def rates(self) -> dict[str, float]:
        """The present learning rate of each part."""
        return {name: o.param_groups[0]["lr"] for name, (o, _) in self.parts.items()}

    def step(self) -> None:
        """Update every parameter and clear the gradients."""
        for optimizer, _ in self.parts.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(iter(self.parameters())).device

    @property
    def loss_scale(self) -> float:
        """Factor for the loss, so that half-precision gradients do not underflow."""
        return self._half.loss_scale if self._half else 1.0

    @property
    def skips(self) -> bool:
        """Whether a step with a non-finite gradient is skipped."""
        return self._half is not None

    def clip(self, largest: float) -> Tensor:
        """Scale the gradients so that their joint norm is at most `largest`.

        Returns:
            The norm before clipping, on the device.
        """
        if self._half:
            return self._half.norm()
        return whole(nn.utils.clip_grad_norm_(list(self.parameters()), largest))

    @property
    def _half(self) -> HalfAdam | None:
        found = [o for o, _ in self.parts.values() if isinstance(o, HalfAdam)]
        return found[0] if found else None

    def zero_grad(self) -> None:
        """Clear the gradients."""
        for optimizer, _ in self.parts.values():
            optimizer.zero_grad(set_to_none=True)

    def parameters(self) -> Iterator[nn.Parameter]:
        """Every parameter."""
        for _, named in self.parts.values():
            for _, parameter in named:
                yield parameter

    def tensors(self) -> dict[str, Tensor]:
        """The whole state, as `part/parameter/entry` to tensor."""
        state: dict[str, Tensor] = {}
        for part, (optimizer, named) in self.parts.items():
            for name, parameter in named:
                for entry, value in optimizer.state[parameter].items():
                    tensor = value if isinstance(value, Tensor) else torch.tensor(value)
                    state[f"{part}/{name}/{entry}"] = whole(tensor.detach())
        if self._half:
            for name, number in self._half.extra().items():
                state[f"{_EXTRA}/{name}"] = torch.tensor(number, dtype=torch.float64)
        return state

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore a state from `tensors`.

        Raises:
            InputError: if it belongs to other optimizers or another model.
        """
        extra = _entries(state, f"{_EXTRA}/")
        taken = len(extra)
        if self._half and extra:
            self._half.take({name: float(number) for name, number in extra.items()})
        for part, (optimizer, named) in self.parts.items():
            for name, parameter in named:
                start = f"{part}/{name}/"
                entries = _entries(state, start)
                for entry, tensor in entries.items():
                    if not _fits(tensor, parameter):
                        raise InputError(f"the optimizer state {start}{entry} has another shape")
                    placed = placed_like(tensor, parameter) if tensor.ndim else tensor
                    optimizer.state[parameter][entry] = placed.clone()
                taken += len(entries)
        if taken != len(state):
            raise InputError(
                "the checkpoint's optimizer state does not match; resume with the same optimizer"
            )


def _fits(tensor: Tensor, parameter: Tensor) -> bool:
    """Whether a state is a number, or has the parameter's shape, or one value for each row."""
    row_wise = (*parameter.shape[:1], *(1,) * (parameter.ndim - 1))
    return tensor.ndim == 0 or tensor.shape in (parameter.shape, row_wise)


def _entries(state: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    found = {key: value for key, value in state.items() if key.startswith(start)}
    return {key.removeprefix(start): value for key, value in found.items()}


def create_optimizers(model: Transformer, settings: Settings) -> Optimizers:
    """The optimizers given by the settings."""
    hidden, others = by_kind(model)
    if settings.optimizer == "muon" and hidden:
        muon = Muon(_parameters(hidden), lr=settings.muon_rate, weight_decay=settings.weight_decay)
        adam = _adamw(_parameters(others), settings.adam_rate, 0.0)
        return Optimizers({"muon": (muon, hidden), "adamw": (adam, others)})
    if settings.optimizer == "half":
        return Optimizers({"half": (_half(hidden, others, settings), [*hidden, *others])})
    parts = {
        "adamw": (_adamw(_parameters(others), settings.adam_rate, 0.0), others),
    }
    if hidden:
        decayed = _adamw(_parameters(hidden), settings.adam_rate, settings.weight_decay)
        parts["adamw_hidden"] = (decayed, hidden)
    return Optimizers(parts)


def _parameters(named: Iterable[tuple[str, nn.Parameter]]) -> list[nn.Parameter]:
    return [parameter for _, parameter in named]


def _adamw(parameters: list[nn.Parameter], rate: float, decay: float) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        parameters, lr=rate, betas=(0.9, 0.95), eps=1e-10, weight_decay=decay, foreach=True
    )


def _half(hidden: Named, others: Named, settings: Settings) -> HalfAdam:
    groups = [
        {"params": _parameters(hidden), "weight_decay": settings.weight_decay},
        {"params": _parameters(others), "weight_decay": 0.0},
    ]
    return HalfAdam(groups, settings.adam_rate, clip=settings.clip)
