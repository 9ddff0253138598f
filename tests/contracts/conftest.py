"""An executor that scripts/deploy.py deployed on ape's anvil, with wrapped ETH at its mainnet address."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.managers import ChainManager
from ethpm_types import ContractType

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def script() -> ModuleType:
    """scripts/deploy.py, which is not part of a package."""
    spec = importlib.util.spec_from_file_location("deploy", ROOT / "scripts" / "deploy.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
def weth(chain: ChainManager, script: ModuleType) -> ContractInstance:
    build = json.loads((ROOT / "node_modules/canonical-weth/build/contracts/WETH9.json").read_text())
    chain.provider.set_code(script.MAINNET_WETH, build["deployedBytecode"])
    contract_type = ContractType.model_validate({"contractName": "WETH9", "abi": build["abi"]})
    return chain.contracts.instance_at(script.MAINNET_WETH, contract_type=contract_type)


@pytest.fixture(scope="session")
def executor(script: ModuleType, owner: AccountAPI, operator: AccountAPI, weth: ContractInstance) -> ContractInstance:
    return script.deploy(owner, owner.address, weth.address, (operator.address,))
