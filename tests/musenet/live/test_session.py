"""Whole performances with a simulated player: what sounds, what ends, what is kept."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import mido
import pytest
from typer.testing import CliRunner

from musenet.cli.main import app
from musenet.live.band import Band
from musenet.live.notes import LiveNote
from musenet.live.session import answers, loops, performance, plays_along
from musenet.live.stage import Stage
from musenet.live.writer import Writer
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.options.live_options import LiveOptions
from musenet.tree.file import read_tree, write_tree
from musenet.tree.tree import Node, Tree
from tokenizer.errors import InputError
from tokenizer.midi.read import read

Until = Callable[[Callable[[], Any]], Any]
ROOT = Path(__file__).parents[3]
FAST = 240.0  # BPM


class Player:
    """Somebody at a keyboard, who hears what the program plays."""

    def __init__(self) -> None:
        self.keys = mido.open_output("keys")
        self.heard: list[tuple[float, Any]] = []
        self.input = mido.open_input("synth", callback=self.hear)

    def hear(self, message: Any) -> None:
        self.heard.append((time.perf_counter(), message))

    def press(self, *pitches: int) -> None:
        for pitch in pitches:
            self.keys.send(mido.Message("note_on", note=pitch, velocity=80))
        time.sleep(0.05)
        for pitch in pitches:
            self.keys.send(mido.Message("note_off", note=pitch))

    def notes(self, kind: str = "note_on") -> list[tuple[int, int]]:
        return [(m.channel, m.note) for _, m in list(self.heard) if m.type == kind]

    def sounding(self) -> Counter[tuple[int, int]]:
        found = Counter(self.notes())
        found.subtract(self.notes("note_off"))
        return +found


@pytest.fixture
def player() -> Iterator[Player]:
    made = Player()
    yield made
    made.input.close()
    made.keys.close()


class Performance:
    """A performance in a thread of its own, which can be ended."""

    def __init__(self, options: LiveOptions, file: Path, run: Callable[[Stage], Any]) -> None:
        self.said: list[str] = []
        self.error: BaseException | None = None
        self.stage: Stage | None = None
        self._options, self._file, self._run = options, file, run
        self._thread = threading.Thread(target=self._perform, daemon=True)
        self._thread.start()

    def _perform(self) -> None:
        try:
            with performance(self._options, "keys", "synth", self._file) as stage:
                self.stage = stage
                for sentence in self._run(stage):
                    self.said.append(sentence)
        except InputError as error:
            self.error = error

    def end(self) -> None:
        assert self.stage is not None
        self.stage.end()
        self._thread.join(20)
        assert not self._thread.is_alive()


def played(stage: Stage, begin: float, pitches: Sequence[int], gap: float) -> None:
    """A phrase that was played from a moment in the past on, with the last key released last."""
    for place, pitch in enumerate(pitches):
        message = mido.Message("note_on", note=pitch, velocity=80)
        stage.recorder.heard(begin + place * gap, message)
        stage.listener.hear(begin + place * gap, message)
    for place, pitch in enumerate(pitches):
        message = mido.Message("note_off", note=pitch)
        stage.recorder.heard(begin + (place + 0.8) * gap, message)
        stage.listener.hear(begin + (place + 0.8) * gap, message)


def test_an_answer_comes_after_the_phrase_and_stops_at_the_next_key(
    tmp_path: Path, player: Player, until: Until
) -> None:
    options = LiveOptions(tempo=120.0, seed=2)
    tree = tmp_path / "live.tree.json"
    mini = ("mini", load_checkpoint("mini"))
    running = Performance(options, tmp_path / "live.mid", lambda stage: answers(stage, mini, tree))
    until(lambda: running.said[1:])
    assert running.stage is not None
    scale = (60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79, 81, 83, 84, 48)
    assert not player.notes()
    played(running.stage, time.perf_counter() - 10, scale, 0.5)
    until(player.notes)
    player.keys.send(mido.Message("note_on", note=48, velocity=90))
    assert not player.sounding()  # at once, before anything else can happen
    count = len(player.notes())
    time.sleep(0.6)
    assert len(player.notes()) == count
    player.keys.send(mido.Message("note_off", note=48))
    until(lambda: len(running.said) >= 3)
    running.end()
    assert not player.sounding()
    assert "until you played again" in running.said[2]
    names = {
        track.name: sum(message.type == "note_on" for message in track)
        for track in mido.MidiFile(tmp_path / "live.mid").tracks
    }
    assert names["You"] == 17
    assert names["Acoustic Grand Piano"] == len(player.notes())
    first, second = list(read_tree(tree).nodes.values())[:2]
    assert (first.parent, second.parent) == (None, 1)
    assert first.growth is None
    assert second.growth is not None
    assert len(read(first.data).notes) == 16


def test_the_band_plays_beside_the_player_and_leaves_nothing_sounding(
    tiny: Checkpoint, tmp_path: Path, player: Player, until: Until
) -> None:
    options = LiveOptions(tempo=FAST, seed=1, listen=0, instruments=(128, 33))
    tree = tmp_path / "live.tree.json"
    running = Performance(
        options, tmp_path / "live.mid", lambda stage: plays_along(stage, ("tiny", tiny), tree)
    )
    until(lambda: running.said[1:])
    assert not player.notes()
    for pitch in (60, 64, 67, 72) * 8:
        player.press(pitch)
        time.sleep(0.02)
    until(lambda: len(player.notes()) > 8)
    running.end()
    assert not player.sounding()
    assert {channel for channel, _ in player.notes()} <= {0, 9}
    assert running.said[0] == "channels: Electric Bass (finger) 1, Drums 10"
    assert "240 BPM" in running.said[2]
    player_alone, whole = read_tree(tree).nodes.values()
    assert {track.name for track in read(player_alone.data).tracks} == {"You"}
    assert whole.parent == player_alone.number
    assert len(read(whole.data).notes) == 32 + len(player.notes())


def test_four_taps_count_the_band_in(
    tiny: Checkpoint, tmp_path: Path, player: Player, until: Until
) -> None:
    options = LiveOptions(seed=1, listen=0, instruments=(33,))
    tree = tmp_path / "live.tree.json"
    running = Performance(
        options, tmp_path / "live.mid", lambda stage: plays_along(stage, ("tiny", tiny), tree)
    )
    until(lambda: running.said[1:])
    begun = time.perf_counter()
    for beat in range(4):
        time.sleep(max(begun + beat * 0.25 - time.perf_counter(), 0))
        player.press(60)
    until(player.notes)
    running.end()
    assert running.stage is not None
    assert running.stage.transport.tempo == pytest.approx(240, rel=0.1)
    first = next(moment for moment, message in player.heard if message.type == "note_on")
    assert first >= begun + 4 * 0.25 - 0.05
    assert not player.sounding()


def test_midi_clock_leads_the_band_and_its_stop_silences_it(
    tiny: Checkpoint, tmp_path: Path, player: Player, until: Until
) -> None:
    options = LiveOptions(clock=True, seed=1, listen=0, instruments=(33,))
    tree = tmp_path / "live.tree.json"
    running = Performance(
        options, tmp_path / "live.mid", lambda stage: plays_along(stage, ("tiny", tiny), tree)
    )
    until(lambda: running.said[1:])
    player.keys.send(mido.Message("start"))
    begun, count = time.perf_counter(), 0
    while not player.notes():
        count += 1
        time.sleep(max(begun + count * 60 / 150 / 24 - time.perf_counter(), 0))
        player.keys.send(mido.Message("clock"))
        assert count < 24 * 60
    assert running.stage is not None
    assert running.stage.transport.tempo == pytest.approx(150, rel=0.1)
    player.keys.send(mido.Message("stop"))
    assert not player.sounding()
    running.end()


def test_a_loop_plays_the_prompt_and_then_the_take_of_a_key(
    tiny: Checkpoint, tmp_path: Path, player: Player, until: Until
) -> None:
    path = tmp_path / "song.tree.json"
    data = (ROOT / "examples/prompts/folk.mid").read_bytes()
    write_tree(Tree().joined([Node(0, None, "folk", data)]), path)
    options = LiveOptions(tempo=400.0, bars=1, takes=2, seed=1)
    running = Performance(
        options, tmp_path / "live.mid", lambda stage: loops(stage, ("tiny", tiny), path, None)
    )
    until(lambda: sum("is ready" in sentence for sentence in running.said) >= 2)
    assert any("take 1 is ready: key C" in sentence for sentence in running.said)
    until(player.notes)
    assert {pitch for _, pitch in player.notes()} <= set(read(data).notes["pitch"].tolist())
    player.press(74)  # D: the second take
    until(lambda: any(sentence == "playing node 3" for sentence in running.said))
    until(lambda: len(read_tree(path).children(read_tree(path).nodes[3])) >= 1)
    player.press(61)
    until(lambda: any("plays on" in sentence for sentence in running.said))
    running.end()
    assert not player.sounding()


def test_a_port_that_fails_ends_it_with_a_sentence_and_keeps_what_was_played(
    tiny: Checkpoint, tmp_path: Path, player: Player, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = LiveOptions(tempo=FAST, seed=1, listen=0, instruments=(33,))
    tree = tmp_path / "live.tree.json"
    running = Performance(
        options, tmp_path / "live.mid", lambda stage: plays_along(stage, ("tiny", tiny), tree)
    )
    until(lambda: running.said[1:])
    player.press(60)
    until(player.notes)

    def gone(_self: Any, _message: Any) -> None:
        raise OSError("the device is gone")

    monkeypatch.setattr("benchmarks.loopback.Output._send", gone)
    assert "the device is gone" in str(until(lambda: running.error))
    assert len(mido.MidiFile(file=BytesIO((tmp_path / "live.mid").read_bytes())).tracks) > 1


def test_an_error_in_the_middle_ends_all_notes(
    tiny: Checkpoint, tmp_path: Path, player: Player, until: Until
) -> None:
    options = LiveOptions(tempo=60.0, seed=1, instruments=(33,))

    def fail() -> None:
        with performance(options, "keys", "synth", tmp_path / "live.mid") as stage:
            Band(stage, Writer(tiny, options, (33,)))
            stage.performer.start((33,))
            player.press(60)
            stage.performer.add([LiveNote(0.0, 99.0, pitch, 80, 33) for pitch in (40, 47)])
            until(player.sounding)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not player.sounding()


def test_ctrl_c_ends_all_notes_and_keeps_the_recording(
    tmp_path: Path, player: Player, until: Until
) -> None:
    options = LiveOptions(tempo=60.0)

    def sound_on() -> None:
        with performance(options, "keys", "synth", tmp_path / "live.mid") as stage:
            stage.count(time.perf_counter(), 60.0)
            stage.performer.start((0,))
            stage.performer.add([LiveNote(0.0, 99.0, pitch, 80, 0) for pitch in (60, 64, 67)])
            until(lambda: len(player.sounding()) == 3)
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        sound_on()
    assert not player.sounding()
    assert signal.getsignal(signal.SIGINT) is before
    assert len(read((tmp_path / "live.mid").read_bytes()).notes) == 3


def test_a_loop_grows_with_the_options_that_were_given(tiny: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "song.tree.json"
    data = (ROOT / "examples/prompts/folk.mid").read_bytes()
    write_tree(Tree().joined([Node(0, None, "folk", data)]), path)
    options = LiveOptions(bars=1, takes=1, polyphony=3, unisons=False, composer="bach")
    file = tmp_path / "live.mid"
    with performance(options, "keys", "synth", file) as stage:
        for sentence in loops(stage, ("tiny", tiny), path, None):
            if "is ready" in sentence:
                stage.end()
    growth = read_tree(path).nodes[2].growth
    assert growth is not None
    asked = growth.options
    assert (asked.polyphony, asked.unisons, asked.composer) == (3, False, "bach")


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["live", *arguments])


def test_ports_are_listed() -> None:
    assert (
        invoke("--list").output == "input ports:\n  keys\n  synth\noutput ports:\n  keys\n  synth\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["banned"], "mode"),
        ([], "mode"),
        (["loop"], "live loop TREE"),
        (["band", "x.tree.json"], "only loop"),
        (["band", "--in", "piano", "--out", "synth"], "MIDI input port"),
        (["band", "--in", "keys", "--out", "s", "--tempo", "5"], "outside"),
        (["answer", "--record", "live.wav"], "does not end in .mid"),
        (["answer", "--as", "drums,bass"], "names 2 instruments"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code
    assert said in str(result.exception or result.output)
    assert not list(tmp_path.iterdir())
