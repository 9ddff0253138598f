"""Checks a deployed executor: `ape run verify 0x… --network ethereum:mainnet:URL`. Spends nothing.

Its code must be forge's artifact, byte for byte; what is built into that is shown.
"""

from __future__ import annotations

import json
from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import ConnectedProviderCommand

from bot.execution.book import ENTRY_SIZE
from scripts._shared.artifacts import Differs, immutables, load_book, split_book
from scripts._shared.check import Wanted, checked
from scripts._shared.money import ETH, Asset, asset
from scripts._shared.network import as_address, chain_options, check_chain, network_name, wrapped_eth


@click.command(cls=ConnectedProviderCommand)
@click.argument("executor")
@click.option("--owner", help="Who should own it.")
@click.option("--operator", "operators", multiple=True, help="An account that should be allowed to trade; repeat.")
@click.option("--book", help="The book that should lie behind its code.")
@click.option("--token", "tokens", multiple=True, help="A token whose balance to show beside ETH and WETH; repeat.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, amounts in smallest units.")
@chain_options
def cli(
    provider: ProviderAPI,
    executor: str,
    owner: str | None,
    operators: tuple[str, ...],
    book: str | None,
    tokens: tuple[str, ...],
    as_json: bool,
    weth: str | None,
    chain_id: int | None,
) -> None:
    """Checks the executor at an address. Exit status 1 where something differs."""
    address, chain = as_address(executor), check_chain(provider, chain_id)
    wanted = Wanted(
        as_address(owner) if owner else None,
        wrapped_eth(provider, chain, weth),
        [as_address(operator) for operator in operators],
        load_book(book),
    )
    told: dict[str, Any] = {"executor": address, "network": network_name(provider), "chain_id": chain}
    try:
        assets = look(provider, address, wanted, tokens, told)
    except Differs as error:
        if as_json:
            click.echo(json.dumps(told | {"ok": False, "differs": error.message}))
        raise
    click.echo(json.dumps(told | {"ok": True}) if as_json else words(told, assets))


def look(
    provider: ProviderAPI, address: str, wanted: Wanted, tokens: tuple[str, ...], told: dict[str, Any]
) -> list[Asset]:
    """Checks, and fills ``told``; the assets whose balances are in it. Raises Differs, UsageError."""
    checked(provider, address, wanted)
    code, behind = split_book(bytes(provider.get_code(address)))
    told |= {"code_bytes": len(code), "book_entries": len(behind) // ENTRY_SIZE, **immutables("Executor", code)}
    told |= {"operators": list(wanted.operators), "book_compared": wanted.book is not None}
    assets = [ETH, *(asset(text, told["weth"]) for text in ("weth", *tokens))]
    told["balances"] = {what.name: what.balance(provider, address) for what in assets}
    return assets


def words(told: dict[str, Any], assets: list[Asset]) -> str:
    """For people."""
    lines = [
        f"executor  {told['executor']} on {told['network']}, chain {told['chain_id']}",
        f"code      forge's artifact, {told['code_bytes']} bytes",
        f"book      {told['book_entries']} entries{'' if told['book_compared'] else ', not compared: say --book'}",
        f"owner     {told['owner']}",
        f"WETH      {told['weth']}",
        *(f"operator  {operator}" for operator in told["operators"]),
        *(f"balance   {what.words(told['balances'][what.name])}" for what in assets),
    ]
    return "\n".join(lines)
