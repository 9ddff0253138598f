"""What became of an intent, read off the chain."""

from __future__ import annotations

from typing import Any

from bot.engine.decode import logs
from bot.engine.types import Intent, Outcome, Reason
from bot.execution.profit import gained


def from_receipt(intent: Intent, receipt: dict[str, Any], executor: str) -> Outcome:
    """Outcome of a mined transaction: the executor's gain in the trade's token, and the sender's gas."""
    landed = int(receipt["status"], 16) == 1
    return Outcome(
        intent_id=intent.id,
        reason=Reason.LANDED if landed else Reason.REVERTED,
        block_number=int(receipt["blockNumber"], 16),
        gas_used=int(receipt["gasUsed"], 16),
        gas_price=int(receipt["effectiveGasPrice"], 16),
        realised_profit=gained(logs(receipt["logs"]), intent.opportunity.trade.token, executor),
    )
