"""Deploys the executor: `ape run deploy --network ethereum:local:foundry --account TEST::0`.

What is deployed is forge's artifact, byte for byte what tests and proofs ran; `make setup` builds it.
"""

import json
from pathlib import Path

import click
from ape.api import AccountAPI, ProviderAPI
from ape.cli import ConnectedProviderCommand, account_option
from ape.contracts import ContractContainer, ContractInstance
from ethpm_types import ContractType

ROOT = Path(__file__).resolve().parent.parent
MAINNET_WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"


@click.command(cls=ConnectedProviderCommand)
@account_option()
@click.option("--operator", "operators", multiple=True, help="An account that may trade; repeat for more.")
@click.option("--owner", help="Who administers and withdraws, for ever. Default: the deploying account.")
@click.option("--weth", default=MAINNET_WETH, show_default=True, help="Wrapped ETH on this chain.")
@click.option("--confirm", metavar="NETWORK", help="On a live network: its name, as in ethereum:mainnet.")
def cli(
    account: AccountAPI,
    provider: ProviderAPI,
    operators: tuple[str, ...],
    owner: str | None,
    weth: str,
    confirm: str | None,
) -> None:
    """Deploys the executor and lets the operators trade."""
    network = f"{provider.network.ecosystem.name}:{provider.network.name}"
    live = not provider.network.is_dev
    if live and confirm != network:
        raise click.UsageError(f"{network} is live and this spends real money: say --confirm {network}")
    executor = deploy(account, owner or str(account.address), weth, operators)
    click.echo(f"executor {executor.address} on {network}, owner {executor.owner()}, WETH {weth}")
    for operator in operators:
        click.echo(f"operator {operator}: give it ETH for gas")
    click.echo(f'next: write executor = "{executor.address.lower()}" into the profile, then mev doctor')


def deploy(account: AccountAPI, owner: str, weth: str, operators: tuple[str, ...] = ()) -> ContractInstance:
    """The deployed executor with its operators set. Raises UsageError where that cannot come out right."""
    if operators and owner != account.address:
        raise click.UsageError("only the owner can set operators: leave out --operator, or deploy as the owner")
    if not account.provider.get_code(account.conversion_manager.convert(weth, str)):
        raise click.UsageError(f"there is no contract at {weth}: say this chain's wrapped ETH by --weth")
    executor = account.deploy(container(), owner, weth)
    for operator in operators:
        executor.setOperator(operator, True, sender=account)
    return executor


def container() -> ContractContainer:
    """The executor for ape. Its functions are found by its fallback, so its ABI is that of IExecutor."""
    code, interface = artifact("Executor"), artifact("IExecutor")
    return ContractContainer(
        ContractType.model_validate(
            {
                "contractName": "Executor",
                "abi": [entry for entry in code["abi"] if entry["type"] != "error"] + interface["abi"],
                "deploymentBytecode": {"bytecode": code["bytecode"]["object"]},
                "runtimeBytecode": {"bytecode": code["deployedBytecode"]["object"]},
            }
        )
    )


def artifact(name: str) -> dict:
    """Of forge. Raises UsageError when it was not built."""
    path = ROOT / "out" / f"{name}.sol" / f"{name}.json"
    if not path.exists():
        raise click.UsageError(f"{path} is missing: run `make setup`")
    return json.loads(path.read_text())
