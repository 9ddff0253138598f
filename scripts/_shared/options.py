"""Command-line options that several scripts have, and the executor that they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from ape.api import AccountAPI, ProviderAPI
from ape.contracts import ContractInstance

from scripts._shared.check import Wanted, checked
from scripts._shared.network import as_address
from scripts._shared.place import Place

Command = TypeVar("Command", bound=Callable[..., Any])


def place_options(command: Command) -> Command:
    """`--salt` and `--number`, which with the deploying account give the address."""
    salt = click.option("--salt", type=click.IntRange(0, 2**256 - 1), default=0, help="For other addresses. [0]")
    number = click.option("--number", type=click.IntRange(1), default=1, help="Which of the account's executors. [1]")
    return salt(number(command))


def executor_option(command: Command) -> Command:
    """`--executor`."""
    return click.option("--executor", "address", help="Default: the account's first, where deploy put it.")(command)


def the_executor(provider: ProviderAPI, account: AccountAPI, address: str | None, weth: str | None) -> ContractInstance:
    """At ``address``, else where the account's first one is. Raises Differs where that is no executor, UsageError."""
    at = as_address(address) if address else Place(str(account.address)).executor
    if not address and not provider.get_code(at):
        raise click.UsageError(f"{account.address} has deployed nothing at {at}: say --executor")
    return checked(provider, at, Wanted(weth=weth))
