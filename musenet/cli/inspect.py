"""`musenet inspect FILE|FOLDER…`: contents and irregularities of files, and repair."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from tokenizer import Score
    from tokenizer.midi.repair import Report


@dataclass(frozen=True)
class Finding:
    """What `--json` prints for one file, on one line.

    Attributes:
        path: as found.
        ok: whether the file could be read.
        error: the reason if not, else None.
        offset: the byte at which reading stopped, or None.
        notes: number of notes.
        tracks: number of tracks with notes.
        programs: the programs used, ascending; 128 is drums.
        seconds: time of the end of the last note.
        repaired: whether damage was skipped (only with `--repair`).
        chords: the chart, a text line for four bars (only with `--chords`).
        chords_from: "file" if its texts name the chords, "notes" if they are estimated.
    """

    path: str
    ok: bool
    error: str | None = None
    offset: int | None = None
    notes: int = 0
    tracks: int = 0
    programs: tuple[int, ...] = ()
    seconds: float = 0.0
    repaired: bool = False
    chords: str | None = None
    chords_from: str | None = None


def inspect(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|FOLDER…", show_default=False, help="Files."),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per file, one per line.")
    ] = False,
    repair: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Repair damaged files: a single file is written to OUT; with several files or a "
            "folder, the repaired ones are written into the folder OUT.",
            show_default=False,
        ),
    ] = None,
    chords: Annotated[
        bool,
        typer.Option(
            "--chords",
            help="Print the chord chart, from the file's lyrics or markers where they name chords, "
            "else estimated from the notes.",
        ),
    ] = False,
) -> None:
    """Show tracks, programs, ranges, tempos, length and irregularities of MIDI files.

    Continue after a file that cannot be read, and exit with code 1.
    """
    from rich.console import Console

    from tokenizer import InputError, write

    files = list(_files(paths))
    if not files:
        raise InputError(f"no MIDI files in {', '.join(map(str, paths))}")
    alone = len(paths) == len(files) == 1 and paths[0].is_file()
    console = Console(highlight=False, soft_wrap=True)
    refused = False
    written: dict[Path, Path] = {}
    for path, place in files:
        finding, score, report = _look(path, repair is not None)
        refused |= not finding.ok
        if chords and score is not None:
            finding = _with_chords(finding, score)
        if as_json:
            print(json.dumps(asdict(finding), ensure_ascii=False), flush=True)
        elif score is None or report is None:
            at = "" if finding.offset is None else f" at byte {finding.offset}"
            line = f"[red]✗[/] {_safe(finding.path)}{at}: {_safe(finding.error or '')}"
            console.print(line)
        elif chords:
            _print_chords(console, finding)
        elif alone:
            _print_all(console, finding, score, report)
        else:
            _print_line(console, finding, report)
        if repair is not None and score is not None and (alone or finding.repaired):
            single = alone and not repair.is_dir()
            target = repair if single else repair / place.with_suffix(".mid")
            if target in written:
                raise InputError(f"{written[target]} and {path} would both be written to {target}")
            if target.exists():
                raise InputError(f"{target} is there already; name another with --repair")
            written[target] = path
            write(score, target)
    if refused:
        raise typer.Exit(1)


def _files(paths: list[Path]) -> Iterator[tuple[Path, Path]]:
    """Each file, and its path relative to the folder that it was found in."""
    from data_prep.sources.archives import MIDI_SUFFIXES

    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.suffix.lower() in MIDI_SUFFIXES and file.is_file():
                    yield file, file.relative_to(path)
        else:
            yield path, Path(path.name)


def _look(path: Path, repair: bool) -> tuple[Finding, Score | None, Report | None]:
    """Read one file; the score and the report are None if it cannot be read."""
    from tokenizer import InputError, MidiError
    from tokenizer.notation.read import read_music

    try:
        score, report = read_music(path, repair=repair)
    except InputError as error:
        if isinstance(error, MidiError):
            return Finding(str(path), False, error.reason, error.offset), None, None
        return Finding(str(path), False, str(error)), None, None
    finding = Finding(
        path=str(path),
        ok=True,
        notes=len(score.notes),
        tracks=len(score.tracks),
        programs=tuple(sorted({track.program for track in score.tracks})),
        seconds=round(float(score.seconds(score.end)), 3),
        repaired=report.repaired,
    )
    return finding, score, report


def _with_chords(finding: Finding, score: Score) -> Finding:
    from tokenizer.chords.chart import chart
    from tokenizer.score.chords import file_chords, score_chart, score_chords

    named = file_chords(score)
    ticks, chords = score_chords(score) if named is None else named
    return replace(
        finding,
        chords=chart(score_chart(score, ticks, chords)),
        chords_from="notes" if named is None else "file",
    )


def _print_chords(console: Console, finding: Finding) -> None:
    source = "as the file names them" if finding.chords_from == "file" else "estimated"
    console.print(f"[bold]{_safe(finding.path)}[/]: chords {source}")
    console.print(finding.chords, markup=False)


def _print_line(console: Console, finding: Finding, report: Report) -> None:
    odd = len(report.damage) + len(report.oddities)
    console.print(
        f"[{'yellow' if odd else 'green'}]✓[/] {_safe(finding.path)}: {_summary(finding)}"
        + (f", {odd} irregularities" if odd > 1 else ", 1 irregularity" if odd else "")
        + (", [yellow]repaired[/]" if finding.repaired else "")
    )


def _print_all(console: Console, finding: Finding, score: Score, report: Report) -> None:
    """Print the tracks as a table, then what holds for the whole file."""
    from rich.table import Table

    from tokenizer import Grid, Vocabulary, instruments
    from tokenizer.encoding.controls import unknown_meters
    from tokenizer.labels import labels_of

    console.print(f"[bold]{_safe(finding.path)}[/]: {_summary(finding)}")
    table = Table("", "track", "instrument", "notes", "range", "bends", "pedals", "lyrics")
    for number, (shown, track) in enumerate(
        zip(_numbers(finding.path, score), score.tracks, strict=True)
    ):
        notes = score.notes[score.notes["track"] == number]
        pitches = notes["pitch"]
        reach = f"{_pitch(pitches.min())}–{_pitch(pitches.max())}" if len(notes) else ""
        counts = [
            str((column["track"] == number).sum() or "")
            for column in (score.pitch_bends, score.pedals, score.lyrics)
        ]
        kit = f" (kit {track.kit})" if track.kit else ""
        name = instruments.name(track.program) + kit
        table.add_row(shown, _safe(track.name), name, str(len(notes)), reach, *counts)
    console.print(table)
    console.print(f"type {report.format}, {score.ticks_per_quarter} ticks per quarter")
    console.print(f"tempo: {_tempos(score)}")
    times = [f"{n}/{d}" for _, n, d in score.time_signatures.tolist()]
    console.print(f"time signatures: {_shortened(times) or 'none (4/4)'}")
    if lost := unknown_meters(score, Vocabulary.create(Grid.beats())):
        console.print(f"[yellow]lost in tokens:[/] the vocabulary has no {', '.join(lost)}")
    key = labels_of(score).key
    stated = "" if len(score.key_signatures) else " (estimated)"
    console.print(f"key: {_key(*key) + stated if key else 'none'}")
    for text in score.markers["text"].tolist():
        console.print(f"marker: {_safe(text)}")
    if made := _recipe(finding.path):
        console.print(f"recipe: {_safe(made)}")
    for shared in (each for each in report.shared_channels if each.differing):
        tracks = ", ".join(str(track + 1) for track in shared.tracks)
        console.print(
            f"[yellow]odd:[/] tracks {tracks} of the file share channel {shared.channel + 1}: a "
            f"synthesiser plays {shared.differing:,} of their {shared.notes:,} notes with another "
            "instrument"
        )
    for words in report.oddities:
        console.print(f"[yellow]odd:[/] {_safe(words)}")
    for words in report.damage:
        console.print(f"[red]damaged:[/] {_safe(words)}")
    if report.repaired:
        console.print(f"dropped: {report.unfinished} notes, {report.bytes_dropped} bytes")


def _numbers(path: str, score: Score) -> list[str]:
    """The number that `--tracks`, `--replace` and `--as` take for each track of a score."""
    from musenet.export.parts import numbers_of
    from musenet.generation.prompt import plain_file, read_file
    from tokenizer.errors import InputError

    try:
        numbers = numbers_of(plain_file(read_file(path)[0], score))
    except InputError:  # repaired music, which has no such file
        numbers = []
    if len(numbers) != len(score.tracks):
        return [""] * len(score.tracks)
    return [str(number) for number in numbers]


def _recipe(path: str) -> str:
    """What a file says of how it was made, or "" if it does not say so."""
    from musenet.editing.fill_recipe import read_recipe
    from tokenizer.errors import InputError

    try:
        recipe, _ = read_recipe(path)
    except InputError:
        return ""
    options = recipe.options
    return (
        f"made by musenet {recipe.program} with {recipe.model} (weights {recipe.weights}), seed "
        f"{options.seed}, variation {options.variations[0]}; musenet replay makes it again"
    )


def _summary(finding: Finding) -> str:
    minutes, seconds = divmod(round(finding.seconds), 60)
    notes = "1 note" if finding.notes == 1 else f"{finding.notes} notes"
    tracks = "1 track" if finding.tracks == 1 else f"{finding.tracks} tracks"
    return f"{notes}, {tracks}, {minutes}:{seconds:02}"


def _tempos(score: Score) -> str:
    tempi = [60e6 / microseconds for microseconds in score.tempos["microseconds"].tolist()]
    if not tempi:
        return "none (120)"
    if len(tempi) == 1:
        return f"{tempi[0]:.4g} quarters per minute"
    return f"{min(tempi):.4g}–{max(tempi):.4g} quarters per minute, {len(tempi)} changes"


def _shortened(words: list[str], most: int = 8) -> str:
    return ", ".join(words[:most]) + (f", … ({len(words)} in all)" if len(words) > most else "")


def _pitch(number: int) -> str:
    from tokenizer.theory import pitch_name, typeset

    return typeset(pitch_name(number))


def _key(fifths: int, minor: bool) -> str:
    from tokenizer.theory import MAJOR_TONICS, MINOR_TONICS, typeset

    tonic = typeset((MINOR_TONICS if minor else MAJOR_TONICS)[fifths + 7])
    return f"{tonic} {'minor' if minor else 'major'}"


def _safe(text: str) -> str:
    """A file's text for the terminal: no control characters, no markup."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else "�" for c in text))
