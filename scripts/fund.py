"""Gives the executor capital: `ape run fund --amount 1.5 --network … --account me` wraps 1.5 ETH and sends the WETH."""

from __future__ import annotations

import click
from ape.api import AccountAPI, ProviderAPI
from ape.cli import ConnectedProviderCommand, account_option

from scripts._shared.money import ETH, asset, balances, fund
from scripts._shared.network import chain_options, check_chain, check_confirmed, confirm_option, wrapped_eth
from scripts._shared.options import executor_option, the_executor


@click.command(cls=ConnectedProviderCommand)
@account_option()
@executor_option
@click.option("--token", default="weth", show_default=True, help="weth, wrapped from ETH, or a token's address.")
@click.option("--amount", required=True, help="In whole ones, as in 1.5.")
@chain_options
@confirm_option
def cli(
    account: AccountAPI,
    provider: ProviderAPI,
    address: str | None,
    token: str,
    amount: str,
    weth: str | None,
    chain_id: int | None,
    confirm: str | None,
) -> None:
    """Sends WETH or another token to the executor."""
    check_confirmed(provider, confirm)
    wrapped = wrapped_eth(provider, check_chain(provider, chain_id), weth)
    executor = the_executor(provider, account, address, wrapped)
    what = asset(token, wrapped)
    if what is ETH:
        raise click.UsageError("the executor takes ETH from WETH only: --token weth wraps it")
    holders = {"executor": str(executor.address), "account": str(account.address)}
    click.echo("before: " + balances(provider, holders, [what])[0])
    for words, receipt in fund(account, executor, what, what.units(amount)):
        click.echo(f"{words}: {receipt.gas_used} gas, {receipt.txn_hash}")
    click.echo("after:  " + balances(provider, holders, [what])[0])
