"""Does a continuation keep what the prompt of a band sets up? One table, real music beside it.

    python benchmarks/parts_kept.py PROMPT.mid… --weights mini --seeds 3 --bars 8
    python benchmarks/parts_kept.py DATASET --pieces 20
    python benchmarks/parts_kept.py PROMPT.mid… --temperatures 0.85 0.95 1

A MIDI file is a prompt. A dataset, archive or folder gives pieces for at least three instruments,
drums among them: eight bars of each, after the first eight, are a prompt, and the bars that follow
are its true continuation. The figures are those of `musenet.evaluation.parts_kept`, for

    prompt looped      the prompt again: 1.00
    same song          bars 5–8 of a prompt after its bars 1–4
    true continuation  how the piece goes on
    MODEL              the default options of `generate`, and these at other temperatures
    other songs        the beginning of another prompt, on the parts of the same instruments or
                       of their families
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from musenet.evaluation.bootstrap import bootstrap
from musenet.evaluation.generated import decoded
from musenet.evaluation.inputs import find_pieces
from musenet.evaluation.parts_kept import MIN_NOTES, PartsKept, mean_figures, parts_kept
from musenet.generation.held_out import held_out
from musenet.generation.prompt import Prompt, read_prompt
from musenet.generation.result import Result
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from tokenizer import Score
from tokenizer.instruments import family_of
from tokenizer.score.score import DRUMS, Track

PROMPT_BARS = 8
MIDI = (".mid", ".midi", ".kar")


@dataclass(frozen=True)
class Case:
    """A prompt of a band, and how it really goes on, if that is known."""

    prompt: Prompt
    real: Score | None = None

    @property
    def whole_bars(self) -> int:
        """How many whole bars the prompt has."""
        return self.prompt.bars.number(self.prompt.boundary)

    def passage(self, first: int, last: int) -> Score:
        """Some bars of the prompt, the last one not included."""
        tick = self.prompt.bars.tick
        return self.prompt.score.slice(tick(first), tick(last))


def prompts(paths: Sequence[Path]) -> list[Case]:
    """The MIDI files among the paths."""
    return [Case(read_prompt(path)) for path in paths if path.suffix.lower() in MIDI]


def is_band(prompt: Score) -> bool:
    """Whether at least three parts play, drums among them."""
    tracks, notes = np.unique(prompt.notes["track"], return_counts=True)
    playing = [prompt.tracks[track].program for track in tracks[notes >= MIN_NOTES].tolist()]
    return len(playing) >= 3 and DRUMS in playing


def pieces_of(
    paths: Sequence[Path],
    checkpoint: Checkpoint,
    split: str,
    count: int,
    bars: int,
    *,
    bands: bool = True,
) -> list[Case]:
    """Prompts and true continuations from the datasets, archives and folders among the paths."""
    folders = [path for path in paths if path.suffix.lower() not in MIDI]
    if not folders:
        return []
    pieces = find_pieces(folders, checkpoint.tokenizer, split).pieces
    chosen = held_out(
        decoded(pieces, checkpoint.tokenizer),
        count,
        prompt_bars=PROMPT_BARS,
        bars=bars,
        skip=PROMPT_BARS,
        suits=is_band if bands else None,
    )
    return [
        Case(read_prompt(piece.score, stop=Place(bar=PROMPT_BARS)), piece.score) for piece in chosen
    ]


def continued(checkpoint: Checkpoint, case: Case, options: GenerateOptions) -> Result:
    """One continuation."""
    continuation = Continuation(checkpoint, case.prompt, options)
    for _ in continuation.steps():
        pass
    return continuation.results()[0]


def looped(case: Case) -> PartsKept:
    """The prompt after itself."""
    end = case.prompt.bars.tick(case.whole_bars)
    once = case.passage(0, case.whole_bars)
    return parts_kept(once.concatenate(once, end), end, case.whole_bars)


def borrowed(case: Case, other: Case, bars: int) -> PartsKept:
    """The beginning of another prompt, on this one's parts of the same instrument or family."""
    mine = list(case.prompt.score.tracks)
    passage = other.passage(0, bars)
    tracks = []
    for number, track in enumerate(passage.tracks):
        same = next((t for t in mine if t.program == track.program), None) or next(
            (t for t in mine if family_of(t.program) == family_of(track.program)), None
        )
        if same is not None:
            mine.remove(same)
        tracks.append(same or Track(f"other {number}", track.program, track.is_drum))
    notes = passage.notes.copy()
    notes["program"] = np.array([track.program for track in tracks], np.uint8)[notes["track"]]
    end = case.prompt.bars.tick(case.whole_bars)
    whole = case.passage(0, case.whole_bars).concatenate(
        replace(passage, tracks=tuple(tracks), notes=notes), end
    )
    return parts_kept(whole, end, bars)


def rows_of(
    cases: Sequence[Case],
    checkpoint: Checkpoint,
    settings: Mapping[str, GenerateOptions],
    seeds: int,
    bars: int,
) -> Iterator[tuple[str, list[list[PartsKept]]]]:
    """The rows of a table: a name, and the figures of each case, several where there are seeds."""
    yield "prompt looped", [[looped(case)] for case in cases]
    halves = [case for case in cases if case.real is None and case.whole_bars >= PROMPT_BARS]
    if halves:
        half = PROMPT_BARS // 2
        yield (
            "same song",
            [[parts_kept(case.prompt.score, case.prompt.bars.tick(half), half)] for case in halves],
        )
    real = [(case.real, case.prompt.boundary) for case in cases if case.real is not None]
    if real:
        yield "true continuation", [[parts_kept(score, end, bars)] for score, end in real]
    for name, options in settings.items():
        made = []
        for case in cases:
            results = [
                continued(checkpoint, case, replace(options, seed=seed)) for seed in range(seeds)
            ]
            made.append([parts_kept(result.score, result.boundary, bars) for result in results])
        yield name, made
    if len(cases) > 1:
        others = [*cases[1:], cases[0]]
        pairs = zip(cases, others, strict=True)
        yield "other songs", [[borrowed(case, other, bars)] for case, other in pairs]


def line(name: str, kept: Sequence[Sequence[PartsKept]]) -> str:
    """A row: the mean of each figure, and an interval of the score over cases."""
    figures = mean_figures([one for case in kept for one in case])
    scores = np.array([np.mean([one.score for one in case]) for case in kept])
    low, high = bootstrap(scores)
    cells = "".join(
        f"{'–' if value is None else f'{value:.2f}':>{max(len(figure), 5) + 2}}"
        for figure, value in figures.items()
    )
    return f"{name:18}{len(kept):4}{cells}  {low:.2f}–{high:.2f}"


def header(kept: PartsKept) -> str:
    """The names of the columns."""
    cells = "".join(f"{figure:>{max(len(figure), 5) + 2}}" for figure in kept.figures())
    return f"{'':18}{'n':>4}{cells}  95 % of the score"


def parser_of(description: str | None, *, bars: int = 8) -> argparse.ArgumentParser:
    """The arguments of a script that continues held-out pieces by so many bars."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--bars", type=int, default=bars, help="bars of each continuation")
    parser.add_argument("--pieces", type=int, default=20, help="pieces of datasets and archives")
    parser.add_argument("--split", default="test", help="of datasets")
    return parser


def main() -> None:
    """Print a table for the prompts and one for the pieces."""
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="continuations of each prompt")
    parser.add_argument("--temperatures", type=float, nargs="*", default=[])
    asked = parser.parse_args()
    checkpoint = load_checkpoint(asked.weights)
    plain, name = GenerateOptions(bars=asked.bars), checkpoint.folder.name
    settings = {name: plain} | {
        f"temperature {value:g}": replace(plain, temperature=value) for value in asked.temperatures
    }
    found = {
        "prompts": prompts(asked.paths),
        "pieces": pieces_of(asked.paths, checkpoint, asked.split, asked.pieces, asked.bars),
    }
    for kind, cases in found.items():
        rows = rows_of(cases, checkpoint, settings, asked.seeds, asked.bars)
        for number, (name, kept) in enumerate(rows if cases else ()):
            if number == 0:
                print(f"{len(cases)} {kind}\n{header(kept[0][0])}")
            print(line(name, kept), flush=True)


if __name__ == "__main__":
    main()
