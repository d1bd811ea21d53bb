from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from benchmarks.gpt2_peer import Gpt2, Gpt2Run, Tsd
from benchmarks.quality_per_compute import Clock, CpuLength

ROOT = Path(__file__).parents[2]
PROMPTS = sorted((ROOT / "examples" / "prompts").glob("*.mid"))
has_peer = all(find_spec(name) for name in ("miditok", "transformers"))
needs_peer = pytest.mark.skipif(not has_peer, reason="the peer (miditok, transformers) is absent")


@pytest.mark.skipif(has_peer, reason="the peer is installed")
def test_a_missing_peer_is_named_with_what_installs_it(tmp_path: Path) -> None:
    script = ROOT / "benchmarks" / "quality_per_compute.py"
    run = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, check=True
    )
    assert "pip install miditok transformers" in run.stdout
    assert len(run.stdout.splitlines()) == 1


def test_only_a_runs_own_turns_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.process_time", lambda: now)
    clock = Clock(before=5.0, begun=98.0)
    length = CpuLength(None, 10.0, clock)
    assert length.fraction_done(0, 1e9) == pytest.approx(0.7)
    clock.before, clock.begun, now = clock.spent, 150.0, 151.0
    assert length.fraction_done(0, 1e9) == pytest.approx(0.8)


@needs_peer
def test_the_peer_reads_the_same_notes() -> None:
    from tokenizer import Tokenizer, read

    ours, tsd = Tokenizer.default(), Tsd()
    for path in PROMPTS:
        tokens = ours.encode(read(path))
        notes = int(ours.vocabulary.is_note(tokens).sum())
        assert tsd.notes(tsd.encode(ours.decode(tokens))) == notes


@needs_peer
def test_the_peer_scores_every_token_once() -> None:
    torch.manual_seed(0)
    ids = torch.randint(3, 50, (100,)).numpy()
    gpt2 = Gpt2(50, 20_000, 32, 256)
    with torch.no_grad():
        whole = float(gpt2.losses(torch.from_numpy(ids)[None]).sum())
    assert gpt2.nats(ids) == pytest.approx(whole, rel=1e-4)
    gpt2.context = 16
    assert gpt2.nats(ids) == pytest.approx(whole, rel=0.05)


@needs_peer
def test_the_peer_learns() -> None:
    torch.manual_seed(0)
    gpt2 = Gpt2(50, 20_000, 32, 32)
    music = torch.arange(2000).remainder(7).add(3).numpy()
    before = gpt2.nats(music[:200])
    Gpt2Run(gpt2, music, 2.0, 3e-3, 4).turn(2.0)
    assert gpt2.nats(music[:200]) < before / 4
