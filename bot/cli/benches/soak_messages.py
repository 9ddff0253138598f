"""Pending transactions for ``mev bench soak``, each another one: notifications as a node's websocket sends them.

Shares (``MIX``): plain ether 28 %, a token's transfer or approval 36 % (half of them of the devnet's own tokens, the
others of 2,000 that no pool of ours holds), swaps of ether through the devnet's v2 and v3 routers and the pools there
8 %, swaps through the same routers in tokens that have no pool 8 %, calls of 5,000 unknown contracts 10 %, of whatever
kind but paying less than the base fee 5 %, told a second time 5 %. Which token or contract follows a power law.

Swaps through pools are signed for real and change something; the others carry a signature that nobody looks at.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from random import Random

from coincurve import PrivateKey
from eth_abi.abi import encode

from bot.abi import call, keccak, selector, to_hex
from bot.devnet.deployment import Deployment
from bot.devnet.signature import address_of
from bot.engine import rlp

MIX = {"ether": 28, "token": 36, "swap": 8, "elsewhere": 8, "unknown": 10, "cheap": 5, "again": 5}
SENDERS = 20_000
"""Of swaps through pools: each sends again, and pays a little more, when all the others have."""
TOKENS, CONTRACTS = 2_000, 5_000
FIRST_GAS, PLACES = 600_000, 1 << 18
"""A message's gas limit is ``FIRST_GAS`` and its number modulo ``PLACES``: by it the time of sending is found."""
FEE, CHEAP = 100 * 10**9, 1  # wei per gas
DEADLINE = 4_000_000_000
_SUBSCRIPTION = "0x9cef478923ff08bf67fde6c64013158d"


def key(number: int) -> PrivateKey:
    """Of a sender of swaps."""
    return PrivateKey(keccak(b"soak %d" % number))


def senders(count: int = SENDERS) -> list[str]:
    """Who has to have ether."""
    return [address_of(key(number).public_key) for number in range(count)]


class Messages:
    """``count`` is the number of different ones so far."""

    def __init__(self, deployment: Deployment, seed: int, keys: int = SENDERS) -> None:
        self._deployment, self._random, self.count = deployment, Random(seed), 0
        self._keys = [(key(number), address_of(key(number).public_key)) for number in range(keys)]
        self._swaps = 0
        self._calls = [self._pool_call() for _ in range(500)]
        self._elsewhere = [self._elsewhere_call() for _ in range(500)]
        own = [token.address for token in deployment.tokens]
        self._tokens, self._token_odds = _power_law(
            [*own, *(_address(b"token %d" % n) for n in range(TOKENS))], len(own)
        )
        self._contracts, self._contract_odds = _power_law([_address(b"contract %d" % n) for n in range(CONTRACTS)], 0)
        self._makers: dict[str, Callable[[], str]] = {
            "ether": lambda: self._cheaply_signed(self._stranger(), "0x", "0xde0b6b3a7640000", FEE),
            "token": lambda: self._cheaply_signed(
                self._pick(self._tokens, self._token_odds), self._token_input(), "0x0", FEE
            ),
            "swap": self._swap,
            "elsewhere": lambda: self._cheaply_signed(*self._random.choice(self._elsewhere), "0x1", FEE),
            "unknown": self._unknown,
            "cheap": lambda: self._cheaply_signed(*self._random.choice(self._elsewhere), "0x1", CHEAP),
            "again": self._swap,  # the first of all
        }
        self._kinds, self._kind_odds = list(MIX), list(accumulate(MIX.values()))
        self._last = ""

    def next(self) -> tuple[str, int | None]:
        """A message, and its number; None for one told a second time."""
        kind = self._random.choices(self._kinds, cum_weights=self._kind_odds)[0]
        if kind == "again" and self._last:
            return self._last, None
        self._last = self._makers[kind]()
        self.count += 1
        return self._last, self.count - 1

    def _pick(self, what: list[str], odds: list[float]) -> str:
        return self._random.choices(what, cum_weights=odds)[0]

    def _stranger(self) -> str:
        return f"0x{self._random.getrandbits(160):040x}"

    def _token_input(self) -> str:
        chosen = "a9059cbb" if self._random.random() < 0.7 else "095ea7b3"  # transfer, approve
        return f"0x{chosen}{self._random.getrandbits(160):064x}{self._random.getrandbits(70):064x}"

    def _unknown(self) -> str:
        to = self._pick(self._contracts, self._contract_odds)
        data = f"0x{int(to[2:6], 16) & 3:08x}" + f"{self._random.getrandbits(256):064x}" * 6
        return self._cheaply_signed(to, data, "0x0", FEE)

    # --- swaps -------------------------------------------------------------------------------------------------------

    def _pool_call(self) -> tuple[str, bytes, int]:
        """Router, calldata and value of ether into one of the devnet's pools."""
        random, deployment = self._random, self._deployment
        pools = [pool for pool in deployment.pools if deployment.weth in (pool.token0, pool.token1)]
        pool = random.choice(pools)
        token = pool.token1 if pool.token0 == deployment.weth else pool.token0
        value = int(10**17 * random.lognormvariate(0, 1))
        if pool.kind == "v3":
            name = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
            words = deployment.weth, token, pool.fee, self._stranger(), DEADLINE, value, 0, 0
            return deployment.v3_router, call(name, *words), value
        router = deployment.v2_routers[deployment.v2_factories.index(pool.factory)]
        return router, _v2(deployment.weth, token, self._stranger()), value

    def _elsewhere_call(self) -> tuple[str, str]:
        token = _address(b"token %d" % self._random.randrange(TOKENS))
        return self._deployment.v2_routers[0], to_hex(_v2(self._deployment.weth, token, self._stranger()))

    def _swap(self) -> str:
        to, data, value = self._calls[self._swaps % len(self._calls)]
        secret, sender = self._keys[self._swaps % len(self._keys)]
        fee = FEE + self._swaps // len(self._keys) * 10**6
        self._swaps += 1
        gas = FIRST_GAS + self.count % PLACES
        fields = [rlp.number(self._deployment.chain_id), b"\x80", rlp.number(1), rlp.number(fee), rlp.number(gas)]
        fields += [b"\x94" + bytes.fromhex(to[2:]), rlp.number(value), rlp.string(data), b"\xc0"]
        signature = secret.sign_recoverable(keccak(b"\x02" + rlp.items(fields)), hasher=None)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        raw = b"\x02" + rlp.items([*fields, rlp.number(signature[64]), rlp.number(r), rlp.number(s)])
        end = f'"r":"{hex(r)}","s":"{hex(s)}","yParity":"{hex(signature[64])}","v":"{hex(signature[64])}"'
        return self._body(to_hex(keccak(raw)), sender, to, to_hex(data), hex(value), fee, gas, end)

    def _cheaply_signed(self, to: str, data: str, value: str, fee: int) -> str:
        number, gas = self.count, FIRST_GAS + self.count % PLACES
        end = f'"r":"0x{number | 1 << 255:x}","s":"0x{number | 1 << 254:x}","yParity":"0x1","v":"0x1"'
        return self._body(f"0x{number:064x}", self._stranger(), to, data, value, fee, gas, end)

    def _body(self, tx_hash: str, sender: str, to: str, data: str, value: str, fee: int, gas: int, end: str) -> str:
        return (
            f'{{"jsonrpc":"2.0","method":"eth_subscription","params":{{"subscription":"{_SUBSCRIPTION}","result":{{'
            f'"type":"0x2","chainId":"{hex(self._deployment.chain_id)}","nonce":"0x0","gas":"{hex(gas)}",'
            f'"maxFeePerGas":"{hex(fee)}","maxPriorityFeePerGas":"0x1","to":"{to}","value":"{value}","accessList":[],'
            f'"input":"{data}","hash":"{tx_hash}","blockHash":null,"blockNumber":null,"transactionIndex":null,'
            f'"from":"{sender}","gasPrice":"{hex(fee)}",{end}}}}}}}'
        )


def _v2(weth: str, token: str, recipient: str) -> bytes:
    kinds = ["uint256", "address[]", "address", "uint256"]
    return selector(f"swapExactETHForTokens({','.join(kinds)})") + encode(
        kinds, (0, [weth, token], recipient, DEADLINE)
    )


def _power_law(names: list[str], often: int) -> tuple[list[str], list[float]]:
    """With cumulative odds of 1 / rank; the first ``often`` together as likely as all others."""
    odds = [1.0 / (rank + 1) for rank in range(len(names))]
    if often:
        factor = sum(odds[often:]) / sum(odds[:often])
        odds = [each * factor if rank < often else each for rank, each in enumerate(odds)]
    return names, list(accumulate(odds))


def _address(name: bytes) -> str:
    return to_hex(keccak(name)[12:])
