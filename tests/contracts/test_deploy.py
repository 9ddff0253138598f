"""`ape run deploy`: what it does with an account and a network, and where the executor comes to stand."""

from pathlib import Path
from types import SimpleNamespace

import ape
import click
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.managers import ChainManager
from conftest import Script
from eth_account import Account
from eth_utils import keccak, to_checksum_address

from bot.execution.book import START, Book, Entry, Kind
from scripts._shared import network, place
from scripts._shared.artifacts import Differs, artifact, creation_code, deployer_type, executor_type, immutables
from scripts._shared.check import Wanted, checked
from scripts._shared.deployment import deploy
from scripts._shared.place import PROXY, PROXY_SIGNER, PROXY_TRANSACTION, Place

DEPLOYER_CODE = "14d2e0d7"
"""Beginning of the hash of the Deployer's creation code. Another compiler or another setting that changes it moves
every address: executors that stand on other chains are then found by --executor only."""


def test_deploys_and_says_what_to_do_next(
    script: Script, executor: ContractInstance, weth: ContractInstance, owner: AccountAPI, operator: AccountAPI
) -> None:
    asked = ("deploy", "--account", "TEST::0", "--number", "2", "--operator", operator.address)
    said = script(*asked)
    assert said.exit_code == 0, said.output
    second = executor_type().at(Place(owner.address, number=2).executor)
    assert f"executor {second.address} on ethereum:local" in said.output
    assert f'executor = "{second.address.lower()}"' in said.output
    assert (second.owner(), second.WETH()) == (owner.address, weth.address)
    assert second.isOperator(operator)

    nonce = owner.nonce
    again = script(*asked)
    assert again.exit_code == 0 and "nothing was spent" in again.output
    assert owner.nonce == nonce


def test_what_is_predicted_comes_true(script: Script, executor: ContractInstance, owner: AccountAPI) -> None:
    nonce = owner.nonce
    said = script("deploy", "--account", "TEST::0", "--predict")
    assert said.output.strip() == executor.address
    other = script("deploy", "--account", "TEST::0", "--predict", "--salt", "7")
    assert other.output.strip() == Place(owner.address, salt=7).executor != executor.address
    assert owner.nonce == nonce
    assert deploy(owner, Place(owner.address, 7), owner.address, executor.WETH(), []).executor.address in other.output


def test_the_address_depends_on_who_deploys_and_on_nothing_else_of_the_chain(
    executor: ContractInstance, owner: AccountAPI, stranger: AccountAPI
) -> None:
    """The Deployer's address by CREATE2, the executor's by CREATE: no code or argument of it is in there."""
    at = Place(owner.address)
    code = keccak(creation_code("Deployer", owner.address))
    assert at.deployer == to_checksum_address(keccak(b"\xff" + bytes.fromhex(PROXY[2:]) + bytes(32) + code)[-20:])
    assert at.executor == executor.address
    assert len({at.executor, Place(stranger.address).executor, Place(owner.address, 1).executor}) == 3


def test_the_deployers_code_is_still_the_same() -> None:
    assert keccak(hexstr=artifact("Deployer")["bytecode"]["object"]).hex()[:8] == DEPLOYER_CODE


def test_the_owner_can_be_another_who_then_names_operators(
    script: Script, weth: ContractInstance, owner: AccountAPI, operator: AccountAPI, stranger: AccountAPI
) -> None:
    asked = ("deploy", "--account", "TEST::0", "--salt", "3", "--owner", stranger.address)
    refused = script(*asked, "--operator", operator.address)
    assert refused.exit_code == 2 and "only the owner can set operators" in refused.output
    assert script(*asked).exit_code == 0
    assert executor_type().at(Place(owner.address, 3).executor).owner() == stranger.address


def test_numbers_are_taken_in_order(script: Script, executor: ContractInstance, owner: AccountAPI) -> None:
    nonce = owner.nonce
    for arguments, following in (("--number", "3"), 2), (("--number", "2", "--salt", "9"), 1):
        said = script("deploy", "--account", "TEST::0", *arguments)
        assert said.exit_code == 2 and f"is not next on ethereum:local, {following} is" in said.output
    assert owner.nonce == nonce


def test_what_stands_there_already_must_be_right(
    script: Script, executor: ContractInstance, chain: ChainManager, stranger: AccountAPI
) -> None:
    said = script("deploy", "--account", "TEST::0", "--owner", stranger.address)
    assert said.exit_code == 1 and f"the owner of {executor.address} is" in said.output
    code = bytes(chain.provider.get_code(executor.address))
    last = len(code) - 1
    chain.provider.set_code(executor.address, code[:last] + bytes([code[last] ^ 1]))
    said = script("deploy", "--account", "TEST::0")
    assert said.exit_code == 1 and f"first at byte {last}" in said.output


def test_a_book_lies_behind_the_code_and_is_compared(
    script: Script, weth: ContractInstance, owner: AccountAPI, stranger: AccountAPI, tmp_path: Path
) -> None:
    file, other = tmp_path / "book.json", tmp_path / "other.json"
    book = Book((Entry(stranger.address.lower()), Entry(weth.address.lower(), Kind.LENDER_MORPHO)))
    book.save(file)
    Book(book.entries[:1]).save(other)
    said = script("deploy", "--account", "TEST::0", "--salt", "5", "--book", str(file))
    assert said.exit_code == 0, said.output
    at = Place(owner.address, 5).executor
    code = bytes(owner.provider.get_code(at))
    assert code[START:] == book.to_bytes()
    assert executor_type().at(at).owner() == owner.address
    verified = script("verify", at, "--book", str(file))
    assert verified.exit_code == 0 and "book      2 entries\n" in verified.output, verified.output
    assert "not compared" in script("verify", at).output
    differs = script("verify", at, "--book", str(other))
    assert differs.exit_code == 1 and "not the one of 1 entries" in differs.output
    said = script("deploy", "--account", "TEST::0", "--salt", "5", "--book", str(tmp_path / "none.json"))
    assert said.exit_code == 2 and "cannot be read" in said.output


def test_refuses_what_cannot_come_out_right(script: Script, weth: ContractInstance, owner: AccountAPI) -> None:
    nonce = owner.nonce
    for arguments, reason in (
        (("--weth", owner.address), f"no contract at {owner.address}"),
        (("--operator", "0x12"), "0x12 is not an address"),
        (("--owner", weth.address[:-1] + "D"), "is not an address"),
        (("--chain-id", "5"), "--chain-id says 5: nothing was done"),
    ):
        said = script("deploy", "--account", "TEST::0", *arguments)
        assert said.exit_code == 2 and reason in said.output, said.output
    assert owner.nonce == nonce


def test_a_live_network_needs_its_name_again() -> None:
    mainnet = ape.networks.ethereum.mainnet.get_provider("node", connect=False)
    for confirm in (None, "yes", "ethereum:sepolia"):
        with pytest.raises(click.UsageError, match="--confirm ethereum:mainnet"):
            network.check_confirmed(mainnet, confirm)
    network.check_confirmed(mainnet, "ethereum:mainnet")


def test_a_chain_must_be_the_one_that_is_meant() -> None:
    def node(answer: int, **network_fields: object) -> SimpleNamespace:
        fields = {"is_fork": False, "is_local": False, "is_adhoc": False, "name": "x", **network_fields}
        named = SimpleNamespace(**fields, ecosystem=SimpleNamespace(name="ethereum"))
        return SimpleNamespace(network=named, make_request=lambda method, arguments: hex(answer))

    upstream = SimpleNamespace(chain_id=1)
    assert network.check_chain(node(1, chain_id=1), None) == 1
    assert network.check_chain(node(1, is_fork=True, upstream_network=upstream), 1) == 1
    assert network.check_chain(node(31337, is_local=True), None) == 31337
    assert network.check_chain(node(99, is_adhoc=True), 99) == 99
    for wrong, expected in (
        (node(2, chain_id=1), None),
        (node(1, chain_id=1), 2),
        (node(2, is_fork=True, upstream_network=upstream), None),
        (node(99, is_adhoc=True), None),
    ):
        with pytest.raises(click.UsageError):
            network.check_chain(wrong, expected)


def test_known_wrapped_eth_is_written_rightly() -> None:
    for address in network.WETH.values():
        assert network.as_address(address) == address


# --- the deployment proxy ---------------------------------------------------------------------------------------------


def test_the_proxys_transaction_makes_the_proxy() -> None:
    assert Account.recover_transaction(PROXY_TRANSACTION) == PROXY_SIGNER
    assert place._address(place.rlp.encode([bytes.fromhex(PROXY_SIGNER[2:]), 0])) == PROXY
    assert place.PROXY_CODE.hex() in PROXY_TRANSACTION


def test_a_live_network_without_the_proxy_is_refused_with_the_way_to_mend_it() -> None:
    live = SimpleNamespace(is_dev=False, name="mainnet", ecosystem=SimpleNamespace(name="ethereum"))
    provider = SimpleNamespace(network=live, get_code=lambda address: b"")
    with pytest.raises(click.UsageError, match=f"lacks .* send 0.01 ETH to {PROXY_SIGNER}.*{PROXY_TRANSACTION}"):
        place.ensure_proxy(provider)
    provider.get_code = lambda address: b"\x00"
    with pytest.raises(Differs, match="is not the deterministic deployment proxy"):
        place.ensure_proxy(provider)


# --- the deployer -----------------------------------------------------------------------------------------------------


@pytest.fixture
def deployer(executor: ContractInstance, owner: AccountAPI) -> ContractInstance:
    return deployer_type().at(Place(owner.address).deployer)


def test_the_deployer_is_its_owners_alone(
    deployer: ContractInstance, owner: AccountAPI, operator: AccountAPI, stranger: AccountAPI
) -> None:
    assert deployer.owner() == owner.address
    for account in (operator, stranger):
        with ape.reverts(deployer.Unauthorized, caller=account.address):
            deployer.deploy(b"\x00", sender=account)
    with ape.reverts():
        owner.deploy(deployer_type(), ape.utils.ZERO_ADDRESS)


def test_a_creation_that_fails_takes_no_address(
    deployer: ContractInstance, owner: AccountAPI, weth: ContractInstance
) -> None:
    following = owner.provider.get_nonce(deployer.address)
    said = bytes.fromhex("60aa60005260206000fd")  # reverts with a word
    for creation, reason in (
        (said, bytes(31) + b"\xaa"),
        (b"", b""),
        (bytes.fromhex("00"), b""),
        (creation_code("Executor", ape.utils.ZERO_ADDRESS, weth.address), keccak(text="BadConstruction()")[:4]),
    ):
        with ape.reverts(deployer.CreationFailed, reason=reason):
            deployer.deploy(creation, sender=owner)
    assert owner.provider.get_nonce(deployer.address) == following
    receipt = deployer.deploy(creation_code("Executor", owner.address, weth.address), sender=owner)
    created = Place(owner.address, number=following).executor
    assert receipt.events == [deployer.Deployed(created=created)]
    checked(owner.provider, created, Wanted(owner.address, weth.address))


def test_immutables_are_read_out_of_the_code(executor: ContractInstance, owner: AccountAPI) -> None:
    code = bytes(executor.provider.get_code(executor.address))
    assert immutables("Executor", code) == {"owner": owner.address.lower(), "weth": executor.WETH().lower()}
    for changed, reason in (
        (code[:-1], f"the code has {len(code) - 1} bytes"),
        (code.replace(bytes.fromhex(executor.WETH()[2:]), bytes(20), 1), "the immutable weth is not one address"),
        (bytes([code[0] ^ 1]) + code[1:], "first at byte 0"),
    ):
        with pytest.raises(Differs, match=reason):
            immutables("Executor", changed)
