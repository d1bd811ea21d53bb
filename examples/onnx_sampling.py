"""Continue a MIDI file with ONNX Runtime alone: no PyTorch, no musenet.

musenet onnx --weights mini --out onnx
python examples/onnx_sampling.py onnx examples/prompts/folk.mid more.mid
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

from tokenizer import Tokenizer, read, structure, write

ROWS, TEMPERATURE = 64, 0.9


def draw(logits, allowed, random):
    """A value of one field, of those that are allowed."""
    scores = np.where(allowed, logits / TEMPERATURE, -np.inf)
    chances = np.exp(scores - scores.max())
    return random.choice(len(chances), p=chances / chances.sum())


def next_row(head, state, tokens, vocabulary, random):
    """The next row, field by field: the head reads the fields that stand already."""
    row, known = np.zeros((1, 5), np.int64), np.zeros((1, 4), np.int64)
    for field in range(5):
        feeds = {"state": state, "row": row, "known": known}
        logits = head.run([f"logits_{field}"], feeds)[0][0]
        allowed = np.arange(len(logits)) > 0  # 0 is padding
        if field == 0:  # a note, a rest or the end
            allowed[vocabulary.first_control :] = False
            allowed[vocabulary.end] = True
        row[0, field] = draw(logits, allowed, random)
        if field == 0:
            if row[0, 0] >= vocabulary.first_rest:
                return row
            grown = np.concatenate([tokens, row.astype(np.int16)])
            known[0] = structure(grown, vocabulary)[-1, :4]
    return row


def main(folder, prompt, out):
    """Read a prompt, sample rows behind it, and write both."""
    tokenizer, random = Tokenizer.load(Path(folder) / "tokenizer.json"), np.random.default_rng(1)
    trunk, head = (ort.InferenceSession(Path(folder) / f"{n}.onnx") for n in ("trunk", "head"))
    vocabulary, tokens = tokenizer.vocabulary, tokenizer.encode(read(prompt))[:-1]
    for _ in range(ROWS):
        columns = structure(tokens, vocabulary).astype(np.int64)[None]
        feeds = {"tokens": tokens.astype(np.int64)[None], "structure": columns}
        state = trunk.run(["state"], feeds)[0][:, -1]
        row = next_row(head, state, tokens, vocabulary, random)
        if row[0, 0] == vocabulary.end:
            break
        tokens = np.concatenate([tokens, row.astype(np.int16)])
    write(tokenizer.decode(tokens), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
