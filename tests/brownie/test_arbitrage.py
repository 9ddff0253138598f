"""The executor, compiled and driven by brownie: one arbitrage between real pairs, on a fork of the devnet."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

import brownie
import pytest

GAS = 1_000_000


class World(NamedTuple):
    """``profit`` is the wei of WETH that ``program`` must bring."""

    weth: Any
    program: str
    profit: int


@pytest.fixture(scope="module")
def world() -> World:
    """What tests/brownie/chain.py told."""
    told = json.loads(os.environ["MEV_BROWNIE"])
    return World(brownie.interface.IERC20(told["weth"]), told["program"], told["profit"])


@pytest.fixture(scope="module")
def executor(world: World) -> Any:
    """Of the first account, with the second as its operator. By the interface's ABI, as it has but a fallback."""
    owner, operator = brownie.accounts[:2]
    deployed = owner.deploy(brownie.Executor, owner, world.weth)
    contract = brownie.interface.IExecutor(deployed.address)
    contract.setOperator(operator, True, {"from": owner})
    return contract


def test_it_runs_on_a_fork_of_the_devnet(world: World) -> None:
    assert brownie.network.show_active() == "anvil-fork"
    assert brownie.chain.height > 0
    assert world.profit > 0


def test_a_stranger_may_not_trade(executor: Any, world: World) -> None:
    stranger = brownie.accounts[2]
    with pytest.raises(brownie.exceptions.VirtualMachineError):
        stranger.transfer(executor, data=world.program, gas_limit=GAS)
    assert world.weth.balanceOf(executor) == 0


def test_the_profit_arrives_and_the_owner_gets_it(executor: Any, world: World) -> None:
    owner, operator = brownie.accounts[:2]
    trade = operator.transfer(executor, data=world.program, gas_limit=GAS)
    assert trade.status == 1
    assert world.weth.balanceOf(executor) == world.profit
    assert trade.gas_used < GAS

    before = world.weth.balanceOf(owner)
    executor.withdrawToken(world.weth, world.profit, {"from": owner})
    assert world.weth.balanceOf(owner) - before == world.profit
    assert world.weth.balanceOf(executor) == 0
