"""All liquidations of a transaction, over the registry of lenders."""

from __future__ import annotations

from bot.inspection.lenders import aave, compound, maker, morpho
from bot.inspection.liquidation import Lender, Liquidation
from bot.inspection.reading import in_calls, in_logs
from bot.inspection.transfers import Flow

LENDERS: tuple[Lender, ...] = (aave.LENDER, compound.LENDER, morpho.LENDER, maker.LENDER)
_EVENTS = {topic: reader for lender in LENDERS for topic, reader in lender.events.items()}
_FUNCTIONS = {selector: reader for lender in LENDERS for selector, reader in lender.functions.items()}


def liquidations(flow: Flow) -> list[Liquidation]:
    """In order: by logs where there are any, else by calls. What looks like a lender's and is not is passed over."""
    return from_logs(flow) if flow.tx.logs is not None else from_calls(flow)


def from_logs(flow: Flow) -> list[Liquidation]:
    return in_logs(flow, _EVENTS)


def from_calls(flow: Flow) -> list[Liquidation]:
    return in_calls(flow, _FUNCTIONS)
