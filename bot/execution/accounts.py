"""Operator accounts: one open bundle each, because two of one account's bundles depend on each other's nonce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.execution.keys import Signer


@dataclass(slots=True)
class Operator:
    """An account that may trade through the executor. ``mined`` is the chain's count of its transactions;
    ``busy_with`` the intent that holds its next nonce."""

    signer: Signer
    mined: int
    busy_with: str | None = None


class Operators:
    """Hands out free operators in a fixed order, so that the same run takes the same ones."""

    def __init__(self, operators: Sequence[Operator]) -> None:
        self._operators = list(operators)

    @property
    def addresses(self) -> frozenset[str]:
        return frozenset(operator.signer.address for operator in self._operators)

    def take(self, intent_id: str) -> Operator | None:
        """A free operator, now busy with the intent; ``None`` when all are."""
        for operator in self._operators:
            if operator.busy_with is None:
                operator.busy_with = intent_id
                return operator
        return None

    def release(self, intent_id: str) -> None:
        """Frees the operator of an intent."""
        for operator in self._operators:
            if operator.busy_with == intent_id:
                operator.busy_with = None

    def count(self, address: str, mined: int) -> None:
        """``mined`` more of its transactions are on the chain; less than zero where a block was undone."""
        for operator in self._operators:
            if operator.signer.address == address:
                operator.mined += mined
