"""The executor put where it belongs, checked, its operators allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import click
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from bot.execution.book import Book
from scripts._shared.artifacts import deployer_type, executor_creation
from scripts._shared.check import Wanted, checked
from scripts._shared.money import Receipts
from scripts._shared.place import Place, ensure_deployer


@dataclass(frozen=True, slots=True)
class Deployed:
    """The executor, and what was spent on it now."""

    executor: ContractInstance
    receipts: Receipts = field(default_factory=list)


def deploy(
    account: AccountAPI, place: Place, owner: str, weth: str, operators: Sequence[str], book: Book = Book.EMPTY
) -> Deployed:
    """The executor at its place, with its book, checked, with its operators.

    Raises UsageError, before anything is spent, where that cannot come out right; Differs where it did not.
    """
    if operators and owner != account.address:
        raise click.UsageError("only the owner can set operators: leave out --operator, or deploy as the owner")
    provider = account.provider
    receipts: Receipts = []
    if not provider.get_code(place.executor):
        creation = executor_creation(owner, weth, book)
        place.check_next(provider)
        created = ensure_deployer(account, place)
        if created is not None:
            receipts.append((f"deployer {place.deployer}", created))
        deployer = deployer_type().at(place.deployer)
        receipt = deployer.deploy(creation, sender=account)
        receipts.append((f"executor {place.executor}", receipt))
    executor = checked(provider, place.executor, Wanted(owner, weth, book=book))
    for operator in operators:
        if not executor.isOperator(operator):
            receipts.append((f"operator {operator}", executor.setOperator(operator, True, sender=account)))
    return Deployed(executor, receipts)
