"""The whole life of an executor on a fork: `ape run rehearse --network ethereum:mainnet-fork:foundry`.

Deploys, allows an operator, funds, trades, withdraws, and checks balances. Nothing real is spent: the accounts are
addresses that nobody has, or the `--owner` of later, played by the fork.
"""

from __future__ import annotations

import click
from ape.api import ProviderAPI
from ape.cli import ConnectedProviderCommand
from ape.exceptions import ApeException, CustomError

from scripts._shared.money import asset
from scripts._shared.network import as_address, chain_options, check_chain, network_name, wrapped_eth
from scripts._shared.options import place_options
from scripts._shared.place import Place
from scripts._shared.rehearsal import DO_NOTHING, Rehearsal, nobody


@click.command(cls=ConnectedProviderCommand)
@click.option("--owner", help="The account that will deploy and own: then the address is that of later.")
@click.option("--amount", default="1", show_default=True, help="WETH to fund with, in whole ones.")
@click.option("--program", help="A program in hex, which the operator runs too.")
@click.option("--token", "tokens", multiple=True, help="A token that the program may leave; withdrawn too.")
@place_options
@chain_options
def cli(
    provider: ProviderAPI,
    owner: str | None,
    amount: str,
    program: str | None,
    tokens: tuple[str, ...],
    salt: int,
    number: int,
    weth: str | None,
    chain_id: int | None,
) -> None:
    """Rehearses everything on a fork. Exit status 1 at the first step that fails."""
    if not provider.network.is_dev:
        raise click.UsageError(f"{network_name(provider)} is live: rehearse on a fork, ethereum:mainnet-fork:foundry")
    chain = check_chain(provider, chain_id)
    wrapped = wrapped_eth(provider, chain, weth)
    place = Place(as_address(owner) if owner else nobody("owner"), salt, number)
    programs = [("the empty program", DO_NOTHING)]
    if program is not None:
        programs.append(("the program", as_bytes(program)))
    assets = [asset(text, wrapped) for text in ("weth", "eth", *tokens)]
    rehearsal = Rehearsal(provider, place, assets, assets[0].units(amount), programs)
    click.echo(f"{network_name(provider)}, chain {chain}, block {provider.get_block('latest').number}")
    show(rehearsal)


def show(rehearsal: Rehearsal) -> None:
    """A line a step, when it is done. Raises ClickException at the first that fails."""
    total = 0
    click.echo(f"{'step':<72}{'gas':>10}")
    for name, act in rehearsal.steps():
        try:
            for words, gas in act():
                click.echo(f"{words:<72}{'' if gas is None else gas:>10}".rstrip())
                total += gas or 0
        except (ApeException, click.ClickException) as error:
            raise click.ClickException(f"the rehearsal failed at: {name}: {reason(error)}") from None
    click.echo(f"{'all went well':<72}{total:>10}")


def reason(error: Exception) -> str:
    """In one line; a refusal of the executor's with its name."""
    if isinstance(error, click.ClickException):
        return error.message
    name = f"{type(error).__name__}: " if isinstance(error, CustomError) else ""
    return name + " ".join(str(error).split())


def as_bytes(text: str) -> bytes:
    """Raises UsageError."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise click.UsageError("--program is not hex") from None
