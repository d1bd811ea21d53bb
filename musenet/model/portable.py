"""The network in plain operations, for other runtimes: `torch.export`, and ONNX.

The same function as `Transformer`, without caches, complex numbers or gradients written out, so
that exporters can follow it. Sequences may have any length up to the context.

    trunk.onnx   tokens int64 [B, T, F], structure int64 [B, T, S]  →  state fp32 [B, T, D]
    head.onnx    state fp32 [B, D], row int64 [B, F], known int64 [B, K]  →  logits_f fp32 [B, V]
    contract.json   all names, sizes and the order of the structure's columns

`state[:, t]` is what the row after row t is predicted from. `logits_f` reads the fields before f of
`row` alone, so a row is sampled by F runs of the head, each with one more field filled in; `known`
are the first K columns of the structure that the new row has once its field 0 is (0 before).

Shape suffixes: B batch, T positions, F fields, S structural features, D width, H heads, C channels.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musenet.attention.patterns import allowed
from musenet.attention.rotary_rates import index_rates, time_rates
from tokenizer.encoding.structure import COLUMNS
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError
from tokenizer.files import check_replaceable, replacing_folder

from .blocks import Block, Norm
from .checkpoint import Checkpoint
from .config import EPSILON
from .embeddings import SummedEmbedding
from .heads import CascadeHead
from .transformer import Transformer

OPSET = 17


class PortableTrunk(nn.Module):
    """Rows and their structure to the state that the next rows are predicted from.

    Args:
        model: whose parameters are shared.
    """

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens_BTF: Tensor, structure_BTS: Tensor) -> Tensor:
        """The state [B, T, D] of rows [B, T, F] with structure [B, T, S]."""
        model, config = self.model, self.model.config
        features = structure_BTS[..., : len(config.structure_sizes)]
        x = _embedded(model.embedding, torch.cat((tokens_BTF, features), -1))
        length = tokens_BTF.shape[1]
        if model.positions is not None:
            x = x + model.positions[:length]
        if config.norm == "rms":
            x = _rms(x)
        place_T = torch.arange(length, device=x.device)
        angles = None if model.positions is not None else self._angles(place_T, structure_BTS)
        for block in model.blocks:
            assert isinstance(block, Block)
            x = x + self._attention(block, _normed(block.attention_norm, x), place_T, angles)
            inner = F.linear(_normed(block.mlp_norm, x), block.up)
            inner = inner.relu().square() if config.activation == "squared_relu" else F.gelu(inner)
            x = x + F.linear(inner, block.down)
        return _normed(model.norm, x)

    def _angles(self, place_T: Tensor, structure_BTS: Tensor) -> Tensor:
        """Radians [B or 1, T, H + G or 1, C/2] by which each head turns its pairs."""
        config, pairs = self.model.config, self.model.config.head_width // 2
        rates = torch.from_numpy(index_rates(pairs)).to(place_T.device)
        index_TC = place_T[:, None].double() * rates
        if config.positions != "rotary_time":
            return index_TC[None, :, None]
        by_time = torch.from_numpy(time_rates(pairs, config.steps_per_quarter)).to(place_T.device)
        time_BTC = structure_BTS[..., -1:].double() * by_time
        index_BTC = index_TC[None] + 0 * time_BTC
        parts = [
            half[:, :, None].expand(-1, -1, count // 2, -1)
            for count in (config.heads, config.groups)
            for half in (index_BTC, time_BTC)
        ]
        return torch.cat(parts, 2)

    def _attention(self, block: Block, x: Tensor, place_T: Tensor, angles: Tensor | None) -> Tensor:
        heads, groups = block.heads, block.groups
        qkv = F.linear(x, block.fused_projection())
        qkv = qkv.view(x.shape[0], -1, heads + 2 * groups, block.channels)
        qk, v = torch.split(qkv, [heads + groups, groups], 2)
        gain = block.fused_gain()
        if gain is not None:
            qk = _rms(qk) * gain[:, None]
        if angles is not None:
            qk = _turned(qk, angles)
        q, k = torch.split(qk, [heads, groups], 2)
        k, v = (each.repeat_interleave(heads // groups, 2) for each in (k, v))
        pattern: Any = allowed  # which is written for NumPy, and says the same of tensors
        seen = pattern(block.pattern, place_T[:, None], place_T[None, :], block.row_length)
        scores = torch.einsum("bihc,bjhc->bhij", q, k) * block.channels**-0.5
        weights = scores.masked_fill(~seen, -1e30).softmax(-1) * seen
        mixed = torch.einsum("bhij,bjhc->bihc", weights, v)
        return F.linear(mixed.flatten(2), block.out)


class PortableHead(nn.Module):
    """A state, and the fields of a row so far, to the logits of each field.

    Args:
        model: whose parameters are shared.

    Raises:
        InputError: for a head whose rows need several states.
    """

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        if model.head.interleaving.name != "parallel":
            raise InputError(
                f"rows of a {model.head.interleaving.name} head come from several states; only "
                "cascade and parallel heads can be exported"
            )
        self.head = model.head

    def forward(self, state_BD: Tensor, row_BF: Tensor, known_BK: Tensor) -> tuple[Tensor, ...]:
        """For each field its logits [..., V], given the fields of the row before it."""
        head, state = self.head, state_BD
        if not isinstance(head, CascadeHead):
            return tuple([F.linear(state, out) for out in head.out])
        logits = [F.linear(state, head.out[0])]
        for field in range(1, len(head.out)):
            start = sum(head.values.sizes[: field - 1])
            given = F.embedding(row_BF[..., field - 1] + start, head.values.weight)
            if field == 1:
                given = given + _embedded(head.structure, known_BK[..., : head.known_columns])
            state = _rms(given + state)
            inner = F.linear(state, head.up[field - 1]).relu().square()
            state = state + F.linear(inner, head.down[field - 1])
            logits.append(F.linear(state, head.out[field]))
        return tuple(logits)


class Portable(nn.Module):
    """Trunk and head together, with teacher forcing, as `Transformer.forward`.

    `export_program` makes a `torch.export` program of it.

    Args:
        model: whose parameters are shared.
    """

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.trunk, self.head = PortableTrunk(model), PortableHead(model)

    def forward(self, tokens_BTF: Tensor, structure_BTS: Tensor) -> tuple[Tensor, ...]:
        """Logits [B, T − 1, V] of every field of rows 1…."""
        state = self.trunk(tokens_BTF, structure_BTS)
        logits: tuple[Tensor, ...] = self.head(
            state[:, :-1], tokens_BTF[:, 1:], structure_BTS[:, 1:]
        )
        return logits


def export_program(model: Transformer) -> torch.export.ExportedProgram:
    """The network as a `torch.export` program: `program.module()(tokens, structure)`.

    Any number of sequences, of 3 rows up to the context.

    Raises:
        InputError: if the head cannot be exported.
    """
    config = model.config
    columns = len(config.structure_sizes) + 1
    batch = torch.export.Dim("batch", max=2**16)
    length = torch.export.Dim("length", min=3, max=config.context)
    with torch.no_grad():
        return torch.export.export(
            Portable(model).eval(),
            (
                torch.zeros((2, 5, len(config.field_sizes)), dtype=torch.long),
                torch.zeros((2, 5, columns), dtype=torch.long),
            ),
            dynamic_shapes={
                "tokens_BTF": {0: batch, 1: length},
                "structure_BTS": {0: batch, 1: length},
            },
        )


def export_onnx(checkpoint: Checkpoint, folder: str | os.PathLike[str]) -> None:
    """Write `trunk.onnx`, `head.onnx`, `contract.json` and `tokenizer.json`.

    Raises:
        InputError: if the head cannot be exported, or the folder exists or cannot be written.
    """
    target, model, config = Path(folder), checkpoint.model, checkpoint.config
    if target.exists():
        raise InputError(f"{target} already exists; choose another folder")
    trunk, head = PortableTrunk(model).eval(), PortableHead(model).eval()
    columns = len(config.structure_sizes) + 1
    fields = len(config.field_sizes)
    rows = torch.zeros((2, 5, fields), dtype=torch.long)
    structure = torch.zeros((2, 5, columns), dtype=torch.long)
    state = torch.zeros((2, config.width))
    logits = [f"logits_{field}" for field in range(fields)]
    check_replaceable(target, "contract.json")
    with replacing_folder(target) as fresh:
        length = {0: "batch", 1: "length"}
        _export(
            trunk,
            (rows, structure),
            fresh / "trunk.onnx",
            {"tokens": length, "structure": length, "state": length},
            ["state"],
        )
        known = structure[:, 0, : config.known_columns]
        names = ["state", "row", "known", *logits]
        axes = {name: {0: "batch"} for name in names}
        _export(head, (state, rows[:, 0], known), fresh / "head.onnx", axes, logits)
        text = json.dumps(_contract(checkpoint), indent=1) + "\n"
        (fresh / "contract.json").write_text(text, encoding="utf-8")
        checkpoint.tokenizer.save(fresh / "tokenizer.json")


def _export(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    file: Path,
    axes: dict[str, dict[int, str]],
    outputs: list[str],
) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        # The exporter of traces is the one that needs no further package.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*torch.from_numpy results")
        torch.onnx.export(
            module,
            inputs,
            str(file),
            input_names=[name for name in axes if name not in outputs],
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


def _contract(checkpoint: Checkpoint) -> dict[str, Any]:
    config = checkpoint.config
    return {
        "format": "musenet-onnx-1",
        "weights": checkpoint.hash,
        "context": config.context,
        "width": config.width,
        "fields": list(FIELDS),
        "field_sizes": list(config.field_sizes),
        "structure": [*COLUMNS[: len(config.structure_sizes)], "time"],
        "structure_sizes": list(config.structure_sizes),
        "known_columns": config.known_columns,
    }


def _embedded(table: SummedEmbedding, values: Tensor) -> Tensor:
    """The sum over the last axis of an embedding of each column's value."""
    return F.embedding(values + table.offsets, table.weight).sum(-2)


def _rms(x: Tensor) -> Tensor:
    return x * (x.square().mean(-1, keepdim=True) + EPSILON).rsqrt()


def _normed(norm: Norm, x: Tensor) -> Tensor:
    return _rms(x) if norm.layer is None else norm.layer(x)


def _turned(x_BTHC: Tensor, angles: Tensor) -> Tensor:
    """Neighbouring channels turned as points of a plane."""
    cosine, sine = angles.cos().to(x_BTHC.dtype), angles.sin().to(x_BTHC.dtype)
    first, second = x_BTHC[..., 0::2], x_BTHC[..., 1::2]
    turned = (first * cosine - second * sine, first * sine + second * cosine)
    return torch.stack(turned, -1).flatten(-2)
