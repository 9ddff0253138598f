"""What the protocol itself says about the price of gas."""

from __future__ import annotations

from bot.engine.types import Header

ELASTICITY = 2
MAX_CHANGE = 8  # at most an eighth up or down a block


def next_base_fee(head: Header) -> int:
    """Wei per gas in the block after ``head`` (EIP-1559, ``calc base fee``)."""
    target = head.gas_limit // ELASTICITY
    if head.gas_used > target:
        return head.base_fee + max(head.base_fee * (head.gas_used - target) // target // MAX_CHANGE, 1)
    return head.base_fee - head.base_fee * (target - head.gas_used) // target // MAX_CHANGE
