"""Questions and answers over UDP: what is lost is asked again, what is wrong is one sentence."""

from __future__ import annotations

import pytest

from musenet.bridges.ableton.osc import check_installed, connected
from tokenizer.errors import InputError

from .conftest import Live


def test_an_answer_comes_without_what_it_repeats(live: Live) -> None:
    with connected(live.port, live.reply_port) as connection:
        assert connection.ask("/live/song/get/tempo") == (120.0,)
        assert connection.ask("/live/track/get/name", 1, keys=1) == ("Keys",)
        assert connection.ask("/live/clip/get/name", 0, 0, keys=2) == ("Groove",)


def test_what_is_lost_is_asked_again(live: Live) -> None:
    live.dropped = 2
    with connected(live.port, live.reply_port, seconds=0.2) as connection:
        assert connection.ask("/live/song/get/tempo") == (120.0,)
    assert live.asked == ["/live/song/get/tempo"] * 3


def test_answers_to_other_questions_are_passed_over(live: Live) -> None:
    with connected(live.port, live.reply_port) as connection:
        connection.tell("/live/track/get/name", 0)
        connection.tell("/live/clip/get/name", 1, 0)
        assert connection.ask("/live/track/get/name", 1, keys=1) == ("Keys",)


def test_no_live_and_errors_of_live_are_sentences(live: Live) -> None:
    with connected(live.port, live.reply_port, seconds=0.05) as connection:
        with pytest.raises(InputError, match="Live refuses /live/clip/get/name: AbletonOSC: Error"):
            connection.ask("/live/clip/get/name", 0, 2, keys=2)
        live.dropped = 9
        with pytest.raises(InputError, match="Live does not answer; is it running"):
            connection.ask("/live/song/get/tempo")


def test_a_second_listener_is_refused(live: Live) -> None:
    with (
        connected(live.port, live.reply_port),
        pytest.raises(InputError, match="is taken"),
        connected(live.port, live.reply_port),
    ):
        pass
    with connected(live.port, live.reply_port):  # free again
        pass


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"musenet\[ableton\]"):
        check_installed()
