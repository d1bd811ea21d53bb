"""What REAPER's script asks and is answered: lines of fields between tabs, times in quarter notes.

musenet reaper 1                        ok
action  fill                            span    8.0  16.0
option  variations  2                   track   1    Strings
range   8.0  16.0                       take    MuseNet fill 1
end     32.0                            remove  0
bar     0.0  4  4  120.0                add     0    8.0  9.0  0  40  90
track   0  selected  Bass               add     1    8.0  12.0  1  60  70
program 0  33
note    0  8.0  9.0  0  36  100         …or: error  one sentence, or: cancelled
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from musenet.bridges.song import ClipNote, ClipTrack, Song, changes, ticks, together
from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.generate_options import GenerateOptions
from musenet.options.knob import from_texts
from musenet.studio.actions import ACTIONS, options_from
from musenet.tree.tree import Node
from tokenizer.errors import InputError
from tokenizer.midi.read import read
from tokenizer.score.bars import Bars

FIRST_LINE = "musenet reaper 1"
_FIELDS = {"action": 1, "option": 2, "range": 2, "end": 1, "bar": 4, "track": 3, "program": 2}
_FIELDS["note"] = 6
Options = GenerateOptions | FillOptions | AccompanyOptions


@dataclass(frozen=True)
class ReaperRequest:
    """What was asked.

    Attributes:
        action: continue, fill or accompany.
        song: what is heard.
        options: of the music.
    """

    action: str
    song: Song
    options: Options


def parse(text: str) -> ReaperRequest:
    """The request in a text.

    Raises:
        InputError: if it is of another version or damaged, or its options are wrong.
    """
    lines = text.splitlines()
    if not lines or lines[0] != FIRST_LINE:
        raise InputError(
            "the script in REAPER and this program are of different versions; install the script "
            "again with `musenet bridge reaper`"
        )
    found: dict[str, list[list[str]]] = {name: [] for name in _FIELDS}
    for line in lines[1:]:
        name, *fields = line.split("\t")
        if len(fields) != _FIELDS.get(name):
            raise InputError(f"the request of REAPER's script is damaged at '{line[:60]}'")
        found[name].append(fields)
    try:
        song, selected = _song(found)
        action, span = found["action"][0][0], [[_number(x) for x in r] for r in found["range"]]
    except (ValueError, IndexError, OverflowError) as error:
        raise InputError(f"the request of REAPER's script is damaged ({error})") from error
    options = [(name, value) for name, value in found["option"]]
    return ReaperRequest(action, song, _options(action, song, options, span, selected))


def _song(found: dict[str, list[list[str]]]) -> tuple[Song, list[int]]:
    """The song, and the numbers of the tracks that are selected and have notes."""
    programs = {int(track): int(program) for track, program in found["program"]}
    tracks = tuple(ClipTrack(name, programs.get(int(number))) for number, _, name in found["track"])
    notes = tuple(
        ClipNote(int(track), _number(start), _number(end), int(channel), int(pitch), int(velocity))
        for track, start, end, channel, pitch, velocity in found["note"]
    )
    bars = [(_number(at), int(n), int(unit), _number(bpm)) for at, n, unit, bpm in found["bar"]]
    meters = [(at, n, unit) for at, n, unit, _ in bars]
    tempos = [(at, bpm) for at, _, _, bpm in bars]
    end = _number(found["end"][0][0])
    song = Song(tracks, notes, end, _turns(meters, bars), tuple(tempos))
    playing = {note.track for note in notes}
    chosen = [int(n) for n, how, _ in found["track"] if how == "selected" and int(n) in playing]
    return song, chosen


def _turns(
    meters: list[tuple[float, int, int]], bars: Sequence[tuple[float, int, int, float]]
) -> tuple[tuple[float, int, int], ...]:
    """The meters where they change, or where a bar is not as long as its meter says."""
    found = [meters[0]]
    for (before, beats, unit, _), (at, *meter) in zip(bars, meters[1:], strict=False):
        short = abs(before + 4 * beats / unit - at) > 1e-3
        if short or (beats, unit) != tuple(meter):
            found.append((at, meter[0], meter[1]))
    return tuple(found)


def _options(
    action: str,
    song: Song,
    given: list[tuple[str, str]],
    span: list[list[float]],
    selected: list[int],
) -> Options:
    """The options that were typed, and those that follow from what was selected."""
    if action not in ACTIONS:
        raise InputError(f"'{action}' is no action; the script is of another version")
    hole = {}
    if span:
        begin, end = span[0]
        hole = {"begin": song.place(begin), "stop": song.place(end, end=True)}
    typed = from_texts(ACTIONS[action], given)
    if action == "continue":
        return options_from(GenerateOptions, {**typed, "stop": song.place(song.end, end=True)})
    if action == "accompany" and not hole:
        return options_from(AccompanyOptions, typed)
    if action == "accompany":
        typed["added"] = typed.pop("instruments", None)
    elif "instruments" not in typed:
        if not selected:
            raise InputError("the selected items have no notes; say which instruments to write")
        # In a file, tracks are counted from 1, and the first one is the conductor's.
        typed["tracks"] = [str(number + 2) for number in selected]
    return options_from(FillOptions, {**typed, **hole})


def answer(request: ReaperRequest, grown: Sequence[Node]) -> str:
    """The answer to a request: what is new in each take."""
    lines = ["ok"]

    def line(*fields: object) -> None:
        lines.append("\t".join(str(field) for field in fields))

    song = request.song
    tracks, takes = together(song, [changes(song, node.data) for node in grown])
    if grown:
        line("span", *(f"{quarter:.6f}" for quarter in _span(grown[0])))
    for number, track in enumerate(tracks, len(song.tracks)):
        line("track", number, " ".join(track.name.split()) or "MuseNet")
    for number, new in enumerate(takes, 1):
        line("take", f"MuseNet {request.action} {number}")
        for index in new.removed:
            line("remove", index)
        for own, start, end, *rest in new.added:
            line("add", own, f"{start:.6f}", f"{end:.6f}", *rest)
    return "\n".join(lines) + "\n"


def _span(node: Node) -> tuple[float, float]:
    """Between which quarter notes the new music lies."""
    growth = node.growth
    if growth is None:
        raise AssertionError("a take is grown")
    quarter = ticks(1)
    if growth.holes:
        return growth.holes[0][0] / quarter, growth.holes[-1][1] / quarter
    bars = Bars(read(node.data).time_signatures, quarter)
    return growth.boundary / quarter, bars.tick(growth.bars[1]) / quarter


def _number(text: str) -> float:
    """A number; some systems write a comma for the point."""
    return float(text.replace(",", "."))
