"""How the fields of the next row are predicted from the trunk's last state.

A head has `nll` for training, `each_logits` for the logits of rows that are there, and `sample`
for generation.

    cascade    fields in order, each conditioned on the state and the fields before it in the row
    parallel   all fields from one state, independent of each other
    delay      like parallel, but field k comes k steps later, so it knows the fields before it
    flatten    one field per step: it knows everything before it, at F times the steps

`delay` and `flatten` go through the trunk in steps (see `musenet.model.codebook_patterns`), and
`musenet.decoding.delayed.DelayedDecoder` samples them, because a row needs several states.

`Critic` is another head beside these: was this music played by people, or made by a model?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musenet.attention.block_attention import wide
from tokenizer.encoding.structure import GIVEN, ROLE
from tokenizer.errors import InputError

from .codebook_patterns import Interleaving
from .config import ModelConfig
from .embeddings import SummedEmbedding
from .fused_ops import negative_log_likelihood, rms_norm, squared_relu

ChooseTensor = Callable[[int, Tensor, Tensor], Tensor]
"""choose(field, logits [B, V], rows so far [B, F]) returns the values [B] of the field."""

PeekTensor = Callable[[Tensor], Tensor]
"""peek(field 0 [B]) returns the structure [B, S] that the new row will have."""


class CascadeHead(nn.Module):
    """Fields in order: each is predicted from a state to which the previous fields were added.

    After field 0, the structural features that it determines (elapsed time, bar, position in bar,
    note in chord) are added too. Between fields the state passes through a small residual MLP.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, fields = config.width, len(config.field_sizes)
        self.interleaving = Interleaving("parallel", fields)
        self.known_columns = config.known_columns
        self.end_value = config.end_value
        self.values = SummedEmbedding(config.field_sizes[:-1], width, 0.1)
        self.structure = SummedEmbedding(config.structure_sizes[: config.known_columns], width, 0.1)
        self.up = nn.ParameterList(_matrix(width, width) for _ in range(fields - 1))
        self.down = nn.ParameterList(
            nn.Parameter(torch.zeros(width, width)) for _ in range(fields - 1)
        )
        self.out = nn.ParameterList(
            nn.Parameter(torch.zeros(size, width)) for size in config.field_sizes
        )

    def nll(self, hidden_BTD: Tensor, targets_BTF: Tensor, structure_BTS: Tensor) -> Tensor:
        """Negative log-likelihood of each field in nats, unmasked.

        Args:
            hidden_BTD: the trunk's last state.
            targets_BTF: the rows to predict, long.
            structure_BTS: their structure: the first `known_columns`, and the role.

        Returns:
            [B, T, F] in fp32.
        """
        each = self.each_logits(hidden_BTD, targets_BTF, structure_BTS)
        return _nll(each, targets_BTF, structure_BTS, self.end_value)

    def each_logits(
        self, hidden_BTD: Tensor, targets_BTF: Tensor, structure_BTS: Tensor
    ) -> Iterator[Tensor]:
        """Logits [B, T, V] of each field in turn, given the targets' fields before it."""
        state = hidden_BTD
        for field in range(len(self.out)):
            if field > 0:
                known = structure_BTS if field == 1 else None
                state = self.advance(state, field, targets_BTF[..., field - 1], known)
            yield self.logits(state, field)

    def sample(self, hidden_BD: Tensor, choose: ChooseTensor, peek: PeekTensor) -> Tensor:
        """Choose the next row of each sequence, field by field.

        Args:
            hidden_BD: the trunk's last state.
            choose: picks a field's values from its logits [B, V] (fp32).
            peek: the structure that a row gets with its field 0.

        Returns:
            [B, F] long.
        """
        state = hidden_BD
        rows = torch.zeros(
            (hidden_BD.shape[0], len(self.out)), dtype=torch.long, device=hidden_BD.device
        )
        for field in range(len(self.out)):
            if field > 0:
                known = peek(rows[:, 0]) if field == 1 else None
                state = self.advance(state, field, rows[:, field - 1], known)
            logits = self.logits(state, field)
            rows[:, field] = choose(field, logits.to(wide(logits.dtype)), rows)
        return rows

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices between hidden states."""
        return [*self.up, *self.down]

    def advance(
        self, state: Tensor, field: int, values: Tensor, structure: Tensor | None
    ) -> Tensor:
        """The state for `field`, from the state for the field before and that field's values.

        Args:
            state: [..., D].
            field: 1 or more.
            values: of the field before, [...].
            structure: that of the row [..., S], once field 0 is known; for field 1 alone.
        """
        given = self.values.column(field - 1, values)
        if structure is not None:
            given = given + self.structure(structure[..., : self.known_columns])
        state = rms_norm(given + state, state.dtype)
        inner = squared_relu(F.linear(state, self.up[field - 1].to(state.dtype)))
        return state + F.linear(inner, self.down[field - 1].to(state.dtype))

    def logits(self, state: Tensor, field: int) -> Tensor:
        """Logits [..., V] of a field from the state [..., D] for it."""
        return F.linear(state, self.out[field].to(state.dtype))


class FieldsHead(nn.Module):
    """One linear map per field, from the state of the step before it."""

    def __init__(self, config: ModelConfig, interleaving: str) -> None:
        super().__init__()
        self.interleaving = Interleaving(interleaving, len(config.field_sizes))
        self.end_value = config.end_value
        self.out = nn.ParameterList(
            nn.Parameter(torch.zeros(size, config.width)) for size in config.field_sizes
        )

    def nll(
        self,
        hidden_BSD: Tensor,
        targets_BTF: Tensor,
        structure_BTS: Tensor,
    ) -> Tensor:
        """Negative log-likelihood of each field of rows 1… in nats, unmasked.

        Args:
            hidden_BSD: the trunk's states for all steps of rows 0…T but the last.
            targets_BTF: rows 1…T, long.
            structure_BTS: their structure, of which only the role is used.

        Returns:
            [B, T, F] in fp32.
        """
        each = self.each_logits(hidden_BSD, targets_BTF, structure_BTS)
        return _nll(each, targets_BTF, structure_BTS, self.end_value)

    def each_logits(
        self,
        hidden_BSD: Tensor,
        targets_BTF: Tensor,
        structure_BTS: Tensor,  # noqa: ARG002 (one interface for all heads)
    ) -> Iterator[Tensor]:
        """Logits [B, T, V] of each field in turn, from the state of the step before it."""
        before = self.interleaving.steps_of(targets_BTF.shape[1] + 1)[1:] - 1
        for field in range(len(self.out)):
            steps = torch.from_numpy(before[:, field]).to(hidden_BSD.device)
            yield self.logits(hidden_BSD.index_select(1, steps), field)

    def sample(
        self,
        hidden_BD: Tensor,
        choose: ChooseTensor,
        peek: PeekTensor,  # noqa: ARG002 (one interface for all heads)
    ) -> Tensor:
        """Choose the next row of each sequence, [B, F] long; for `parallel` only.

        Raises:
            InputError: for a head whose rows need several states.
        """
        if self.interleaving.name != "parallel":
            raise InputError(
                f"rows of a {self.interleaving.name} head come from several states; sample them "
                "with musenet.decoding.delayed.DelayedDecoder"
            )
        rows = hidden_BD.new_zeros((hidden_BD.shape[0], len(self.out)), dtype=torch.long)
        for field in range(len(self.out)):
            logits = self.logits(hidden_BD, field)
            rows[:, field] = choose(field, logits.to(wide(logits.dtype)), rows)
        return rows

    def logits(self, hidden: Tensor, field: int) -> Tensor:
        """Logits [..., V] of a field from the state [..., D] of the step before it."""
        return F.linear(hidden, self.out[field].to(hidden.dtype))

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices between hidden states: none."""
        return []


def build_head(config: ModelConfig) -> CascadeHead | FieldsHead:
    """The head that a configuration names; with one field a cascade is one linear map."""
    if config.head == "cascade":
        one = len(config.field_sizes) == 1
        return FieldsHead(config, "parallel") if one else CascadeHead(config)
    return FieldsHead(config, config.head)


def _nll(
    each_logits: Iterable[Tensor], targets_BTF: Tensor, structure_BTS: Tensor, end: int
) -> Tensor:
    """Negative log-likelihood [B, T, F] of the targets; field 0 pays for given rows by survival."""
    losses = []
    for field, logits in enumerate(each_logits):
        losses.append(negative_log_likelihood(logits, targets_BTF[..., field]))
        if field == 0 and end:
            losses[0] = _wait_nll(losses[0], logits, targets_BTF, structure_BTS, end)
    return torch.stack(losses, -1)


def survival_nll(logits: Tensor, values: Tensor, end: int) -> Tensor:
    """−log of the probability that a value is `values` or later, up to `end`, in nats, fp32.

    The term of an event that was not seen until a given time (Kalbfleisch and Prentice 2002,
    section 3.2): values of field 0 ascend with their time, the end last.

    Args:
        logits: [..., V].
        values: [...] long.
        end: the last value.
    """
    logits = logits.to(wide(logits.dtype))
    value = torch.arange(logits.shape[-1], device=logits.device)
    later = (value >= values.clamp(max=end)[..., None]) & (value <= end)
    return logits.logsumexp(-1) - logits.masked_fill(~later, -torch.inf).logsumexp(-1)


def _wait_nll(
    nll_BT: Tensor, logits_BTV: Tensor, targets_BTF: Tensor, structure_BTS: Tensor, end: int
) -> Tensor:
    """The loss of field 0: of given rows, only that nothing was written before them."""
    given_BT, values_BT = structure_BTS[..., ROLE] == GIVEN, targets_BTF[..., 0]
    if given_BT.is_cpu:
        # Few rows are given; a GPU would have to wait for their number.
        survival = survival_nll(logits_BTV[given_BT], values_BT[given_BT], end)
        return nll_BT.masked_scatter(given_BT, survival)
    return torch.where(given_BT, survival_nll(logits_BTV, values_BT, end), nll_BT)


def _matrix(rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(rows, columns).normal_(std=0.5 * columns**-0.5))


class Critic(nn.Module):
    """One hidden layer from a state to the log-odds that the music is real.

    Args:
        width: channels of the state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.empty(width, width).normal_(std=0.5 * width**-0.5))
        self.out = nn.Parameter(torch.zeros(1, width))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, hidden: Tensor) -> Tensor:
        """Log-odds [...] in fp32 that the music up to each state [..., D] is real."""
        inner = squared_relu(F.linear(hidden, self.up.to(hidden.dtype)))
        inner = rms_norm(inner.to(wide(inner.dtype)), hidden.dtype)
        logit = F.linear(inner, self.out.to(hidden.dtype)).squeeze(-1)
        return logit.to(wide(logit.dtype)) + self.bias

    def loss(self, hidden_BD: Tensor, real_B: Tensor) -> Tensor:
        """Mean cross-entropy in nats between the critic's answer and the truth (bool [B])."""
        logits = self(hidden_BD)
        return F.binary_cross_entropy_with_logits(logits, real_B.to(logits.dtype))
