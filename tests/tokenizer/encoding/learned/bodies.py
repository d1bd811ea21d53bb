"""Bodies of compound rows for tests: unisons, notes in notes, rests, meters, tempos, pedals."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tokenizer.encoding.compound import Events, encode_events, note_rows
from tokenizer.encoding.grid import Grid
from tokenizer.encoding.learned.learned import LearnedTokenizer
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import VELOCITY
from tokenizer.typing import Tokens

CLOCKS = {"beat": Grid.beats(), "seconds": Grid.seconds()}
_GAPS = [0, 0, 0, 1, 5, 12, 24, 24, 95, 96, 97, 1536, 1537, 4000]
_CONTROLS = ["time_signature:3/4", "tempo:72", "pedal:down", "pedal:up"]


@st.composite
def bodies(
    draw: st.DrawFn,
    compound: Tokenizer,
    short: bool = True,
    loud: bool = True,
    controls: bool = True,
) -> Tokens:
    """The one encoding that some events have, `(T, 5)`."""
    vocabulary, time, notes = compound.vocabulary, 0, []
    classes = st.sampled_from(
        [0] * short + [1, 3, 12, 24, 24, 40, len(vocabulary.grid.durations) - 1]
    )
    for _ in range(draw(st.integers(0, 14))):
        time += draw(st.sampled_from(_GAPS))
        program, pitch = draw(st.sampled_from([(0, 60), (0, 60), (0, 64), (40, 60), (128, 36)]))
        velocity = draw(st.sampled_from([82, 82, 30])) if loud else 82
        notes.append((time, program, pitch, draw(classes), velocity))
    columns = np.array(notes, dtype=np.int64).reshape(-1, 5).T
    starts, rows = note_rows(*columns)
    count = draw(st.integers(0, 3)) if controls else 0
    times = sorted(draw(st.integers(0, max(time, 1))) for _ in range(count))
    values = vocabulary.known(draw(st.sampled_from(_CONTROLS)) for _ in times)
    if not notes and times and times[0] == 0:  # would be taken for a prefix
        times, values = [], []
    events = Events(starts, rows, np.array(times, np.int64), np.array(values, np.int64))
    return encode_events(events, vocabulary)


def of_one_loudness(body: Tokens, tokenizer: LearnedTokenizer) -> Tokens:
    """A body with the middle of each class of loudness for it, in order again."""
    vocabulary = tokenizer.vocabulary
    body = body.copy()
    note = vocabulary.is_note(body)
    width = 32 // tokenizer.volumes
    bins = body[note, VELOCITY] - 1
    middle = 20 if tokenizer.volumes == 1 else bins // width * width + width // 2
    body[note, VELOCITY] = middle + 1
    return body
