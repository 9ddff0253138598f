"""The executor on a devnet: deployed by the owner, its operators let in."""

from __future__ import annotations

from bot import abi
from bot.devnet.deployment import CHAIN_ID
from bot.devnet.network import Devnet
from bot.execution import keys
from bot.execution.executor import deploy_data, set_operator
from bot.execution.keys import Signer

OWNER = "devnet:0"
GAS_PRICE = 100 * 10**9  # wei; the most that is paid
CREATION_GAS, CALL_GAS = 3_000_000, 100_000


async def deploy_executor(net: Devnet, weth: str, operators: list[Signer]) -> str:
    """Builds two blocks and returns the executor's address. Raises UserError before `make setup` has compiled it."""
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

    created = await send(None, deploy_data(owner.address, weth), CREATION_GAS)
    await net.build_block()
    receipt = await net.node.rpc.call("eth_getTransactionReceipt", created)
    contract = str(receipt["contractAddress"]).lower()
    for operator in operators:
        await send(contract, set_operator(operator.address, True), CALL_GAS)
    await net.build_block()
    return contract
