"""Every strategy, one line each."""

from __future__ import annotations

from bot.engine.seam import Strategy
from bot.market.market import Market
from bot.strategies.arbitrage import Arbitrage
from bot.strategies.backrun import Backrun
from bot.strategies.gas import GasPolicy
from bot.strategies.hint import HintBackrun
from bot.strategies.joint import Joint

STRATEGIES = (
    Arbitrage,
    Joint,
    Backrun,
    HintBackrun,
)


def strategies(market: Market, gas: GasPolicy) -> list[Strategy]:
    """One of each, on this market."""
    return [strategy(market, gas) for strategy in STRATEGIES]
