"""Distributed training: process groups, reductions and sharding.

`torchrun --nproc-per-node N train.py …` starts the processes. Each runs the same code on its share
of the windows of a batch; with DDP each has all weights, with FSDP2 (`shard`) a part of every
matrix. The first process makes all decisions that depend on the clock or a signal.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from tokenizer.errors import InputError

from .objective import NoteCost
from .settings import Settings


class Group:
    """The processes of a run; a single one without `torchrun`.

    Attributes:
        rank: the number of this process, from 0.
        size: the number of processes.
    """

    def __init__(self, rank: int = 0, size: int = 1, device: torch.device | None = None) -> None:
        self.rank = rank
        self.size = size
        self._device = device or torch.device("cpu")

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and to the terminal."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """Sum a tensor over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def agreed(self, values: Sequence[float]) -> list[float]:
        """The numbers of the first process."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64, device=self._device)
        dist.broadcast(tensor, 0)
        return [float(value) for value in tensor.tolist()]

    def wait(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The group that `torchrun` started this process in, or a single one.

    Raises:
        InputError: if there are fewer GPUs than processes on this machine.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group(device=device)
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if device.type == "cuda":
        if local >= torch.cuda.device_count():
            raise InputError(
                "there are more processes than GPUs; reduce --nproc-per-node of torchrun"
            )
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), size, device)
    finally:
        dist.destroy_process_group()


def share_of(settings: Settings, group: Group) -> int:
    """Windows per step and process.

    Raises:
        InputError: if the batch cannot be divided equally.
    """
    parts = group.size * settings.accumulate
    if settings.batch % parts:
        raise InputError(
            f"batch {settings.batch} cannot be divided among {group.size} processes in "
            f"{settings.accumulate} parts each; make it a multiple of {parts}"
        )
    return settings.batch // group.size


def shard(model: nn.Module, group: Group) -> None:
    """Shard every parameter over the processes (FSDP2); blocks gather theirs when they run."""
    if group.size == 1:
        return
    from torch.distributed.fsdp import fully_shard

    for block in model.blocks:  # type: ignore[union-attr]
        fully_shard(block)


class Cost:
    """The model with its objective, as one process of a group runs it."""

    def __init__(self, cost: NoteCost, settings: Settings, group: Group) -> None:
        self._sharded = settings.shard and group.size > 1
        self._group = group
        if settings.compile:
            cost.compile()
        self._cost: nn.Module = cost
        if self._sharded:
            from torch.distributed.fsdp import fully_shard

            fully_shard(cost)
        elif group.size > 1:
            self._cost = nn.parallel.DistributedDataParallel(cost)

    def __call__(self, *arguments: Any) -> tuple[Tensor, Tensor]:
        """Nats of each field, summed over this process's windows, and the same weighted: `(F,)`."""
        nats, weighted = self._cost(*arguments)
        return nats, weighted

    @contextmanager
    def part(self, *, last: bool) -> Iterator[None]:
        """Exchange gradients between processes only in the last part of a step."""
        if self._sharded:
            self._cost.set_requires_gradient_sync(last)  # type: ignore[operator]
        wrapped = isinstance(self._cost, nn.parallel.DistributedDataParallel)
        with self._cost.no_sync() if wrapped and not last else nullcontext():  # type: ignore[operator]
            yield

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Within the context, the parameters outside the blocks are gathered."""
        if self._sharded:
            self._cost.unshard()  # type: ignore[operator]
        try:
            yield
        finally:
            if self._sharded:
                self._cost.reshard()  # type: ignore[operator]


def whole(tensor: Tensor) -> Tensor:
    """The full tensor of a shard; every process must call this."""
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def placed_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A full tensor, sharded like a parameter."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(parameter, DTensor) or tensor.shape != parameter.shape:
        return tensor.to(parameter.device)
    return distribute_tensor(
        tensor.to(parameter.device), parameter.device_mesh, parameter.placements
    )


def weights(model: nn.Module) -> dict[str, Tensor]:
    """The full parameters by name; every process must call this."""
    return {name: whole(tensor.detach()) for name, tensor in model.state_dict().items()}


@torch.no_grad()
def load_weights(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load parameters from `weights` into a model, sharded or not.

    Raises:
        InputError: if they do not fit the model.
    """
    present = model.state_dict()
    if present.keys() != state.keys() or any(present[n].shape != state[n].shape for n in present):
        raise InputError("the checkpoint's weights do not fit the model")
    for name, tensor in present.items():
        tensor.copy_(placed_like(state[name].to(tensor.dtype), tensor))
