"""Clips of a Live set: reading those of a scene, writing takes into slots that are free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from musenet.bridges.song import MOST_QUARTERS, ClipNote, ClipTrack, Song
from tokenizer.errors import InputError

from .osc import Osc

_QUARTERS_AT_ONCE = 4.0  # an answer must fit into one datagram: on macOS, of some 400 notes
_NOTES_AT_ONCE = 100
_LOWEST, _PITCHES = 0, 128


@dataclass(frozen=True)
class Clip:
    """A MIDI clip, from its first note on.

    Attributes:
        track: the index of its track.
        scene: the index of its slot.
        name: its name.
        track_name: that of its track.
        length: in quarter notes.
        notes: in quarter notes from its start; their track is 0.
    """

    track: int
    scene: int
    name: str
    track_name: str
    length: float
    notes: tuple[ClipNote, ...]

    def repeated(self, length: float) -> list[ClipNote]:
        """Its notes over a length, again and again if it is shorter."""
        found, begin = [], 0.0
        while begin < length - 1e-6:
            for note in self.notes:
                start = begin + note.start
                end = min(begin + note.end, length)
                if start < length - 1e-6 and end > start:
                    found.append(note._replace(start=start, end=end))
            begin += self.length
        return found


@dataclass
class LiveSet:
    """The set that is open in Live.

    Attributes:
        osc: the connection.
    """

    osc: Osc
    _tracks: int | None = field(default=None, repr=False)

    def selected(self) -> Clip:
        """The clip in the slot that is selected.

        Raises:
            InputError: if there is none, or it is audio, or has no notes.
        """
        track, scene = self.osc.ask("/live/view/get/selected_clip")
        if not self.has_clip(track, scene):
            raise InputError("the selected slot is empty; select a MIDI clip in the session view")
        clip = self.clip(track, scene)
        if clip is None or not clip.notes:
            raise InputError("the selected clip has no notes; select a MIDI clip with some")
        return clip

    def has_clip(self, track: int, scene: int) -> bool:
        """Whether there is a clip in a slot."""
        return bool(self._slot("get/has_clip", track, scene))

    def clip(self, track: int, scene: int) -> Clip | None:
        """The clip in a slot that has one, or None for audio.

        Raises:
            InputError: if it is empty or too long.
        """
        if not self._clip("get/is_midi_clip", track, scene):
            return None
        looping = bool(self._clip("get/looping", track, scene))
        names = ("loop_start", "loop_end") if looping else ("start_marker", "end_marker")
        begin, end = (float(self._clip(f"get/{each}", track, scene)) for each in names)
        if not 0 < end - begin <= MOST_QUARTERS:
            raise InputError(f"the clip lasts {end - begin:g} beats; 1 to {MOST_QUARTERS:,}")
        name = str(self._clip("get/name", track, scene) or "")
        (track_name,) = self.osc.ask("/live/track/get/name", track, keys=1)
        notes = self._notes(track, scene, begin, end)
        return Clip(track, scene, name, str(track_name), end - begin, notes)

    def others(self, clip: Clip) -> list[Clip]:
        """The other MIDI clips with notes of a clip's scene."""
        tracks = (n for n in range(self.tracks) if n != clip.track)
        found = (self.clip(n, clip.scene) for n in tracks if self.has_clip(n, clip.scene))
        return [each for each in found if each is not None and each.notes]

    def song(self, clips: Sequence[Clip]) -> Song:
        """Clips as they sound together, over the length of the first one; it begins with a bar."""
        tempo, beats, unit = (
            self.osc.ask(f"/live/song/get/{name}")[0]
            for name in ("tempo", "signature_numerator", "signature_denominator")
        )
        length = clips[0].length
        return Song(
            tracks=tuple(ClipTrack(clip.track_name) for clip in clips),
            notes=tuple(
                note._replace(track=number)
                for number, clip in enumerate(clips)
                for note in clip.repeated(length)
            ),
            end=length,
            meters=((0.0, int(beats), int(unit)),),
            tempos=((0.0, float(tempo)),),
        )

    @property
    def tracks(self) -> int:
        """How many tracks there are."""
        if self._tracks is None:
            self._tracks = int(self.osc.ask("/live/song/get/num_tracks")[0])
        return self._tracks

    def new_track(self, name: str) -> int:
        """Make a MIDI track behind all others; returns its index.

        Raises:
            InputError: if Live makes none.
        """
        number = self.tracks
        self.osc.tell("/live/song/create_midi_track", -1)
        self._tracks = None
        if self.tracks != number + 1:
            raise InputError("Live made no new track; its edition may allow no more")
        self.osc.tell("/live/track/set/name", number, name)
        return number

    def free_scene(self, tracks: Iterable[int], after: int) -> int:
        """The first scene from an index on whose slots on some tracks are free; made if need be.

        Raises:
            InputError: if Live makes none.
        """
        wanted = list(tracks)
        count = int(self.osc.ask("/live/song/get/num_scenes")[0])
        for scene in range(after, count):
            if not any(self.has_clip(track, scene) for track in wanted):
                return scene
        self.osc.tell("/live/song/create_scene", -1)
        if int(self.osc.ask("/live/song/get/num_scenes")[0]) != count + 1:
            raise InputError("Live made no new scene; its edition may allow no more")
        return count

    def write(self, track: int, scene: int, name: str, length: float, notes: list[ClipNote]) -> int:
        """Make a clip in a free slot; returns how many notes it has.

        Raises:
            InputError: if the slot is taken, or Live did not take the notes.
        """
        if self.has_clip(track, scene):
            raise InputError(f"slot {scene + 1} of track {track + 1} was filled meanwhile")
        # In a clip a pitch begins once at a time.
        unique = list({(note.pitch, round(note.start, 6)): note for note in notes}.values())
        self.osc.tell("/live/clip_slot/create_clip", track, scene, float(length))
        self.osc.tell("/live/clip/set/name", track, scene, name)
        for begin in range(0, len(unique), _NOTES_AT_ONCE):
            values = [
                value
                for note in unique[begin : begin + _NOTES_AT_ONCE]
                for value in (note.pitch, note.start, note.end - note.start, note.velocity, False)
            ]
            self.osc.tell("/live/clip/add/notes", track, scene, *values)
        there = len(self._notes(track, scene, 0.0, length))
        if there != len(unique):
            raise InputError(f"Live took {there} of {len(unique)} notes into slot {scene + 1}")
        return there

    def _notes(self, track: int, scene: int, begin: float, end: float) -> tuple[ClipNote, ...]:
        """The notes of a clip that begin within a stretch, from its start on, but muted ones."""
        found: dict[tuple[int, float], ClipNote] = {}
        at = begin
        while at < end - 1e-6:
            span = min(_QUARTERS_AT_ONCE, end - at)
            values = self.osc.ask(
                "/live/clip/get/notes", track, scene, _LOWEST, _PITCHES, at, span, keys=2
            )
            for pitch, start, duration, velocity, mute in zip(*[iter(values)] * 5, strict=True):
                start = float(start) - begin
                last = min(start + float(duration), end - begin)
                if not mute and last > start >= -1e-6:
                    loudness = min(max(round(velocity), 1), 127)
                    note = ClipNote(0, max(start, 0.0), last, 0, int(pitch), loudness)
                    found[int(pitch), round(start, 4)] = note
            at += span
        return tuple(sorted(found.values(), key=lambda note: (note.start, note.pitch)))

    def _slot(self, what: str, track: int, scene: int) -> Any:
        (value,) = self.osc.ask(f"/live/clip_slot/{what}", track, scene, keys=2)
        return value

    def _clip(self, what: str, track: int, scene: int) -> Any:
        (value,) = self.osc.ask(f"/live/clip/{what}", track, scene, keys=2)
        return value
