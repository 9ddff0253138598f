"""`mev bench market` where a peer is missing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bot.cli.benches import market
from bot.cli.benches.result import Result
from bot.errors import UserError

RESULT = Result("market", "one", 1, "ms", "peer", 2, True)


def missing() -> list[Result]:
    raise UserError("peers is not installed: run this")


def test_what_has_no_peer_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there, gone = SimpleNamespace(run=lambda: [RESULT]), SimpleNamespace(run=missing)
    monkeypatch.setattr(market, "PARTS", (gone, there))
    assert market.run() == [RESULT]
    assert "left out: peers is not installed" in capsys.readouterr().err
    monkeypatch.setattr(market, "PARTS", (gone,))
    with pytest.raises(UserError, match="peers is not installed"):
        market.run()
