"""scripts/deploy.py: what `ape run deploy` does with an account and a network."""

import subprocess
from types import ModuleType

import ape
import click
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.managers import ChainManager
from conftest import ROOT


def test_deploys_and_says_what_to_do_next(
    script: ModuleType,
    weth: ContractInstance,
    chain: ChainManager,
    owner: AccountAPI,
    operator: AccountAPI,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script.cli.callback(
        account=owner,
        provider=chain.provider,
        operators=(operator.address,),
        owner=None,
        weth=weth.address,
        confirm=None,
    )
    said = capsys.readouterr().out
    address = said.partition("executor ")[2][:42]
    executor = script.container().at(address)
    assert (executor.owner(), executor.WETH()) == (owner.address, weth.address)
    assert executor.isOperator(operator)
    assert f'executor = "{address.lower()}"' in said


def test_refuses_what_cannot_come_out_right(
    script: ModuleType, weth: ContractInstance, owner: AccountAPI, stranger: AccountAPI
) -> None:
    nonce = owner.nonce
    with pytest.raises(click.UsageError, match=f"no contract at {stranger.address}"):
        script.deploy(owner, owner.address, stranger.address)
    with pytest.raises(click.UsageError, match="only the owner can set operators"):
        script.deploy(owner, stranger.address, weth.address, (owner.address,))
    assert owner.nonce == nonce


def test_a_live_network_needs_its_name_again(script: ModuleType, weth: ContractInstance, owner: AccountAPI) -> None:
    nonce = owner.nonce
    mainnet = ape.networks.ethereum.mainnet.get_provider("node", connect=False)
    for confirm in (None, "yes", "ethereum:sepolia"):
        with pytest.raises(click.UsageError, match="--confirm ethereum:mainnet"):
            script.cli.callback(
                account=owner, provider=mainnet, operators=(), owner=None, weth=weth.address, confirm=confirm
            )
    assert owner.nonce == nonce


def test_ape_runs_it() -> None:
    """On ape's own fresh chain, where no wrapped ETH is: said in one line, nothing deployed."""
    command = ["ape", "run", "deploy", "--network", "ethereum:local:foundry", "--account", "TEST::0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "say this chain's wrapped ETH by --weth" in done.stderr
