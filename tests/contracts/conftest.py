"""An executor that the deploy script put on ape's anvil, with wrapped ETH at its mainnet address."""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.managers import ChainManager
from click.testing import CliRunner, Result
from ethpm_types import ContractType
from web3 import Web3

from scripts._shared.deployment import deploy
from scripts._shared.network import MAINNET_WETH
from scripts._shared.place import Place

ROOT = Path(__file__).resolve().parents[2]
LOCAL = "ethereum:local:foundry"
WETH9 = json.loads((ROOT / "node_modules/canonical-weth/build/contracts/WETH9.json").read_text())

Script = Callable[..., Result]
ApeRun = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def owner(accounts: list[AccountAPI]) -> AccountAPI:
    return accounts[0]


@pytest.fixture(scope="session")
def operator(accounts: list[AccountAPI]) -> AccountAPI:
    return accounts[1]


@pytest.fixture(scope="session")
def stranger(accounts: list[AccountAPI]) -> AccountAPI:
    return accounts[2]


@pytest.fixture(scope="session")
def weth(chain: ChainManager) -> ContractInstance:
    chain.provider.set_code(MAINNET_WETH, WETH9["deployedBytecode"])
    contract_type = ContractType.model_validate({"contractName": "WETH9", "abi": WETH9["abi"]})
    return chain.contracts.instance_at(MAINNET_WETH, contract_type=contract_type)


@pytest.fixture(scope="session")
def executor(owner: AccountAPI, operator: AccountAPI, weth: ContractInstance) -> ContractInstance:
    return deploy(owner, Place(owner.address), owner.address, weth.address, [operator.address]).executor


@pytest.fixture
def script(chain: ChainManager, monkeypatch: pytest.MonkeyPatch) -> Script:
    """`script("fund", "--amount", "1")` is `ape run fund --amount 1` in this process, on the tests' own chain."""
    monkeypatch.setattr("ape.cli.commands.parse_network", lambda context: contextlib.nullcontext(chain.provider))

    def run(name: str, *arguments: str) -> Result:
        result = CliRunner().invoke(import_module(f"scripts.{name}").cli, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    return run


@pytest.fixture(scope="session")
def ape_run() -> ApeRun:
    """`ape run` as its user calls it, with more environment variables if need be."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = ["ape", "run", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=60
        )

    return run


@contextlib.contextmanager
def anvil(chain_id: int, *arguments: str, weth: str = MAINNET_WETH) -> Iterator[str]:
    """The URL of a node of its own, with wrapped ETH."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["anvil", "--silent", "--port", str(port), "--chain-id", str(chain_id), *arguments]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as node:
        try:
            web3 = Web3(Web3.HTTPProvider(f"http://127.0.0.1:{port}"))
            while not web3.is_connected():
                assert node.poll() is None
                time.sleep(0.05)
            web3.provider.make_request("anvil_setCode", [weth, WETH9["deployedBytecode"]])
            yield f"http://127.0.0.1:{port}"
        finally:
            node.terminate()
