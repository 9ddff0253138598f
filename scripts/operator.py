"""Who may trade beside the owner: `ape run operator add 0x… --network … --account me`, or `remove`.

Python has a module of this name: what is run as a file in this folder takes the folder off its path first.
"""

from __future__ import annotations

import click
from ape.api import AccountAPI, ProviderAPI
from ape.cli import ConnectedProviderCommand, account_option

from scripts._shared.money import check_owner
from scripts._shared.network import as_address, chain_id_option, check_chain, check_confirmed, confirm_option
from scripts._shared.options import executor_option, the_executor


@click.group()
def cli() -> None:
    """Lets accounts trade, or stops them."""


@cli.command(cls=ConnectedProviderCommand)
@click.argument("operator")
@account_option()
@executor_option
@chain_id_option
@confirm_option
def add(
    account: AccountAPI,
    provider: ProviderAPI,
    operator: str,
    address: str | None,
    chain_id: int | None,
    confirm: str | None,
) -> None:
    """Lets OPERATOR trade."""
    change(account, provider, operator, True, address, chain_id, confirm)


@cli.command(cls=ConnectedProviderCommand)
@click.argument("operator")
@account_option()
@executor_option
@chain_id_option
@confirm_option
def remove(
    account: AccountAPI,
    provider: ProviderAPI,
    operator: str,
    address: str | None,
    chain_id: int | None,
    confirm: str | None,
) -> None:
    """Stops OPERATOR from trading."""
    change(account, provider, operator, False, address, chain_id, confirm)


def change(
    account: AccountAPI,
    provider: ProviderAPI,
    operator: str,
    allowed: bool,
    address: str | None,
    chain_id: int | None,
    confirm: str | None,
) -> None:
    """Raises UsageError where it cannot be, Differs where it did not come out so."""
    check_confirmed(provider, confirm)
    check_chain(provider, chain_id)
    who, state = as_address(operator), "may trade" if allowed else "may not trade"
    executor = the_executor(provider, account, address, None)
    check_owner(account, executor)
    if executor.isOperator(who) == allowed:
        click.echo(f"{who} {state} already")
        return
    receipt = executor.setOperator(who, allowed, sender=account)
    if executor.isOperator(who) != allowed:
        raise click.ClickException(f"{who}: nothing changed by {receipt.txn_hash}")
    click.echo(f"{who} {state}: {receipt.gas_used} gas, {receipt.txn_hash}")
