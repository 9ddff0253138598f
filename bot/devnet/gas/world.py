"""The world that gas is measured in: the devnet with what scene.py adds, and the rows that are measured there.

Each measurement is a real transaction in a block of its own, which is undone afterwards: all see the same state.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bot.abi import call, to_hex, uint
from bot.devnet.deployment import BLOCK_SECONDS, Deployment, account
from bot.devnet.gas import scene
from bot.devnet.gas.bytecode import Call, Frame, assemble
from bot.devnet.gas.floors import floor_code
from bot.devnet.gas.rows import Lender, Loan, Row, Way
from bot.devnet.gas.scene import DUST, IN, A, B, Pools
from bot.devnet.place import Site
from bot.devnet.protocols import aave, morpho
from bot.devnet.state import BUILD_GAS_LIMIT, DEPLOYER, devnet_node, ensure_state
from bot.devnet.tokens import WETH
from bot.simulation.anvil import Anvil

GAS = 3_000_000
GAS_PRICE = 10**11
AGE = 200 * 86_400
"""Seconds that pass first: Balancer's pause can no longer happen, and is no longer read, as on mainnet."""
KEYS_THAT_PAY = 24
"""With so many storage keys of an account that is warm anyway, listing it (2,400 gas) pays."""

OWNING = "0xf100f100f100f100f100f100f100f100f100f100"
BORROWING = "0xf200f200f200f200f200f200f200f200f200f200"
APPROVING = "0xf300f300f300f300f300f300f300f300f300f300"
"""Where floors stand. The first holds WETH and dust, the others dust only; Morpho and Aave may take WETH from all but
the last."""

AccessList = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Measured:
    """A transaction: ``gas`` used, whether it succeeded, and the WETH that the called account gained."""

    gas: int
    success: bool
    gained: int


class GasWorld:
    """``async with GasWorld(data_dir) as world`` builds it anew, in a second once the devnet is cached.

    ``rows`` are the trades by name, ``empty_loans`` the loans alone, ``variants`` other ways to do rows: with the
    allowance given in the transaction, or the lender paying the first pool itself. ``sender`` sends what is measured.
    """

    node: Anvil
    site: Site
    deployment: Deployment
    pools: Pools
    rows: dict[str, Row]
    empty_loans: dict[str, Row]
    variants: dict[str, Row]
    weth, a, b = WETH, A, B

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._stack = AsyncExitStack()
        self.sender = account(0).address.lower()

    async def __aenter__(self) -> Self:
        """Raises UserError, AnvilFailed, PlacingFailed."""
        state, self.deployment = await ensure_state(self._data_dir)
        async with AsyncExitStack() as stack:
            self.node = await stack.enter_async_context(devnet_node(state, self.deployment))
            await self.node.rpc.call("anvil_autoImpersonateAccount", True)
            await self.node.rpc.call("evm_setBlockGasLimit", hex(BUILD_GAS_LIMIT))
            self.site = Site(self.node.rpc, DEPLOYER, self.deployment.head_timestamp + AGE)
            await self._build()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # --- floors ------------------------------------------------------------------------------------------------------

    async def floor(self, row: Row, access_list: AccessList | None = None) -> Measured:
        """The row's straight-line code as a transaction."""
        trader = self.trader(row)
        return await self.measure(trader, access_list=access_list, code=floor_code(row, trader))

    async def floor_access_list(self, row: Row) -> AccessList:
        """The access list of the row's straight-line code."""
        trader = self.trader(row)
        return await self.access_list(trader, code=floor_code(row, trader))

    def trader(self, row: Row) -> str:
        """The account that the row's floor stands at."""
        if row.loan and row.loan.approving:
            return APPROVING
        return OWNING if row.way is Way.OWN or not row.legs else BORROWING

    # --- any transaction ---------------------------------------------------------------------------------------------

    async def measure(
        self,
        to: str,
        data: bytes = b"",
        *,
        sender: str | None = None,
        access_list: AccessList | None = None,
        code: bytes | None = None,
    ) -> Measured:
        """A transaction in the next block, undone afterwards; of type 1 with an access list. With ``code`` that is
        what stands at ``to``."""
        rpc = self.node.rpc
        request = self._request(to, data, sender)
        if access_list is not None:
            request["accessList"] = access_list
        snapshot = await self._snapshot(to, code)
        try:
            before = await self.balance(WETH, to)
            tx_hash = await rpc.call("eth_sendTransaction", request)
            await rpc.call("evm_mine", self.site.timestamp + BLOCK_SECONDS)
            receipt = await rpc.call("eth_getTransactionReceipt", tx_hash)
            gained = await self.balance(WETH, to) - before
        finally:
            await rpc.call("evm_revert", snapshot)
        return Measured(int(receipt["gasUsed"], 16), receipt["status"] == "0x1", gained)

    async def access_list(
        self, to: str, data: bytes = b"", *, sender: str | None = None, code: bytes | None = None
    ) -> AccessList:
        """What the transaction touches, without what does not pay. Raises RpcError when it reverts."""
        snapshot = await self._snapshot(to, code)
        try:
            answer = await self.node.rpc.call("eth_createAccessList", self._request(to, data, sender), "pending")
        finally:
            await self.node.rpc.call("evm_revert", snapshot)
        listed: AccessList = answer["accessList"]
        warm = {to.lower(), (sender or self.sender).lower()}
        return [each for each in listed if each["address"] not in warm or len(each["storageKeys"]) > KEYS_THAT_PAY]

    async def balance(self, token: str, holder: str) -> int:
        """What ``holder`` has of a token."""
        return uint(await self.site.call(token, call("balanceOf(address)", holder)))

    # --- others' contracts -------------------------------------------------------------------------------------------

    async def deploy(self, creation: bytes) -> str:
        """A contract's address, from its creation code with arguments."""
        (made,) = await self.site.create(creation)
        return made

    async def call(self, to: str, data: bytes) -> None:
        """A transaction of ``sender`` that stays. Raises PlacingFailed."""
        self.site.send(to, data, sender=self.sender)
        await self.site.settle()

    async def fund(self, holder: str, *, weth: int = IN + DUST, dust: int = DUST) -> None:
        """Gives WETH, and ``dust`` of A and of B."""
        for token, amount in ((WETH, weth), (A, dust), (B, dust)):
            self.site.send(token, call("transfer(address,uint256)", holder, amount))
        await self.site.settle()

    # --- building ----------------------------------------------------------------------------------------------------

    async def _build(self) -> None:
        await scene.place_tokens(self.site)
        self.pools = await scene.place_pools(self.site)
        await self.fund(OWNING)
        for holder in (BORROWING, APPROVING):
            await self.fund(holder, weth=DUST)
        for _ in range(2):
            await scene.warm_pools(self.site)
        await self._approve()
        loans = await scene.loans(self.site, self.pools)
        self.empty_loans = {name: Row(name, Way.LOAN, (), loan) for name, loan in loans.items()}
        await self._warm_lenders()
        self.rows = {row.name: row for row in await self._rows(loans)}
        self.variants = {row.name: row for row in _variants(self.rows)}

    async def _approve(self) -> None:
        lenders = (morpho.MORPHO, aave.POOL)
        code = assemble(Frame(tuple(Call(WETH, call("approve(address,uint256)", at, 2**256 - 1)) for at in lenders)))
        for holder in (OWNING, BORROWING):
            await self._run(holder, code)

    async def _warm_lenders(self) -> None:
        """Each lends once; what it costs comes from the floors' own WETH, which is made good."""
        for row in self.empty_loans.values():
            await self._run(OWNING, floor_code(row, OWNING))
        fees = -sum(row.profit for row in self.empty_loans.values())
        await self.fund(OWNING, weth=fees, dust=0)

    async def _run(self, at: str, code: bytes) -> None:
        await self.node.rpc.call("anvil_setCode", at, to_hex(code))
        self.site.send(at, b"")
        await self.site.settle()

    async def _rows(self, loans: dict[str, Loan]) -> list[Row]:
        at = self.pools
        dear, even, v3 = ("v2", at.v2_dear, A), ("v2", at.v2_even, WETH), at.v3
        two = await scene.legs(self.site, dear, even)
        three = await scene.legs(self.site, dear, ("v2", at.v2_ab, B), ("v2", at.v2_b, WETH))
        into_v3 = await scene.legs(self.site, dear, ("v3", v3, WETH))
        from_v3 = await scene.legs(self.site, ("v3", v3, A), even)
        rows = [
            Row("A2", Way.OWN, two),
            Row("B3", Way.OWN, three),
            Row("C23", Way.NESTED, into_v3),
            Row("C32", Way.NESTED, from_v3),
            Row("FS-last 2", Way.FLASH_LAST, two),
            Row("FS-last 3", Way.FLASH_LAST, three),
            Row("FS-first 2", Way.FLASH_FIRST, two),
            Row("FS-first 3", Way.FLASH_FIRST, three),
        ]
        return rows + [Row(name, Way.LOAN, two, loan) for name, loan in loans.items()]

    async def _snapshot(self, to: str, code: bytes | None) -> str:
        snapshot: str = await self.node.rpc.call("evm_snapshot")
        if code is not None:
            await self.node.rpc.call("anvil_setCode", to, to_hex(code))
        return snapshot

    def _request(self, to: str, data: bytes, sender: str | None) -> dict[str, Any]:
        fields = {"gas": hex(GAS), "gasPrice": hex(GAS_PRICE), "data": to_hex(data)}
        return {"from": sender or self.sender, "to": to, **fields}


def _variants(rows: dict[str, Row]) -> list[Row]:
    made = []
    for row in rows.values():
        if row.loan is None:
            continue
        if row.loan.lender in (Lender.MORPHO, Lender.AAVE):
            made.append(replace(row, name=f"{row.name}, approving", loan=replace(row.loan, approving=True)))
        if row.loan.lender in (Lender.V4, Lender.V3):
            made.append(replace(row, name=f"{row.name}, direct", loan=replace(row.loan, direct=True)))
    return made
