"""Takes money out of the executor, to its owner: `ape run withdraw --all --network … --account me`."""

from __future__ import annotations

import click
from ape.api import AccountAPI, ProviderAPI
from ape.cli import ConnectedProviderCommand, account_option
from ape.contracts import ContractInstance

from scripts._shared.money import Asset, asset, balances, check_owner, withdraw
from scripts._shared.network import chain_options, check_chain, check_confirmed, confirm_option, wrapped_eth
from scripts._shared.options import executor_option, the_executor


@click.command(cls=ConnectedProviderCommand)
@account_option()
@executor_option
@click.option("--token", "tokens", multiple=True, help="eth, weth or a token's address; repeat. Default: weth.")
@click.option("--amount", help="In whole ones, as in 1.5.")
@click.option("--all", "everything", is_flag=True, help="All of each --token; without one, all WETH and ETH.")
@chain_options
@confirm_option
def cli(
    account: AccountAPI,
    provider: ProviderAPI,
    address: str | None,
    tokens: tuple[str, ...],
    amount: str | None,
    everything: bool,
    weth: str | None,
    chain_id: int | None,
    confirm: str | None,
) -> None:
    """Sends tokens or ETH from the executor to its owner."""
    if everything == (amount is not None):
        raise click.UsageError("say how much: --amount or --all")
    check_confirmed(provider, confirm)
    wrapped = wrapped_eth(provider, check_chain(provider, chain_id), weth)
    executor = the_executor(provider, account, address, wrapped)
    check_owner(account, executor)
    named = tokens or (("weth", "eth") if everything else ("weth",))
    assets = [asset(text, wrapped) for text in named]
    if amount is not None and len(assets) > 1:
        raise click.UsageError("an --amount is of one --token")
    holders = {"executor": str(executor.address), "owner": str(account.address)}
    for what in assets:
        click.echo("before: " + balances(provider, holders, [what])[0])
        take(account, executor, what, what.units(amount) if amount else None)
        click.echo("after:  " + balances(provider, holders, [what])[0])


def take(account: AccountAPI, executor: ContractInstance, what: Asset, amount: int | None) -> None:
    """``amount`` units, None is all there is."""
    units = what.balance(account.provider, executor.address) if amount is None else amount
    if units == 0:
        click.echo(f"no {what.name} to withdraw")
        return
    receipt = withdraw(account, executor, what, units)
    click.echo(f"withdraw {what.words(units)}: {receipt.gas_used} gas, {receipt.txn_hash}")
