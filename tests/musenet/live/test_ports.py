"""Ports by their names, and what is said where there are none."""

from __future__ import annotations

import sys
from typing import Any

import mido
import pytest

from musenet.live.ports import found, open_input, open_output, port_names
from tokenizer.errors import InputError

PORTS = ["USB Keystation 49", "IAC Bus 1", "IAC Bus 2"]


def test_a_port_is_found_by_a_part_of_its_name() -> None:
    assert found("IAC Bus 2", PORTS, "input") == "IAC Bus 2"
    assert found("keystation", PORTS, "input") == "USB Keystation 49"


@pytest.mark.parametrize(
    ("name", "ports", "said"),
    [
        ("iac", PORTS, "IAC Bus 1, IAC Bus 2; give more of its name"),
        ("IAC Bus 3", PORTS, "did you mean 'IAC Bus"),
        ("anything", [], "there is no MIDI input port"),
    ],
)
def test_a_port_that_is_none_is_said(name: str, ports: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        found(name, ports, "input")


def test_windows_has_no_virtual_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(InputError, match=r"--out .* loopMIDI"):
        open_output(None)
    with pytest.raises(InputError, match=r"--in .* loopMIDI"):
        open_input(None, print)


def test_without_rtmidi_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mido, "get_input_names", missing)
    with pytest.raises(InputError, match=r"pip install \"musenet\[live\]\""):
        port_names()


def missing() -> Any:
    raise ImportError("No module named 'rtmidi'")


def test_a_system_without_midi_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class SystemErrorOfRtmidi(Exception):
        pass

    def fails() -> Any:
        raise SystemErrorOfRtmidi("no sequencer")

    monkeypatch.setattr(mido, "get_input_names", fails)
    with pytest.raises(InputError, match="no MIDI ports: no sequencer"):
        port_names()
