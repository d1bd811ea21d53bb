"""The selected clip of a Live set, continued, filled or accompanied into slots that are free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from musenet.bridges.song import Changes, ClipNote, Song, changes, together
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.generate_options import GenerateOptions
from musenet.tree.grow import Watch, grow_any
from musenet.tree.tree import Node
from tokenizer.errors import InputError
from tokenizer.midi.read import read
from tokenizer.score.bars import Bars

from .live_set import Clip, LiveSet

Options = GenerateOptions | FillOptions | AccompanyOptions


@dataclass(frozen=True)
class Written:
    """A clip that was made.

    Attributes:
        name: its name.
        track: the name of its track.
        scene: the number of its scene, from 1.
        notes: how many it has.
    """

    name: str
    track: str
    scene: int
    notes: int


@dataclass(frozen=True)
class Asked:
    """What is continued, filled or accompanied.

    Attributes:
        clips: the selected clip, and the others that are heard.
        song: their music.
        options: of the request.
    """

    clips: tuple[Clip, ...]
    song: Song
    options: Options


def read_clips(live: LiveSet, options: Options, *, scene: bool) -> Asked:
    """The selected clip, and with `scene` the others of its scene.

    Raises:
        InputError: if there is none, or Live does not answer.
    """
    clip = live.selected()
    clips = (clip, *(live.others(clip) if scene else ()))
    song = live.song(clips)
    if isinstance(options, GenerateOptions):
        options = replace(options, stop=song.place(song.end, end=True))
    elif isinstance(options, FillOptions) and not _names_parts(options):
        # In a file, tracks are counted from 1, and the first one is the conductor's.
        options = replace(options, tracks=("2",))
    return Asked(clips, song, options)


def _names_parts(options: FillOptions) -> bool:
    return bool(options.instruments or options.tracks or options.added)


def write_takes(
    live: LiveSet, asked: Asked, model: tuple[str, Checkpoint], watch: Watch
) -> list[Written]:
    """Make the takes and write each into the slots of a free scene; what is there stays.

    Raises:
        InputError: if the request cannot be met, or Live does not answer.
    """
    music = Node(0, None, asked.clips[0].name or "clip", asked.song.to_midi())
    grown = grow_any(music, model, asked.options, watch)
    tracks, found = together(asked.song, [changes(asked.song, node.data) for node in grown])
    places = [clip.track for clip in asked.clips]
    names = [clip.track_name for clip in asked.clips]
    for each in tracks:
        places.append(live.new_track(each.name))
        names.append(each.name)
    # A part on a track of its own plays with the clip; takes of the clip's own track lie below.
    after, written = asked.clips[0].scene, list[Written]()
    for number, (node, new) in enumerate(zip(grown, found, strict=True), 1):
        clips, length = _clips(asked, node, new)
        if not clips:
            continue
        scene = live.free_scene((places[track] for track in clips), after)
        after = scene + 1
        name = f"{asked.clips[0].name or 'MuseNet'} {number}"
        for track, notes in sorted(clips.items()):
            count = live.write(places[track], scene, name, length, notes)
            written.append(Written(name, names[track], scene + 1, count))
    if not written:
        raise InputError("no take has new notes; ask again with another --seed")
    return written


def _clips(asked: Asked, node: Node, new: Changes) -> tuple[dict[int, list[ClipNote]], float]:
    """The notes of each new clip by the number of its track in the song, and the clips' length."""
    growth = node.growth
    if isinstance(asked.options, GenerateOptions) and growth is not None:
        score = read(node.data)
        bars = Bars(score.time_signatures, score.ticks_per_quarter)
        begin = growth.boundary / score.ticks_per_quarter
        length = bars.tick(growth.bars[1]) / score.ticks_per_quarter - begin
        return _by_track(new.added, begin, length), length
    gone = Counter(asked.song.notes[index] for index in new.removed)
    touched = {note.track for note in (*new.added, *gone)}
    kept = [note for note in asked.song.notes if note.track in touched]
    left = list((Counter(kept) - gone).elements())
    return _by_track((*left, *new.added), 0.0, asked.song.end), asked.song.end


def _by_track(notes: Sequence[ClipNote], begin: float, length: float) -> dict[int, list[ClipNote]]:
    """Notes by their tracks, from the start of a clip on and within it."""
    found: dict[int, list[ClipNote]] = {}
    for note in notes:
        start = max(note.start - begin, 0.0)
        end = min(note.end - begin, length)
        if end > start:
            found.setdefault(note.track, []).append(note._replace(start=start, end=end))
    return found
