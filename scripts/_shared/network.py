"""Which chain it is, and whether it may cost money."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from ape.api import ProviderAPI
from eth_utils import is_address, is_checksum_formatted_address, to_checksum_address

Command = TypeVar("Command", bound=Callable[..., Any])

MAINNET_WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
WETH = {
    1: MAINNET_WETH,
    10: "0x4200000000000000000000000000000000000006",
    8453: "0x4200000000000000000000000000000000000006",
    42161: "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1",
    11155111: "0xfFf9976782d46CC05630D1f6eBAb18b2324d6B14",
}
"""Chain id to wrapped ETH. Chains for tests have it where mainnet does."""


def chain_options(command: Command) -> Command:
    """`--chain-id`, and `--weth` where the known one is not right."""
    weth = click.option("--weth", help="Wrapped ETH on this chain, where the known one is not meant.")
    return chain_id_option(weth(command))


def chain_id_option(command: Command) -> Command:
    """`--chain-id`."""
    help_text = "The chain to be on, where ape's network does not tell."
    return click.option("--chain-id", type=int, help=help_text)(command)


def confirm_option(command: Command) -> Command:
    """`--confirm`, for what spends."""
    help_text = "On a live network: its name, as in ethereum:mainnet."
    return click.option("--confirm", metavar="NETWORK", help=help_text)(command)


def network_name(provider: ProviderAPI) -> str:
    """As `--network` begins, and as `--confirm` repeats it."""
    return f"{provider.network.ecosystem.name}:{provider.network.name}"


def check_confirmed(provider: ProviderAPI, confirm: str | None) -> None:
    """Raises UsageError on a live network whose name was not repeated."""
    name = network_name(provider)
    if not provider.network.is_dev and confirm != name:
        raise click.UsageError(f"{name} is live and this spends real money: say --confirm {name}")


def check_chain(provider: ProviderAPI, expected: int | None) -> int:
    """The node's chain id, which must be the network's and the ``expected`` one. Raises UsageError."""
    network, name = provider.network, network_name(provider)
    node = int(str(provider.make_request("eth_chainId", [])), 16)
    if network.is_fork:
        named = network.upstream_network.chain_id
    elif network.is_local or network.is_adhoc:
        named = None
        if expected is None and not network.is_local:
            raise click.UsageError(f"ape does not know the chain id of {name}: say --chain-id, the node's is {node}")
    else:
        named = network.chain_id
    for source, wanted in ((name, named), ("--chain-id", expected)):
        if wanted is not None and wanted != node:
            raise click.UsageError(f"the node is on chain {node}, and {source} says {wanted}: nothing was done")
    return node


def wrapped_eth(provider: ProviderAPI, chain_id: int, given: str | None) -> str:
    """Wrapped ETH, with code. Raises UsageError where there is none, or it is not known."""
    weth = given or WETH.get(chain_id) or (MAINNET_WETH if provider.network.is_dev else None)
    if weth is None:
        raise click.UsageError(f"wrapped ETH on chain {chain_id} is not known here: say it by --weth")
    address = as_address(weth)
    if not provider.get_code(address):
        raise click.UsageError(f"there is no contract at {address}: say this chain's wrapped ETH by --weth")
    return address


def as_address(text: str) -> str:
    """With its checksum, which must be right if there is one. Raises UsageError."""
    if not is_address(text) or (is_checksum_formatted_address(text) and to_checksum_address(text) != text):
        raise click.UsageError(f"{text} is not an address")
    return str(to_checksum_address(text))
