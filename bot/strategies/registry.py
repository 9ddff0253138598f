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

BESIDE = (Arbitrage, Joint, HintBackrun)
"""Those of them that take longer than pending transactions can wait, and run beside the loop (bot.cli.beside)."""


def strategies(market: Market, gas: GasPolicy) -> list[Strategy]:
    """One of each, on this market."""
    return [strategy(market, gas) for strategy in STRATEGIES]


def quick(market: Market, gas: GasPolicy) -> list[Strategy]:
    """One of each that runs in the loop."""
    return [one for one in strategies(market, gas) if not isinstance(one, BESIDE)]
