"""The executor put where it belongs, checked, its operators allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import click
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._shared.artifacts import creation_code, deployer_type
from scripts._shared.check import Wanted, checked
from scripts._shared.money import Receipts
from scripts._shared.place import Place, ensure_deployer


@dataclass(frozen=True, slots=True)
class Deployed:
    """The executor, and what was spent on it now."""

    executor: ContractInstance
    receipts: Receipts = field(default_factory=list)


def deploy(account: AccountAPI, place: Place, owner: str, weth: str, operators: Sequence[str]) -> Deployed:
    """The executor at its place, checked, with its operators.

    Raises UsageError, before anything is spent, where that cannot come out right; Differs where it did not.
    """
    if operators and owner != account.address:
        raise click.UsageError("only the owner can set operators: leave out --operator, or deploy as the owner")
    provider = account.provider
    receipts: Receipts = []
    if not provider.get_code(place.executor):
        place.check_next(provider)
        created = ensure_deployer(account, place)
        if created is not None:
            receipts.append((f"deployer {place.deployer}", created))
        deployer = deployer_type().at(place.deployer)
        receipt = deployer.deploy(creation_code("Executor", owner, weth), sender=account)
        receipts.append((f"executor {place.executor}", receipt))
    executor = checked(provider, place.executor, Wanted(owner, weth))
    for operator in operators:
        if not executor.isOperator(operator):
            receipts.append((f"operator {operator}", executor.setOperator(operator, True, sender=account)))
    return Deployed(executor, receipts)
