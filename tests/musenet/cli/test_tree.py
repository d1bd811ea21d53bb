"""`musenet tree` as it is typed: the file, the words, exit codes, and nothing half-written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from musenet.api import fill, generate
from musenet.cli.main import main
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import FillOptions
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from musenet.tree import grow
from musenet.tree.file import read_tree, write_tree
from musenet.tree.tree import Node
from tokenizer.midi.read import read

FOLK = Path(__file__).parents[3] / "examples" / "prompts" / "folk.mid"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    tiny: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run the command in an empty folder with the tiny model; exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(grow, "load_checkpoint", lambda name: tiny)

    def go(*arguments: str | Path | int) -> tuple[int, str, str]:
        code = 0
        try:
            main(["tree", *map(str, arguments)])
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return go


def test_a_composers_evening(run: Run, tmp_path: Path, tiny: Checkpoint) -> None:
    prompt = tmp_path / "folk.mid"
    shutil.copy(FOLK, prompt)
    assert run("new", "song.json", prompt)[1] == "1 · folk, 8 bars, 128 notes\n"
    prompt.unlink()
    code, out, _ = run("grow", "song.json", "--bars", 2, "--seed", 4, "--variations", 2)
    assert code == 0
    assert [line.split(" · ")[:2] for line in out.splitlines()] == [
        ["2", "bars 9–10"], ["3", "bars 9–10"]]  # fmt: skip
    assert run("mark", "song.json", 2, "chorus")[1].startswith("2 ★ chorus")
    assert "slower" in run("note", "song.json", "chorus", "slower, here")[1]
    run("grow", "song.json", "--at", "chorus", "--to", 9, "--bars", 1, "--seed", 5)
    run("prune", "song.json", 3)
    shown = run("show", "song.json")[1].splitlines()
    assert [line[:12] for line in shown] == ["1 · folk, 8 ", "└─ 2 ★ choru", "   └─ 4 · ba"]
    assert "chorus" in run("show", "song.json", 4)[1]
    code, out, _ = run("export", "song.json", 4, "--out", "new/x.mid", "--picture", "x.svg")
    assert code == 0
    assert (tmp_path / "x.svg").read_text().startswith("<?xml")
    run("export", "song.json", "chorus", "--out", "chorus.mid")
    taken = (tmp_path / "new" / "x.mid").read_bytes()
    for name, more in (("x-2.mid", ()), ("x.mid", ("--force",))):
        code, out, _ = run("export", "song.json", "chorus", "--out", "new/x.mid", *more)
        assert (code, Path(out.split(": ")[0]).name) == (0, name)
        exported = (tmp_path / "chorus.mid").read_bytes()
        assert (tmp_path / "new" / name).read_bytes() == exported
        if not more:
            assert (tmp_path / "new" / "x.mid").read_bytes() == taken
    (tmp_path / "new" / "x.mid").write_bytes(taken)
    (song,) = generate(tiny, FOLK, GenerateOptions(bars=2, seed=4))
    assert (tmp_path / "chorus.mid").read_bytes() == song.result.data
    whole, old = read(tmp_path / "new" / "x.mid"), read(FOLK)
    assert np.array_equal(whole.notes[: len(old.notes)], old.notes)
    code, out, _ = run("verify", "song.json")
    assert code == 0
    assert "all 2 variations are reproduced" in out


def test_the_same_words_as_generate(run: Run, tmp_path: Path) -> None:
    run("new", "song.json", FOLK)
    words = ["--composer", "J. S. Bach", "--style", "baroque", "--instruments", "flute,cello",
             "--tempo", 90, "--key", "D minor", "--polyphony", 3, "--scale", "D dorian",
             "--temperature", "pitch=0.9", "--bars", 1, "--seed", 3, "--variation", 5,
             "--from", 3, "--to", "0:10"]  # fmt: skip
    code, out, err = run("grow", "song.json", *words)
    assert (code, err) == (0, "")
    growth = read_tree(tmp_path / "song.json").nodes[2].growth
    assert growth is not None
    options = growth.options
    assert isinstance(options, GenerateOptions)
    assert (options.composer, options.styles, options.instruments) == (
        "bach",
        ("baroque",),
        (73, 42),
    )
    assert (options.tempo, options.key, options.variations) == (90, (-1, True), (5,))
    assert options.polyphony == 3
    assert options.scale == (0, 2, 4, 5, 7, 9, 11)
    assert options.sampling(fresh=False)[2].temperature == 0.9
    assert (options.begin, options.stop) == (Place(bar=3), Place(seconds=10))
    assert "Bach · baroque · with Flute, Cello · tempo 90" in out


def test_fills_and_accompaniments_are_nodes_like_others(
    run: Run, tmp_path: Path, tiny: Checkpoint
) -> None:
    run("new", "song.json", FOLK)
    hole = ["--bars", "3-4,6", "--keep-rhythm", "--seed", 2]
    code, out, err = run("fill", "song.json", *hole, "--variations", 2)
    assert (code, err) == (0, "")
    assert [line.split(" · ")[:3] for line in out.splitlines()] == [
        ["2", "fill", "bars 3–6"], ["3", "fill", "bars 3–6"]]  # fmt: skip
    code, out, _ = run("accompany", "song.json", "--at", 2, "--add", "cello", "--seed", 3)
    assert code == 0
    assert out.startswith("4 · accompaniment · bars 1–8")
    run("accompany", "song.json", "--at", 4, "--replace", "Cello", "--seed", 4)
    assert run("grow", "song.json", "--at", 5, "--bars", 1, "--seed", 5)[0] == 0
    run("export", "song.json", 2, "--out", "filled.mid")
    filled = fill(tiny, FOLK, FillOptions(bars=((3, 4), (6, 6)), keep_rhythm=True, seed=2))
    assert (tmp_path / "filled.mid").read_bytes() == filled[0].take.data
    assert run("verify", "song.json")[1].endswith(
        "all 5 variations are reproduced, event for event\n"
    )
    shown = run("show", "song.json", 2)[1]
    assert "holes in bars  3–4, 6" in shown
    assert "keep rhythm" in shown
    assert "track Cello" in run("show", "song.json")[1]


def test_the_best_of_several_become_nodes(run: Run, tmp_path: Path) -> None:
    run("new", "song.json", FOLK)
    some = ["--candidates", 5, "--keep", 2, "--seed", 1]
    for words in (
        ["fill", "--bars", "3-6"],
        ["grow", "--bars", 2],
        ["accompany", "--add", "cello"],
    ):
        code, out, err = run(words[0], "song.json", "--at", 1, *words[1:], *some)
        assert (code, err) == (0, "")
        assert len(out.splitlines()) == 2
    nodes = list(read_tree(tmp_path / "song.json").nodes.values())[1:]
    numbers = [node.growth.options.variations[0] for node in nodes if node.growth is not None]
    assert len(numbers) == 6
    assert all(one != other for one, other in zip(numbers[::2], numbers[1::2], strict=True))
    best = tmp_path / "best.mid"
    run("export", "song.json", 2, "--out", best)
    # The first of the two is what `musenet fill --candidates` keeps.
    again = ["fill", "song.json", "--at", 1, "--bars", "3-6", "--candidates", 5, "--seed", 1]
    assert run(*again)[0] == 0
    assert read_tree(tmp_path / "song.json").nodes[8].data == best.read_bytes()
    assert run("verify", "song.json")[0] == 0


def test_several_prompts_and_none(run: Run, tmp_path: Path) -> None:
    run("new", "song.json", "--nothing")
    code, out, _ = run("add", "song.json", FOLK, FOLK.with_name("quartet.mid"))
    assert code == 0
    assert [line[:8] for line in out.splitlines()] == ["1 · from", "2 · folk", "3 · quar"]
    code, _, err = run("grow", "song.json")
    assert code == 2
    assert "several prompts (1, 2, 3)" in err
    assert run("grow", "song.json", "--at", 1, "--bars", 1, "--meter", "3/4")[0] == 0
    assert run("prune", "song.json", 2)[0] == 0
    assert set(read_tree(tmp_path / "song.json").nodes) == {1, 3, 4}


def test_what_differs_is_said_and_is_no_success(run: Run, tmp_path: Path) -> None:
    run("new", "song.json", FOLK)
    run("grow", "song.json", "--bars", 1, "--seed", 1)
    record = json.loads((tmp_path / "song.json").read_text())
    record["nodes"][1]["growth"]["options"]["seed"] = 2
    (tmp_path / "song.json").write_text(json.dumps(record))
    code, out, _ = run("verify", "song.json", 2)
    assert code == 1
    assert "node 2 differs" in out


def test_an_interrupted_growth_leaves_the_tree_as_it_was(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from musenet.generation.session import Continuation

    run("new", "song.json", FOLK)
    before = (tmp_path / "song.json").read_bytes()

    def interrupted(self: Continuation) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Continuation, "steps", interrupted)
    assert run("grow", "song.json", "--bars", 1)[:2] == (130, "Stopped: song.json is unchanged.\n")
    assert (tmp_path / "song.json").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "song.json"]


def test_marks_made_meanwhile_are_kept(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from musenet.generation.session import Continuation

    run("new", "song.json", FOLK)
    steps = Continuation.steps

    def slow(self: Continuation):  # type: ignore[no-untyped-def]
        with pytest.raises(SystemExit):
            main(["tree", "mark", "song.json", "1", "opening"])
        yield from steps(self)

    monkeypatch.setattr(Continuation, "steps", slow)
    assert run("grow", "song.json", "--bars", 1)[0] == 0
    tree = read_tree(tmp_path / "song.json")
    assert tree.nodes[1].name == "opening"
    assert set(tree.nodes) == {1, 2}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["new", "new.json"], "give a prompt, or --nothing"),
        (["new", "new.json", "FOLK", "--nothing"], "give a prompt, or --nothing"),
        (["new", "song.json", "FOLK"], "already exists"),
        (["new", "new.mid", "FOLK"], "must end in .json"),
        (["new", "new.json", "missing.mid"], "missing.mid"),
        (["new", "new.json", "text.txt"], "not a MIDI file"),
        (["add", "song.json"], "no prompt is given"),
        (["show", "none.json"], "musenet tree new"),
        (["show", "text.txt"], "not a MuseNet tree"),
        (["show", "song.json", "9"], "no node called '9'"),
        (["grow", "song.json", "--at", "opning"], "did you mean 'opening'"),
        (["grow", "song.json", "--at", "1", "--bars", "0"], "bars 0"),
        (["grow", "song.json", "--at", "1", "--composer", "chopn"], "did you mean 'chopin'"),
        (["grow", "song.json", "--at", "1", "--instrument", "pinao"], "did you mean 'piano'"),
        (["grow", "song.json", "--at", "1", "--to", "x"], "--to takes a bar"),
        (["grow", "song.json", "--at", "3", "--to", "2"], "node 3 is empty"),
        (["grow", "song.json", "--from", "90"], "several prompts"),
        (["grow", "song.json", "--at", "1", "--from", "90"], "no notes between --from and --to"),
        (["mark", "song.json", "3", "opening"], "already called 'opening'"),
        (["mark", "song.json", "1", "x", "--off"], "leave out the name"),
        (["prune", "song.json", "opening"], "marked"),
        (["prune", "song.json", "2"], "node 2 was pruned"),
        (["export", "song.json", "3", "--out", "x.mid"], "node 3 is empty"),
        (["export", "song.json", "1", "--out", "x.wav"], "must end in .mid"),
        (["export", "song.json", "1", "--out", "x.mid", "--picture", "x.jpg"], ".png or .svg"),
        (["fill", "song.json", "--at", "3", "--bars", "1"], "there is no music to write in"),
        (["fill", "song.json", "--at", "1"], "no hole is given"),
        (["fill", "song.json", "--at", "1", "--bars", "20"], "beyond the end of node 1"),
        (["accompany", "song.json", "--at", "1"], "no part is named"),
        (["verify", "song.json", "opener"], "did you mean 'opening'"),
    ],
)
def test_bad_requests_are_one_sentence_and_change_nothing(
    run: Run, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    run("new", "song.json", FOLK, FOLK)
    run("prune", "song.json", 2)
    tree = read_tree(tmp_path / "song.json").joined([Node(0, None, "", b"")])
    write_tree(tree.marked(tree.nodes[1], "opening"), tmp_path / "song.json")
    (tmp_path / "text.txt").write_text("Dear diary")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    code, out, err = run(*[str(FOLK) if word == "FOLK" else word for word in arguments])
    assert code == 2
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
