"""What stands at an executor's address, and whether it is the executor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ape.api import ProviderAPI
from ape.contracts import ContractInstance

from bot.execution.book import ENTRY_SIZE, Book
from scripts._shared.artifacts import Differs, executor_type, immutables, split_book


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the executor should be; None is not compared."""

    owner: str | None = None
    weth: str | None = None
    operators: Sequence[str] = ()
    book: Book | None = None


def checked(provider: ProviderAPI, address: str, wanted: Wanted) -> ContractInstance:
    """The executor at ``address``. Raises Differs at the first thing that is not as it should be."""
    code = bytes(provider.get_code(address))
    if not code:
        raise Differs(f"there is no contract at {address}")
    try:
        own, behind = split_book(code)
        built_in = immutables("Executor", own)
    except Differs as error:
        raise Differs(f"{address} is not this executor: {error.message}") from None
    if wanted.book is not None and wanted.book.to_bytes() != behind:
        entries = f"of {len(behind) // ENTRY_SIZE} entries" if behind else "that is empty"
        raise Differs(f"{address} has a book {entries}, not the one of {len(wanted.book)} entries that was named")
    executor = executor_type().at(address)
    for label, answer in (("owner", executor.owner()), ("WETH", executor.WETH())):
        should = built_in[label.lower()]
        if answer.lower() != should:
            raise Differs(f"{address} answers {answer} to {label}(), and its code holds {should}")
    for label, expected in (("owner", wanted.owner), ("weth", wanted.weth)):
        if expected is not None and expected.lower() != built_in[label]:
            raise Differs(f"the {label} of {address} is {built_in[label]}, not {expected}")
    for operator in wanted.operators:
        if not executor.isOperator(operator):
            raise Differs(f"{operator} is not an operator of {address}")
    return executor
