"""The network: embeddings, a stack of attention and MLP blocks, a head.

Shape suffixes: B batch, T positions, F fields, S structural features, D width.

    x = norm(sum of embeddings)
    x = x + attention(norm(x))        for each layer, with the layer's pattern
    x = x + MLP(norm(x))
    head(norm(x))                     for every field of the next row
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from musenet.attention.block_attention import wide
from musenet.attention.kv_cache import Cache, LayerCache
from musenet.attention.rotary_rates import time_rates
from tokenizer.errors import InputError, unknown

from . import positions, recompute
from .blocks import Block, Norm, Pass
from .config import ModelConfig
from .embeddings import SummedEmbedding, check_structure, check_tokens
from .fused_ops import rms_norm
from .heads import Critic, build_head


class Transformer(nn.Module):
    """A decoder over rows of fields.

    Args:
        config: its shape.
        compute: dtype of the matmuls; None computes in the parameters' dtype.

    Attributes:
        backend: of attention, see `musenet.attention.attend`.
        recompute: what layers save in training, see `musenet.model.recompute`.
        head: predicts the next row.
        critic: distinguishes real from generated music, or None.
    """

    def __init__(self, config: ModelConfig, compute: torch.dtype | None = None) -> None:
        super().__init__()
        self.config = config
        self.compute = compute
        self.backend = "auto"
        self.recompute = "none"
        self.embedding = SummedEmbedding(
            (*config.field_sizes, *config.structure_sizes), config.width, 0.1
        )
        learned = config.positions == "learned"
        self.positions = (
            nn.Parameter(torch.empty(config.context, config.width).normal_(std=0.02))
            if learned
            else None
        )
        self.blocks = nn.ModuleList(Block(config, pattern) for pattern in config.layer_patterns)
        self.norm = Norm(config.norm, config.width)
        self.head = build_head(config)
        self.critic = Critic(config.width) if config.critic else None
        self._rotation: Tensor | None = None
        self._time_rates: Tensor | None = None
        if config.initialisation == "gpt2":
            _initialise_as_gpt2(self)

    def trunk(
        self,
        tokens_BTF: Tensor,
        structure_BTS: Tensor,
        cache: Cache | None = None,
        mix: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """The normalised state after the last layer, from which the head predicts.

        Args:
            tokens_BTF: rows (for interleaved heads: steps), long.
            structure_BTS: their structural features, long.
            cache: positions before these; they are appended to it.
            mix: mixup (λ [B], permutation [B]): embeddings become λ·x + (1 − λ)·x[permutation].

        Returns:
            [B, T, D] in the compute dtype.

        Raises:
            InputError: if the sequence is longer than the context.
        """
        length = tokens_BTF.shape[1]
        start = 0 if cache is None else cache.position
        self._check_length(length, start)
        features = len(self.config.structure_sizes)
        x_BTD = self.embedding(tokens_BTF, structure_BTS[..., :features])
        if self.positions is not None:
            x_BTD = x_BTD + self.positions[start : start + length]
        if mix is not None:
            share = mix[0].to(x_BTD.dtype)[:, None, None]
            x_BTD = share * x_BTD + (1 - share) * x_BTD[mix[1]]
        if self.config.norm == "rms":
            x_BTD = rms_norm(x_BTD, x_BTD.dtype)
        rotation = self.rotations(start, start + length, x_BTD)
        if rotation is not None:
            rotation = self.by_head(rotation, structure_BTS)
        compute = self.compute or x_BTD.dtype
        how = Pass(rotation, compute, start, self.backend)
        for index, block in enumerate(self.blocks):
            if cache is None:
                x_BTD = recompute.run(partial(block, how=how), x_BTD, self.recompute)
            else:
                x_BTD = block(x_BTD, how, cache.layers[index])
        if cache is not None:
            cache.position += length
        normed: Tensor = self.norm(x_BTD, compute)
        return normed

    def with_blends(self, rows: Mapping[int, Mapping[int, float]]) -> Transformer:
        """The model with other embeddings of some rows, see `SummedEmbedding.with_blends`.

        All other weights are shared with this one.
        """
        other = copy.copy(self)
        other._modules = {**self._modules, "embedding": self.embedding.with_blends(rows)}
        return other

    def forward(self, tokens_BTF: Tensor, structure_BTS: Tensor) -> tuple[Tensor, ...]:
        """Logits of every field of rows 1…, given the rows and the fields before it.

            logits = model(tokens, structure)
            loss = F.cross_entropy(logits[PITCH].transpose(1, 2), tokens[:, 1:, PITCH])

        Row t of the logits is about row t + 1 of the tokens (teacher forcing): what it was
        computed from is rows 0 … t, and of row t + 1 the fields before; for a `parallel` head no
        field of it, for `delay` and `flatten` what `codebook_patterns` puts before it.

        Args:
            tokens_BTF: rows, any integers.
            structure_BTS: their structure (`tokenizer.structure`), any integers.

        Returns:
            For each field [B, T − 1, V], fp32, V its number of values.

        Raises:
            InputError: for a value outside the vocabulary, with its field, row and sequence, for
                shapes that do not fit, or more rows than the context and one.
        """
        tokens, structure = tokens_BTF.long(), structure_BTS.long()
        if not torch.compiler.is_compiling():
            check_tokens(tokens, self.config)
            check_structure(structure, tokens, self.config)
        hidden = self._hidden(tokens, structure)
        each = self.head.each_logits(hidden, tokens[:, 1:], structure[:, 1:])
        return tuple([logits.to(wide(logits.dtype)) for logits in each])

    def nll(self, tokens_BTF: Tensor, structure_BTS: Tensor) -> Tensor:
        """Negative log-likelihood of rows 1… given the rows before, [B, T − 1, F] nats, fp32."""
        hidden = self._hidden(tokens_BTF, structure_BTS)
        return self.head.nll(hidden, tokens_BTF[:, 1:], structure_BTS[:, 1:])

    def _hidden(self, tokens_BTF: Tensor, structure_BTS: Tensor) -> Tensor:
        """The trunk's state before each row 1…, or with an interleaved head before each step."""
        order = self.head.interleaving
        steps, step_structure = tokens_BTF, structure_BTS
        if order.name != "parallel":
            rows = torch.from_numpy(order.rows_begun(tokens_BTF.shape[1]))
            steps = order.build(tokens_BTF)
            step_structure = structure_BTS.index_select(1, rows.to(structure_BTS.device))
        return self.trunk(steps[:, :-1], step_structure[:, :-1])

    def new_cache(self, batch: int, length: int | None = None) -> Cache:
        """An empty cache for `batch` sequences of up to `length` positions (default: context).

        Past that length the oldest rows are dropped, one at a time.
        """
        config = self.config
        shape = (batch, config.groups, length or config.context, config.head_width)
        weight = self.embedding.weight
        dtype = self.compute or weight.dtype
        layers = [
            LayerCache(pattern, config.row_length, shape, dtype, weight.device)
            for pattern in config.layer_patterns
        ]
        return Cache(layers)

    @property
    def context_rows(self) -> int:
        """Rows that fit in the context: fewer than positions where a row takes several steps."""
        return self.head.interleaving.rows_within(self.config.context)

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices between hidden states, which Muon is for; AdamW trains the others."""
        inside = [p for p in self.blocks.parameters() if p.ndim == 2]
        return [*inside, *self.head.hidden_matrices()]

    def _check_length(self, length: int, start: int) -> None:
        context = self.config.context
        if length > context:
            raise InputError(
                f"{length} positions do not fit into the model's context of {context}; give fewer"
            )
        if self.positions is not None and start + length > context:
            raise InputError(
                f"a model with learned positions ends at {context}; restart with the latest rows"
            )
        if self.recompute not in recompute.RECOMPUTE:
            raise unknown("recompute mode", self.recompute, recompute.RECOMPUTE)

    def by_head(self, rotation_TC: Tensor, structure_BTS: Tensor) -> Tensor:
        """What turns each head, [B or 1, T, H + G or 1, C/2], from what `rotations` gives.

        Args:
            rotation_TC: of rows by their index.
            structure_BTS: of the rows; with positions by time, the last column is their time.
        """
        config = self.config
        if config.positions != "rotary_time":
            return rotation_TC[None, :, None]
        time_BT = structure_BTS[..., -1]
        if self._time_rates is None or self._time_rates.device != time_BT.device:
            with torch.inference_mode(False):
                rates = time_rates(config.head_width // 2, config.steps_per_quarter)
                self._time_rates = torch.from_numpy(rates).to(time_BT.device)
        by_time = positions.time_rotations(time_BT, self._time_rates, rotation_TC.dtype)
        return positions.by_head(rotation_TC, by_time, config.heads, config.groups)

    def rotations(self, start: int, stop: int, like: Tensor) -> Tensor | None:
        """Unit complex numbers [stop − start, C/2] that turn the heads' channel pairs.

        None with learned positions. Their precision is that of sums of `like`, on its device.
        """
        if self.positions is not None:
            return None
        table = self._rotation
        dtype = torch.complex128 if wide(like.dtype) == torch.float64 else torch.complex64
        kind = (like.device, dtype)
        if table is None or len(table) < stop or (table.device, table.dtype) != kind:
            # Created outside inference mode, because training may use the same table later.
            with torch.inference_mode(False):
                length = max(2 * stop, self.config.context)
                table = positions.index_rotations(0, length, self.config.head_width // 2)
                table = table.to(like.device, dtype)
            self._rotation = table
        return table[start:stop]


def _initialise_as_gpt2(model: Transformer) -> None:
    """Normal 0.02 everywhere, divided by √(2L) where a layer writes to the stream (GPT-2)."""
    residual = 0.02 * (2 * model.config.layers) ** -0.5
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            written = name.startswith("blocks.") and name.endswith((".out", ".down"))
            nn.init.normal_(parameter, std=residual if written else 0.02)
