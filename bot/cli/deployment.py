"""The executor on a devnet: deployed by the owner with a book of its pools and lenders, its operators let in."""

from __future__ import annotations

from bot import abi
from bot.devnet.deployment import CHAIN_ID, Deployment
from bot.devnet.network import Devnet
from bot.execution import keys
from bot.execution.book import Book, Kind, deploy_data
from bot.execution.executor import set_operator
from bot.execution.keys import Signer

OWNER = "devnet:0"
GAS_PRICE = 100 * 10**9  # wei; the most that is paid
CREATION_GAS, CALL_GAS = 4_900_000, 100_000


def book_of(deployment: Deployment) -> Book:
    """All pools of a devnet, and whom WETH can be borrowed from."""
    lenders = (
        (deployment.morpho, Kind.LENDER_MORPHO),
        (deployment.v4_manager, Kind.LENDER_V4),
        (deployment.balancer_vault, Kind.LENDER_BALANCER_V2),
        (deployment.aave_pool, Kind.LENDER_AAVE_V3),
    )
    return Book.of(deployment.weth, deployment.pools, lenders)


async def deploy_executor(net: Devnet, book: Book, operators: list[Signer]) -> str:
    """Builds two blocks and returns the address of an executor with ``book``. Raises UserError before `make setup` has
    compiled it."""
    owner = keys.load(OWNER)
    assert owner is not None, "the devnet's keys are public"
    nonce = int(await net.node.rpc.call("eth_getTransactionCount", owner.address, "latest"), 16)

    async def send(to: str | None, data: bytes, gas: int) -> str:
        nonlocal nonce
        raw, tx_hash = owner.sign_transaction(
            chain_id=CHAIN_ID,
            nonce=nonce,
            to=to,
            data=data,
            gas=gas,
            max_fee_per_gas=GAS_PRICE,
            max_priority_fee_per_gas=1,
        )
        nonce += 1
        await net.node.rpc.call("eth_sendRawTransaction", abi.to_hex(raw))
        return tx_hash

    created = await send(None, deploy_data(owner.address, net.deployment.weth, book), CREATION_GAS)
    await net.build_block()
    receipt = await net.node.rpc.call("eth_getTransactionReceipt", created)
    contract = str(receipt["contractAddress"]).lower()
    for operator in operators:
        await send(contract, set_operator(operator.address, True), CALL_GAS)
    await net.build_block()
    return contract
