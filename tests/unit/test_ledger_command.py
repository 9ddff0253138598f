"""``mev ledger``: what it prints is what is in the ledger; bad input is one line and status 2."""

import json
from pathlib import Path

import pytest
from ledger_samples import SENDER, USDC, WETH, intent, opportunity

from bot.cli.ledger import _decimal
from bot.cli.main import run
from bot.engine.types import Outcome, Reason
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind

HUGE = 2**70 + 1


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A run that ended well, and one that was killed with two intents under way."""
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        for seed in (7, 8):
            ledger.begin_run(RunKind.DEMO, profile="devnet", chain_id=31337, seed=seed, tokens={WETH: ("WETH", 18)})
            ledger.record_opportunities([opportunity(block) for block in range(5)])
            for name in "ab" if seed == 7 else "cde":
                relays = ["[bold]local"] if name != "e" else []
                (*numbers,) = ledger.record_intent(
                    intent(name, ledger.reserve_nonce(SENDER, 0), predicted=HUGE), relays
                )
                for number in numbers if name != "d" else []:
                    ledger.record_answer(number, bundle_hash="0x1")
            ledger.record_outcome(Outcome("a" if seed == 7 else "c", Reason.LANDED, "", 101, 200_000, 10**10, HUGE))
            if seed == 7:
                ledger.record_outcome(Outcome("b", Reason.NOT_INCLUDED, "[/red] local: outbid"))
                ledger.end_run()
    return path


def test_tables(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "--ledger", str(ledger)]) == 0
    newest = capsys.readouterr().out
    assert "Intents of run 2: the last 3 of 3" in newest
    assert "1,180.591620717 WETH" in newest
    assert "0.002 ETH" in newest
    under_way = newest[newest.index("Under way") :]
    assert "[bold]local (no answer)" in under_way
    assert "nobody" in under_way
    assert run(["ledger", "--ledger", str(ledger), "--run", "1"]) == 0
    first = capsys.readouterr().out
    assert "not_included [/red] local: outbid" in first
    assert "Under way" not in first


def test_json_is_exact_and_alone_on_stdout(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "--ledger", str(ledger), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(r["run"]["id"], r["intents"], r["landed"], r["under_way"]) for r in said["runs"]] == [
        (2, 3, 1, 2),
        (1, 2, 1, 0),
    ]
    assert said["run"]["realised"] == {WETH: HUGE}
    assert [entry["id"] for entry in said["intents"]] == ["e", "d", "c"]
    assert [entry["id"] for entry in said["under_way"]] == ["e", "d"]
    assert said["intents"][2]["outcome"]["realised_profit"] == HUGE
    assert run(["ledger", "--ledger", str(ledger), "--json", "--limit", "1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [len(said[name]) for name in ("runs", "intents", "under_way")] == [1, 1, 2]


def test_a_ledger_without_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Ledger.open(tmp_path / "ledger.sqlite").close()
    assert run(["ledger", "--ledger", str(tmp_path / "ledger.sqlite")]) == 0
    assert "no run yet" in capsys.readouterr().out


def test_the_data_directory_s_ledger_is_the_default(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEV_HOME", str(ledger.parent))
    assert run(["ledger", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ledger"] == str(ledger)


@pytest.mark.parametrize(
    "args", [["--ledger", "missing.sqlite"], ["--ledger", "/"], ["--limit", "0"], ["--run", "x"], ["--run", "99"]]
)
def test_bad_input(
    ledger: Path, args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEV_HOME", str(ledger.parent))
    monkeypatch.chdir(ledger.parent)
    before = sorted(ledger.parent.iterdir())
    assert run(["ledger", *args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert sorted(ledger.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("amount", "decimals", "shown"),
    [
        (0, 18, "0"),
        (1, 18, "0"),
        (10**18, 18, "1"),
        (-(10**18) - 5 * 10**17, 18, "-1.5"),
        (1234567890, 6, "1,234.56789"),
        (2**200, 0, f"{2**200:,}"),
        (10**9, 18, "0.000000001"),
    ],
)
def test_amounts(amount: int, decimals: int, shown: str) -> None:
    assert _decimal(amount, decimals) == shown


def test_an_unknown_token_is_shown_in_its_smallest_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.begin_run(RunKind.DEMO, profile="x", chain_id=1, tokens={USDC: ("USDC", 6)})
        ledger.record_intent(intent("a", ledger.reserve_nonce(SENDER, 0)))
    assert run(["ledger", "--ledger", str(tmp_path / "ledger.sqlite")]) == 0
    assert "4,000,000,000,000,000" in capsys.readouterr().out
