"""`ape run verify`, `fund`, `withdraw`, `operator` and `rehearse`, in this process on ape's chain."""

import json

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractContainer, ContractInstance
from conftest import Script
from ethpm_types import ContractType

from scripts._shared.money import Asset

ETHER = 10**18
OWNER = ("--account", "TEST::0")
pytestmark = pytest.mark.usefixtures("executor")


@pytest.fixture
def usdt(owner: AccountAPI, weth: ContractInstance) -> ContractInstance:
    """The devnet's, which returns nothing and has six decimals; the owner has a thousand."""
    from bot.devnet.tokens import SOURCE  # compiled once, then remembered by the compiler's shim

    compiled = SOURCE.compile()["DevTether"]
    fields = {"contractName": "DevTether", "abi": compiled["abi"]}
    code = {"bytecode": "0x" + compiled["evm"]["bytecode"]["object"]}
    container = ContractContainer(ContractType.model_validate(fields | {"deploymentBytecode": code}))
    token = owner.deploy(container, "Tether", "USDT", 6, owner)
    token.mint(owner, 1000 * 10**6, sender=owner)
    return token


def test_fund_wraps_and_sends_and_withdraw_brings_it_back(
    script: Script, executor: ContractInstance, weth: ContractInstance, owner: AccountAPI
) -> None:
    said = script("fund", *OWNER, "--amount", "1.5")
    assert said.exit_code == 0, said.output
    assert "before: executor 0 WETH" in said.output and "after:  executor 1.5 WETH" in said.output
    assert weth.balanceOf(executor) == 3 * ETHER // 2

    said = script("withdraw", *OWNER, "--amount", "0.25")
    assert said.exit_code == 0 and "after:  executor 1.25 WETH  owner 0.25 WETH" in said.output
    owner.provider.set_balance(executor.address, ETHER)
    said = script("withdraw", *OWNER, "--all")
    assert said.exit_code == 0, said.output
    assert (weth.balanceOf(executor), weth.balanceOf(owner), executor.balance) == (0, 3 * ETHER // 2, 0)
    assert "withdraw 1 ETH" in said.output
    said = script("withdraw", *OWNER, "--all")
    assert said.exit_code == 0 and "no WETH to withdraw" in said.output and "no ETH to withdraw" in said.output


def test_any_token_in_and_out(
    script: Script, executor: ContractInstance, usdt: ContractInstance, owner: AccountAPI
) -> None:
    said = script("fund", *OWNER, "--token", usdt.address, "--amount", "12.345678")
    assert said.exit_code == 0, said.output
    assert usdt.balanceOf(executor) == 12_345_678
    said = script("verify", executor.address, "--token", usdt.address, "--json")
    assert json.loads(said.output)["balances"][usdt.address] == 12_345_678
    said = script("withdraw", *OWNER, "--token", usdt.address, "--all")
    assert said.exit_code == 0 and usdt.balanceOf(owner) == 1000 * 10**6


def test_operators_come_and_go(script: Script, executor: ContractInstance, stranger: AccountAPI) -> None:
    for verb, state in (("add", True), ("add", True), ("remove", False), ("remove", False)):
        said = script("operator", verb, stranger.address, *OWNER)
        assert said.exit_code == 0, said.output
        assert executor.isOperator(stranger) == state
    assert f"{stranger.address} may not trade already" in said.output


def test_verify_says_what_it_is(
    script: Script, executor: ContractInstance, owner: AccountAPI, operator: AccountAPI, stranger: AccountAPI
) -> None:
    asked = ("verify", executor.address, "--owner", owner.address, "--operator", operator.address)
    said = script(*asked)
    assert said.exit_code == 0 and "forge's artifact" in said.output
    told = json.loads(script(*asked, "--json").output)
    assert told["ok"] and told["owner"] == owner.address.lower() and told["weth"] == executor.WETH().lower()
    assert told["operators"] == [operator.address] and told["balances"] == {"ETH": 0, "WETH": 0}

    said = script("verify", executor.address, "--operator", stranger.address, "--json")
    assert said.exit_code == 1 and json.loads(said.stdout.splitlines()[0])["ok"] is False


def test_verify_says_in_one_line_what_differs(
    script: Script, executor: ContractInstance, weth: ContractInstance, stranger: AccountAPI
) -> None:
    for arguments, reason in (
        ((stranger.address,), f"there is no contract at {stranger.address}"),
        ((weth.address,), f"{weth.address} is not this executor: the code has 3288 bytes"),
        ((executor.address, "--owner", stranger.address), f"the owner of {executor.address} is"),
        ((executor.address, "--operator", stranger.address), f"{stranger.address} is not an operator of"),
        ((executor.address, "--weth", executor.address), f"the weth of {executor.address} is"),
    ):
        said = script("verify", *arguments)
        assert said.exit_code == 1 and said.output.startswith("Error: ") and reason in said.output, said.output
        assert len(said.output.splitlines()) == 1


def test_refusals_spend_nothing(
    script: Script, executor: ContractInstance, owner: AccountAPI, stranger: AccountAPI
) -> None:
    by_stranger = ("--account", "TEST::2", "--executor", executor.address)
    nonces = owner.nonce, stranger.nonce
    for arguments, reason in (
        (("fund", *OWNER, "--amount", "0"), "no amount of WETH"),
        (("fund", *OWNER, "--amount", "1e-19"), "no amount of WETH, which has 18 decimals"),
        (("fund", *OWNER, "--amount", "a lot"), "is not an amount"),
        (("fund", *OWNER, "--amount", "1" + "0" * 9), "ETH, not 1000000000 ETH"),
        (("fund", *OWNER, "--amount", "1", "--token", "eth"), "--token weth wraps it"),
        (("fund", *OWNER, "--amount", "1", "--token", stranger.address), "is it a token of this chain?"),
        (("fund", "--account", "TEST::2", "--amount", "1"), "say --executor"),
        (("withdraw", *OWNER, "--amount", "1"), f"{executor.address} has 0 WETH, not 1 WETH"),
        (("withdraw", *OWNER), "--amount or --all"),
        (("withdraw", *OWNER, "--amount", "1", "--token", "eth", "--token", "weth"), "is of one --token"),
        (("withdraw", *by_stranger, "--all"), "only the owner of"),
        (("operator", "add", stranger.address, *by_stranger), "only the owner of"),
        (("rehearse", "--program", "0xzz"), "--program is not hex"),
    ):
        said = script(*arguments)
        assert said.exit_code == 2 and reason in said.output, said.output
    assert (owner.nonce, stranger.nonce) == nonces


def test_rehearse_on_a_local_chain(script: Script, weth: ContractInstance, stranger: AccountAPI) -> None:
    said = script("rehearse", "--amount", "2", "--owner", stranger.address)
    assert said.exit_code == 0, said.output
    assert "withdraw 2 WETH" in said.output and "withdraw 2 ETH" in said.output and "all went well" in said.output
    said = script("rehearse", "--program", "0x0101")
    assert said.exit_code == 1
    assert said.output.splitlines()[-1].startswith("Error: the rehearsal failed at: run the program: BelowMinimum")


@pytest.mark.parametrize(("text", "units"), [("1", 10**6), ("0.000001", 1), ("1e3", 10**9), ("1.000000", 10**6)])
def test_amounts_are_exact(text: str, units: int) -> None:
    asset = Asset("USDC", None, 6)
    assert asset.units(text) == units
    assert asset.units(asset.words(units).split()[0]) == units
