"""The risk gate: each limit refuses on its own, at its edge and not before, and says why."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_samples import SENDER, USDC, WETH, intent, opportunity

from bot.engine.types import Outcome, Reason
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind
from bot.risk.limits import DAY_NS, Limits, RiskGate

NOW_S = 1_700_000_000
LIMITS = Limits(
    max_trade={WETH: 10**18},
    min_net_profit=10**15,
    max_gas_price=50 * 10**9,
    max_bid_share=6000,
    max_open_intents=2,
    max_gas_burnt=10**16,
    max_head_age=30,
)
FOUND = opportunity(gross=5 * 10**15)  # one WETH into the cycle
FACTS = {"bid": 3 * 10**15, "gas_cost": 10**15, "gas_price": 50 * 10**9, "head_timestamp": NOW_S - 30}


class Clock:
    source = "test"
    ns = NOW_S * 10**9

    def now_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("the gate does not wait")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite", clock=Clock().now_ns) as ledger:
        ledger.begin_run(RunKind.DEMO, profile="test", chain_id=31337)
        yield ledger


def test_at_every_edge_it_still_passes(ledger: Ledger) -> None:
    """One WETH of one, net 10**15 of 10**15, 60 % of 60 %, 50 gwei of 50, 30 s of 30."""
    assert RiskGate(LIMITS, ledger, Clock()).check(FOUND, **FACTS) is None


@pytest.mark.parametrize(
    ("limits", "facts", "says"),
    [
        ({"max_trade": {WETH: 10**18 - 1}}, {}, "max_trade"),
        ({"max_trade": {USDC: 10**30}}, {}, "no max_trade is set"),
        ({}, {"gas_cost": 10**15 + 1}, "min_net_profit"),
        ({"min_net_profit": 0}, {"bid": 3 * 10**15 + 1}, "max_bid_share"),
        ({}, {"gas_price": 50 * 10**9 + 1}, "max_gas_price"),
        ({}, {"head_timestamp": NOW_S - 31}, "head is 31 s old"),
        ({"max_open_intents": 0}, {}, "max_open_intents"),
        ({"max_gas_burnt": 10**15 - 1}, {}, "max_gas_burnt"),
    ],
)
def test_one_step_further_is_refused(
    ledger: Ledger, limits: dict[str, object], facts: dict[str, int], says: str
) -> None:
    refusal = RiskGate(replace(LIMITS, **limits), ledger, Clock()).check(FOUND, **{**FACTS, **facts})  # type: ignore[arg-type]
    assert refusal is not None
    assert says in refusal
    assert "\n" not in refusal


def test_open_intents_are_the_ledger_s(ledger: Ledger) -> None:
    gate = RiskGate(LIMITS, ledger, Clock())
    for name in "ab":
        assert gate.check(FOUND, **FACTS) is None
        ledger.record_intent(intent(name, ledger.reserve_nonce(SENDER, 0)))
    assert "2 intents are open" in (gate.check(FOUND, **FACTS) or "")
    ledger.record_outcome(Outcome("a", Reason.NOT_INCLUDED))
    assert gate.check(FOUND, **FACTS) is None


def test_a_day_s_burnt_gas_is_forgotten_after_a_day(ledger: Ledger) -> None:
    clock = Clock()
    gate = RiskGate(LIMITS, ledger, clock)
    ledger.record_intent(intent("a", ledger.reserve_nonce(SENDER, 0)))
    ledger.record_outcome(Outcome("a", Reason.REVERTED, "", 1, 10**6, 9 * 10**9 + 1))
    facts = {**FACTS, "head_timestamp": NOW_S + 86_500}
    assert "max_gas_burnt" in (gate.check(FOUND, **facts) or "")
    clock.ns += DAY_NS
    assert "max_gas_burnt" in (gate.check(FOUND, **facts) or "")
    clock.ns += 1
    assert gate.check(FOUND, **facts) is None
