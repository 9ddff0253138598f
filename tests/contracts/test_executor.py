"""Who may do what with a deployed executor, through ape as its owner would."""

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._shared.artifacts import executor_type

ETHER = 10**18
DO_NOTHING = b"\x00"
"""A program without a step and without a minimum."""


def test_owner_and_operator_may_trade(executor: ContractInstance, owner: AccountAPI, operator: AccountAPI) -> None:
    for account in (owner, operator):
        assert not executor(data=DO_NOTHING, sender=account).failed


def test_a_stranger_may_not_trade(executor: ContractInstance, stranger: AccountAPI) -> None:
    with ape.reverts(executor.Unauthorized, caller=stranger.address):
        executor(data=DO_NOTHING, sender=stranger)


def test_only_the_owner_sets_operators(
    executor: ContractInstance, owner: AccountAPI, operator: AccountAPI, stranger: AccountAPI
) -> None:
    assert executor.isOperator(operator) and not executor.isOperator(stranger)
    for account in (operator, stranger):
        with ape.reverts(executor.Unauthorized, caller=account.address):
            executor.setOperator(stranger, True, sender=account)
    receipt = executor.setOperator(operator, False, sender=owner)
    assert receipt.events == [executor.OperatorSet(operator=operator.address, allowed=False)]
    with ape.reverts(executor.Unauthorized, caller=operator.address):
        executor(data=DO_NOTHING, sender=operator)


def test_only_the_owner_withdraws_and_only_to_itself(
    executor: ContractInstance,
    weth: ContractInstance,
    owner: AccountAPI,
    operator: AccountAPI,
    stranger: AccountAPI,
) -> None:
    weth.deposit(value=ETHER, sender=stranger)
    weth.transfer(executor, ETHER, sender=stranger)
    for account in (operator, stranger):
        with ape.reverts(executor.Unauthorized, caller=account.address):
            executor.withdrawToken(weth, ETHER, sender=account)
    receipt = executor.withdrawToken(weth, ETHER, sender=owner)
    assert executor.Withdrawn(token=weth.address, amount=ETHER) in receipt.events
    assert (weth.balanceOf(owner), weth.balanceOf(executor)) == (ETHER, 0)


def test_eth_comes_only_from_weth_and_the_owner_gets_it(
    executor: ContractInstance, weth: ContractInstance, owner: AccountAPI, stranger: AccountAPI
) -> None:
    with ape.reverts(executor.EthRefused, sender=stranger.address):
        stranger.transfer(executor, 1)
    executor.provider.set_balance(executor.address, ETHER)
    before = owner.balance
    receipt = executor.withdrawEth(ETHER, sender=owner)
    assert owner.balance == before + ETHER - receipt.total_fees_paid


def test_a_promise_that_does_not_come_true_reverts(
    executor: ContractInstance, weth: ContractInstance, operator: AccountAPI
) -> None:
    promise_one_wei = b"\x01\x01"
    with ape.reverts(executor.BelowMinimum, token=weth.address, minimum=1):
        executor(data=promise_one_wei, sender=operator)


@pytest.mark.parametrize(("owner_index", "code"), [(None, True), (0, False)])
def test_construction_needs_an_owner_and_wrapped_eth(
    owner: AccountAPI, weth: ContractInstance, owner_index: int | None, code: bool
) -> None:
    of = ape.utils.ZERO_ADDRESS if owner_index is None else owner.address
    with ape.reverts():
        owner.deploy(executor_type(), of, weth.address if code else owner.address)
