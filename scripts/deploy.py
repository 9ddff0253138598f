"""Deploys the executor: `ape run deploy --network ethereum:local:foundry --account TEST::0`.

Its address follows from the deploying account, `--salt` and `--number`, and is the same on every chain. What is there
already is checked and left as it is, so the script can be run again.
"""

from __future__ import annotations

import click
from ape.api import AccountAPI, ProviderAPI
from ape.cli import ConnectedProviderCommand, account_option

from bot.execution.book import Book
from scripts._shared.artifacts import load_book
from scripts._shared.deployment import deploy
from scripts._shared.network import (
    as_address,
    chain_options,
    check_chain,
    check_confirmed,
    confirm_option,
    network_name,
    wrapped_eth,
)
from scripts._shared.options import place_options
from scripts._shared.place import Place


@click.command(cls=ConnectedProviderCommand)
@account_option()
@click.option("--operator", "operators", multiple=True, help="An account that may trade; repeat for more.")
@click.option("--owner", help="Who administers and withdraws, for ever. Default: the deploying account.")
@click.option("--book", help="A book to put behind the code, as `mev book make` writes it; check it first.")
@click.option("--predict", is_flag=True, help="Say the address and spend nothing.")
@place_options
@chain_options
@confirm_option
def cli(
    account: AccountAPI,
    provider: ProviderAPI,
    operators: tuple[str, ...],
    owner: str | None,
    book: str | None,
    predict: bool,
    salt: int,
    number: int,
    weth: str | None,
    chain_id: int | None,
    confirm: str | None,
) -> None:
    """Deploys the executor and lets the operators trade."""
    place = Place(str(account.address), salt, number)
    if predict:
        click.echo(place.executor)
        return
    check_confirmed(provider, confirm)
    wrapped = wrapped_eth(provider, check_chain(provider, chain_id), weth)
    allowed = [as_address(at) for at in operators]
    done = deploy(account, place, as_address(owner or place.owner), wrapped, allowed, load_book(book) or Book.EMPTY)
    for words, receipt in done.receipts:
        click.echo(f"{words}: {receipt.gas_used} gas, {receipt.txn_hash}")
    if not done.receipts:
        click.echo("all of it was there already; nothing was spent")
    executor = done.executor
    click.echo(f"executor {executor.address} on {network_name(provider)}, owner {executor.owner()}, WETH {wrapped}")
    for operator in operators:
        click.echo(f"operator {operator}: give it ETH for gas")
    click.echo(f'next: write executor = "{executor.address.lower()}" into the profile, then mev doctor')
