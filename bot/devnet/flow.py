"""Order flow: what the devnet's traders send into the mempool, the same for the same seed and the same chain.

Each token has a fair price that wanders around its list price. Who trades mostly pushes a pool towards it, so pools
neither drift off nor run dry. Sizes are log-normal in units of the pool's fee, for it is the fee that decides whether
the trade leaves something behind for a back-run; a whale's is many times that. How many send depends on the base fee,
which therefore settles around ``USUAL_BASE_FEE``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from bot.abi import call, selector, to_hex
from bot.devnet import flow_pools
from bot.devnet.deployment import Deployment, trader
from bot.devnet.flow_pools import PoolView
from bot.jsonrpc import JsonRpc, RpcError

USUAL_BASE_FEE = 2 * 10**9
USUAL_COUNT, LEAST, MOST = 22, 10, 32  # transactions a slot

PULL, SHOCK, CALM_SHOCK = 0.02, 0.0015, 0.00002  # of fair prices, a slot: towards the list, and at random
EAGERNESS = 0.01  # a pool off by this much is traded back by 73 %

MEDIAN_SIZE, SPREAD = 0.4, 0.8  # a trade's share of its side of the pool, in units of the pool's fee
WHALES, WHALE_SIZE = 0.04, (5.0, 20.0)  # how many, and how many times the size
MOST_OF_DEPTH, MOST_OF_HOLDING, MOST_USD = 0.05, 0.15, 1_500_000

TRANSFERS, TWO_HOPS, NATIVE, NAIVE, DOOMED = 0.1, 0.2, 0.3, 0.15, 0.04  # shares of the transactions
TOLERANCES = (0.003, 0.005, 0.01, 0.03)
SWAP_GAS, TRANSFER_GAS = 350_000, 21_000
DEADLINE = 1200  # seconds after the head


@dataclass(frozen=True, slots=True)
class Swap:
    """A trade before it is quoted: ``amount`` of ``tokens[0]`` through ``pools``. ``value`` is wei sent along."""

    pools: tuple[PoolView, ...]
    tokens: tuple[str, ...]
    amount: int
    value: int


class OrderFlow:
    """Seeded traders of a deployment. All randomness comes from ``seed``, all else from the chain. ``size`` times the
    usual size: where it is small, trades hardly leave anything behind."""

    def __init__(self, deployment: Deployment, seed: int, size: float = 1.0) -> None:
        self._deployment, self._median = deployment, MEDIAN_SIZE * size
        self._rng = Random(seed)
        self._list = {token.address: token.price_usd / 10.0**token.decimals for token in deployment.tokens}
        self._calm = {token.address for token in deployment.tokens if token.price_usd == 1.0}
        self._drift = dict.fromkeys(self._list, 0.0)
        self._router = dict(zip(deployment.v2_factories, deployment.v2_routers, strict=True))
        self._router[deployment.v3_factory] = deployment.v3_router

    async def slot(self, rpc: JsonRpc) -> list[bytes]:
        """This slot's signed transactions, in the order in which they are to be sent. Raises RpcError."""
        self._move_prices()
        head = await rpc.call("eth_getBlockByNumber", "latest", False)
        fees = await rpc.call("eth_feeHistory", "0x1", "latest", [])
        base_fee = int(fees["baseFeePerGas"][-1], 16)
        deadline = int(head["timestamp"], 16) + DEADLINE
        views = await flow_pools.read(rpc, self._deployment.pools)
        senders = [self._rng.randrange(len(self._deployment.traders)) for _ in range(self._count(base_fee))]
        plans = [None if self._rng.random() < TRANSFERS else self._plan(views) for _ in senders]
        quotes = await self._quotes(rpc, senders, plans, deadline)
        calls = [
            self._transfer() if plan is None else self._swap(plan, who, quote, deadline)
            for who, plan, quote in zip(senders, plans, quotes, strict=True)
            if plan is None or quote
        ]
        signers = [who for who, plan, quote in zip(senders, plans, quotes, strict=True) if plan is None or quote]
        return await self._sign(rpc, signers, calls, base_fee)

    def _move_prices(self) -> None:
        for token in self._drift:
            shock = CALM_SHOCK if token in self._calm else SHOCK
            self._drift[token] += -PULL * self._drift[token] + self._rng.gauss(0, shock)

    def _usd(self, token: str) -> float:
        """The fair price of one smallest unit."""
        return self._list[token] * math.exp(self._drift[token])

    def _count(self, base_fee: int) -> int:
        wished = USUAL_COUNT * math.sqrt(USUAL_BASE_FEE / base_fee) * math.exp(self._rng.gauss(0, 0.2))
        return round(min(MOST, max(LEAST, wished)))

    def _plan(self, views: Sequence[PoolView]) -> Swap:
        """What somebody would like to trade."""
        rng = self._rng
        worth = [math.sqrt(view.pool.fee * view.depth0 * self._usd(view.pool.token0)) for view in views]
        first = rng.choices(views, worth)[0]
        token0, token1 = first.pool.token0, first.pool.token1
        dear = math.log(first.depth1 * self._usd(token1) / (first.depth0 * self._usd(token0)))
        sells0 = rng.random() < 1 / (1 + math.exp(-dear / EAGERNESS))
        tokens = [token0, token1] if sells0 else [token1, token0]
        path = [first]
        if rng.random() < TWO_HOPS:
            onward = [
                view
                for view in views
                if view.pool.factory == first.pool.factory
                and tokens[1] in (view.pool.token0, view.pool.token1)
                and view.other(tokens[1]) != tokens[0]
            ]
            if onward:
                path.append(rng.choice(onward))
                tokens.append(path[1].other(tokens[1]))
        amount = self._size(path, tokens)
        native = tokens[0] == self._deployment.weth and rng.random() < NATIVE
        return Swap(tuple(path), tuple(tokens), amount, amount if native else 0)

    def _size(self, path: Sequence[PoolView], tokens: Sequence[str]) -> int:
        """The amount in: fitted to the pool that bears least."""
        rng = self._rng
        share = self._median * math.exp(rng.gauss(0, SPREAD))
        if rng.random() < WHALES:
            share *= rng.uniform(*WHALE_SIZE)
        usd = float(MOST_USD)
        for view, token in zip(path, tokens, strict=False):
            other = view.other(token)
            part = min(share * view.pool.fee / 10**6, MOST_OF_DEPTH)
            usd = min(usd, part * view.depth(token) * self._usd(token))
            usd = min(usd, MOST_OF_HOLDING * view.holding(other) * self._usd(other))
        return max(1, int(usd / self._usd(tokens[0])))

    async def _quotes(
        self, rpc: JsonRpc, senders: Sequence[int], plans: Sequence[Swap | None], deadline: int
    ) -> list[int]:
        """What each swap would yield at the head, from the router itself; 0 when it would fail."""
        requests: list[tuple[str, list[Any]]] = []
        for who, plan in zip(senders, plans, strict=True):
            if plan is not None:
                to, value, data = self._encode(plan, who, 0, deadline)
                sender = self._deployment.traders[who]
                requests.append(
                    ("eth_call", [{"from": sender, "to": to, "value": hex(value), "data": to_hex(data)}, "latest"])
                )
        answers = iter(await rpc.batch(requests))
        quotes = []
        for plan in plans:
            answer = "0x0" if plan is None else next(answers)
            # a v2 router returns all amounts, a v3 router one: the last word is what comes out
            quotes.append(0 if isinstance(answer, RpcError) else int(answer[-64:], 16))
        return quotes

    def _swap(self, swap: Swap, who: int, quote: int, deadline: int) -> dict[str, Any]:
        draw = self._rng.random()
        if draw < NAIVE:
            least = 0
        elif draw < NAIVE + DOOMED:
            least = quote + quote // 50  # a price that is gone
        else:
            least = int(quote * (1 - self._rng.choice(TOLERANCES)))
        to, value, data = self._encode(swap, who, least, deadline)
        return {"to": to, "value": value, "data": data, "gas": SWAP_GAS}

    def _transfer(self) -> dict[str, Any]:
        to = self._rng.choice(self._deployment.traders)
        return {"to": to, "value": int(10**17 * self._rng.lognormvariate(0, 1)), "data": b"", "gas": TRANSFER_GAS}

    def _encode(self, swap: Swap, who: int, least: int, deadline: int) -> tuple[str, int, bytes]:
        """Router, value and calldata."""
        pool = swap.pools[0].pool
        router, recipient = self._router[pool.factory], self._deployment.traders[who]
        if pool.kind == "v2":
            return router, swap.value, _v2(swap, recipient, least, deadline)
        if len(swap.pools) == 1:
            signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
            token_in, token_out = swap.tokens
            words = (token_in, token_out, pool.fee, recipient, deadline, swap.amount, least, 0)
            return router, swap.value, call(signature, *words)
        path = bytes.fromhex(swap.tokens[0][2:])
        for view, token in zip(swap.pools, swap.tokens[1:], strict=True):
            path += view.pool.fee.to_bytes(3, "big") + bytes.fromhex(token[2:])
        kind = "(bytes,address,uint256,uint256,uint256)"
        arguments = encode([kind], [(path, recipient, deadline, swap.amount, least)])
        return router, swap.value, selector(f"exactInput({kind})") + arguments

    async def _sign(
        self, rpc: JsonRpc, senders: Sequence[int], calls: Sequence[dict[str, Any]], base_fee: int
    ) -> list[bytes]:
        who = sorted(set(senders))
        traders = self._deployment.traders
        answers = await rpc.batch([("eth_getTransactionCount", [traders[index], "pending"]) for index in who])
        nonces = {index: int(answer, 16) for index, answer in zip(who, answers, strict=True)}
        signed = []
        for index, body in zip(senders, calls, strict=True):
            tip = int(10**9 * self._rng.lognormvariate(0, 0.8))
            fields = {
                "type": 2,
                "chainId": self._deployment.chain_id,
                "nonce": nonces[index],
                "maxPriorityFeePerGas": tip,
                "maxFeePerGas": 2 * base_fee + tip,
                **body,
                "to": to_checksum_address(body["to"]),
            }
            nonces[index] += 1
            signed.append(bytes(trader(index).sign_transaction(fields).raw_transaction))
        return signed


def _v2(swap: Swap, recipient: str, least: int, deadline: int) -> bytes:
    rest = (least, list(swap.tokens), recipient, deadline)
    if swap.value:
        kinds = ["uint256", "address[]", "address", "uint256"]
        return selector(f"swapExactETHForTokens({','.join(kinds)})") + encode(kinds, rest)
    kinds = ["uint256", "uint256", "address[]", "address", "uint256"]
    return selector(f"swapExactTokensForTokens({','.join(kinds)})") + encode(kinds, (swap.amount, *rest))
