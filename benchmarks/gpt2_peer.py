"""The peer of `quality_per_compute.py`: MidiTok's TSD tokens and a GPT-2 of Hugging Face.

It reads the same notes as our model, already on the grid of 24 steps per quarter note and in 32
velocities, in the cheapest encoding: instruments are given only where they change, there are no
tempos, meters, rests or pedals, and durations longer than a quarter note are as coarse as in our
tokens.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from musenet.evaluation.likelihood import spans
from tokenizer import Score
from tokenizer.midi.read import to_bytes

Ids = NDArray[np.int64]

DURATIONS = {(0, 2): 24, (2, 4): 12, (4, 8): 6, (8, 16): 3}
"""Values per quarter note, by length in quarter notes: ours up to 16, the peer's limit."""
_WARMUP = 0.05
"""Part of the run in which the rate goes up."""


class Tsd:
    """Scores as TSD tokens (time shift and duration; MidiTok, Fradet et al. 2021)."""

    def __init__(self) -> None:
        import miditok

        self._tsd: Any = miditok.TSD(
            miditok.TokenizerConfig(
                pitch_range=(0, 127),
                drums_pitch_range=(0, 127),
                beat_res=DURATIONS,
                num_velocities=32,
                special_tokens=["PAD", "BOS", "EOS"],
                use_programs=True,
                program_changes=True,
                one_token_stream_for_programs=True,
                use_tempos=False,
                use_time_signatures=False,
                use_rests=False,
                use_chords=False,
                use_sustain_pedals=False,
                use_pitch_bends=False,
                remove_duplicated_notes=False,
            )
        )
        self.size = len(self._tsd)
        self._begin, self._end = self._tsd["BOS_None"], self._tsd["EOS_None"]
        is_note = ("Pitch_", "PitchDrum_")
        self._notes = [i for name, i in self._tsd.vocab.items() if name.startswith(is_note)]

    def encode(self, score: Score) -> Ids:
        """The ids of a piece between BOS and EOS."""
        import symusic

        ids = self._tsd(symusic.Score.from_midi(to_bytes(score))).ids
        return np.array([self._begin, *ids, self._end], np.int64)

    def notes(self, ids: Ids) -> int:
        """How many notes ids hold."""
        return int(np.isin(ids, self._notes).sum())


class Gpt2:
    """GPT-2 with the usual recipe: AdamW, warm-up, cosine decay, clipping, bf16 autocast.

    Args:
        size: of the vocabulary.
        parameters: about how many it should have; its depth follows.
        width: channels; heads of 32, tied embeddings, no dropout (no piece is seen often).
        context: tokens.
    """

    def __init__(self, size: int, parameters: int, width: int, context: int) -> None:
        import transformers

        def build(layers: int) -> Any:
            config = transformers.GPT2Config(
                vocab_size=size,
                n_positions=context,
                n_embd=width,
                n_layer=layers,
                n_head=width // 32,
                bos_token_id=None,
                eos_token_id=None,
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                use_cache=False,
            )
            return transformers.GPT2LMHeadModel(config)

        block = count(build(2)) - count(build(1))
        self.layers = max(1, round((parameters - count(build(0))) / block))
        self.model: nn.Module = build(self.layers)
        self.context = context

    def losses(self, ids: Tensor) -> Tensor:
        """Nats of tokens 1…, [B, T − 1], of ids [B, T]."""
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model(ids[:, :-1]).logits
        return nn.functional.cross_entropy(
            logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
        ).view(len(ids), -1)

    def nats(self, ids: Ids) -> float:
        """What a piece costs, with windows that overlap by half, as ours is scored."""
        total = 0.0
        with torch.no_grad():
            for span in spans(len(ids), self.context, 0):
                window = torch.from_numpy(ids[span.start : span.stop])[None]
                first = max(0, span.first - span.start - 1)
                total += float(self.losses(window)[0, first:].sum(dtype=torch.float64))
        return total


def count(model: nn.Module) -> int:
    """Parameters of a model."""
    return sum(p.numel() for p in model.parameters())


class Gpt2Run:
    """A run that can be taken in turns.

    Args:
        gpt2: the model.
        music: ids of all training pieces, one after the other.
        seconds: of CPU time, the whole run.
        rate: AdamW's highest learning rate.
        batch: windows of a step.
    """

    def __init__(self, gpt2: Gpt2, music: Ids, seconds: float, rate: float, batch: int) -> None:
        self._gpt2, self._music, self._seconds, self._batch = gpt2, music, seconds, batch
        self._rate = rate
        matrices = [p for p in gpt2.model.parameters() if p.ndim == 2]
        others = [p for p in gpt2.model.parameters() if p.ndim < 2]
        groups = [
            {"params": matrices, "weight_decay": 0.1},
            {"params": others, "weight_decay": 0.0},
        ]
        self._adamw = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), foreach=True)
        self._random = np.random.default_rng(0)
        self.spent, self.steps, self.tokens = 0.0, 0, 0

    def turn(self, seconds: float) -> None:
        """Train for so much CPU time, or until the run's end."""
        begun, before = time.process_time(), self.spent
        while self.spent < min(before + seconds, self._seconds):
            self._step()
            self.spent = before + time.process_time() - begun

    def _step(self) -> None:
        part = self.spent / self._seconds
        factor = min(part / _WARMUP + 0.01, 0.5 * (1 + math.cos(math.pi * part)))
        for group in self._adamw.param_groups:
            group["lr"] = self._rate * factor
        length = self._gpt2.context + 1
        starts = self._random.integers(0, len(self._music) - length, self._batch)
        windows = np.stack([self._music[s : s + length] for s in starts])
        loss = self._gpt2.losses(torch.from_numpy(windows)).mean()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._gpt2.model.parameters(), 1.0)
        self._adamw.step()
        self._adamw.zero_grad(set_to_none=True)
        self.steps += 1
        self.tokens += windows.size - self._batch
