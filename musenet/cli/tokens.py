"""`musenet tokens` and `musenet detokenize`: a MIDI file as tokens, and tokens as a MIDI file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tokenizer import Score
    from tokenizer.encoding.roundtrip import RoundTrip


def tokens(
    file: Annotated[Path, typer.Argument(help="MIDI or MusicXML file.", show_default=False)],
    tokenizer: Annotated[
        Path | None, typer.Option(help="tokenizer.json of a dataset or a model.")
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="Encoding: compound, musenet, chordwise or onsets.")
    ] = "compound",
    vocabulary: Annotated[
        int, typer.Option(help="Chords or merges for chordwise and onsets to learn from this file.")
    ] = 0,
    clock: Annotated[
        str | None, typer.Option(help="Time grid: beat or seconds.", show_default="the encoding's")
    ] = None,
    pedal: Annotated[str, typer.Option(help="Sustain pedal: drop, durations or events.")] = "drop",
    tempo_changes: Annotated[
        bool, typer.Option("--tempo-changes", help="Keep tempo changes as tokens.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for `musenet detokenize`.")
    ] = False,
    limit: Annotated[int, typer.Option(help="Maximum number of rows to show; 0 shows all.")] = 0,
    repair: Annotated[bool, typer.Option("--repair", help="Repair a damaged file.")] = False,
) -> None:
    """Show the tokens of a file, and what encoding and decoding changes."""
    from tokenizer.encoding import load
    from tokenizer.encoding.learned.learned import LearnedTokenizer
    from tokenizer.notation.read import read_music

    chosen = (
        load.load(tokenizer)
        if tokenizer is not None
        else load.make(encoding, clock, pedal, tempo_changes)
    )
    score, _ = read_music(file, repair=repair)
    if tokenizer is None and isinstance(chosen, LearnedTokenizer):
        chosen = chosen.learned([chosen.compound.body(score)], vocabulary)
    rows = chosen.encode(score)
    changes = load.try_out(chosen, score)
    if as_json:
        whole = {
            "file": str(file),
            "tokenizer": chosen.to_json(),
            "tokens": rows.tolist(),
            "round_trip": asdict(changes),
        }
        print(json.dumps(whole, ensure_ascii=False))
        return
    shown = rows[:limit] if limit > 0 else rows
    for line in load.lines(shown, chosen):
        print(line)
    if len(shown) < len(rows):
        print(f"… and {len(rows) - len(shown)} more rows")
    _print_changes(changes, score)


def detokenize(
    file: Annotated[
        Path, typer.Argument(help="Output of `musenet tokens --json`.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="MIDI file to write.", show_default=False)
    ],
) -> None:
    """Convert tokens back to a MIDI file."""
    import numpy as np

    from musenet.generation.outputs import Outputs, check_writable
    from tokenizer import InputError, write
    from tokenizer.encoding import load

    check_writable(out, (".mid", ".midi"))
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
        rows = np.array(data["tokens"], dtype=np.int64)
        description = data["tokenizer"]
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise InputError(
            f"{file} contains no tokens; make some with 'musenet tokens SONG.mid --json'"
        ) from error
    tokenizer = load.from_json(description, str(file))
    sizes = np.array(tokenizer.sizes)
    if rows.ndim != 2 or rows.shape[1] != len(sizes):
        raise InputError(f"{file} is damaged: its tokens must be rows of {len(sizes)} numbers")
    wrong = np.flatnonzero(((rows < 0) | (rows >= sizes)).any(axis=1))
    if len(wrong):
        raise InputError(f"{file} is damaged: row {wrong[0]} of its tokens is out of range")
    score = tokenizer.decode(rows.astype(np.int16))
    out = Outputs(out).unused((1,)).midi
    write(score, out)
    print(f"{out}: {len(score.notes)} notes in {len(score.tracks)} tracks")


def _print_changes(changes: RoundTrip, score: Score) -> None:
    """Print how many events of each kind survive, and the largest errors."""
    notes = len(score.notes)
    each = f" ({changes.tokens / notes:.2f} per note)" if notes else ""
    print(f"\n{changes.tokens} tokens for {notes} notes{each}")
    for fate in changes.fates:
        print(f"  {fate.kind:<16} {fate.kept:>6} of {fate.found:<6} {fate.fate}")
    print(
        f"  largest errors: start {changes.onset_error:.2f} steps, "
        f"duration {100 * changes.duration_error:.1f} %, velocity {changes.velocity_error}"
    )
    if changes.clipped:
        print(f"  {changes.clipped} notes exceed the longest duration and were shortened")
