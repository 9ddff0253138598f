"""One block of a node, each question asked once: what anvil forks from when a fork is to be pinned, cached or recorded.

It runs in this process, beside anvil; pyrevm, which holds the GIL while it reads, must not read from it in the same
process. The node's URL stays in here: anvil's command line, which everybody on the machine can read, does not have it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from bot.errors import UserError
from bot.jsonrpc import JsonRpc, RpcError, RpcUnreachable
from bot.simulation.cassette_server import UNKNOWN
from bot.simulation.fork_cache import ForkCache
from bot.simulation.server_process import listen

UNREACHABLE, INTERNAL, NO_METHOD = -32001, -32603, -32601
QUESTIONS = (
    *("eth_get", "eth_call", "eth_createAccessList", "eth_estimateGas", "eth_feeHistory", "eth_maxPriorityFeePerGas"),
    *("eth_blobBaseFee", "eth_simulateV1", "debug_trace", "trace_", "web3_clientVersion"),
)
"""How methods begin that only ask: a fork sends nothing to the chain that it is a fork of."""
BY_HASH = ("eth_getBlockByHash", "eth_getTransactionByHash", "eth_getTransactionReceipt")
"""What comes after the pinned block would be found by these: but a fork must not know its future."""
HEAD_TAGS = ("latest", "pending", "safe", "finalized")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Pin:
    """The block whose state is served. ``header`` is as eth_getBlockByNumber gives it."""

    chain_id: int
    number: int
    hash: str
    header: dict[str, Any]


class Account(msgspec.Struct, frozen=True):
    """At the pinned block, quantities as 0x strings; ``code`` is None where only that is not known."""

    balance: str
    nonce: str
    code: str | None


async def pin(node: JsonRpc, block: int | str = "latest") -> Pin:
    """Raises UserError where the node does not have the block, RpcError, RpcUnreachable."""
    wanted = block if isinstance(block, str) else hex(block)
    header = await node.call("eth_getBlockByNumber", wanted, False)
    if header is None:
        raise UserError(f"the node has no block {block}: ask for one up to its head, or another node")
    chain_id = int(await node.call("eth_chainId"), 16)
    return Pin(chain_id, int(header["number"], 16), header["hash"], header)


class PinnedNode:
    """Answers as a node whose head is ``pin``. State is asked for by the block's hash, so that no reorganisation mixes
    two chains; a node that knows only numbers gets the number. ``asked`` counts questions that went to the node,
    ``refused`` is the first error that it gave to whoever forks from here.

    ``unmodified`` says that only the block behind the pinned one will run: where a cassette's server holds an account
    but not its code, that block ran none of it, and the account is answered as one without code.
    """

    def __init__(self, node: JsonRpc, at: Pin, cache: ForkCache | None = None, *, unmodified: bool = False) -> None:
        self.pin, self.asked, self.refused = at, 0, ""
        self.accounts: dict[str, Account] = {}
        self.slots: dict[tuple[str, int], int] = {}
        self.hashes: dict[int, str] = {at.number: at.hash}
        self._node, self._cache, self._unmodified = node, cache, unmodified
        self._by: Any = None
        self._under_way: dict[str, asyncio.Task[Any]] = {}
        self._methods: dict[str, Callable[..., Awaitable[Any]]] = {
            "eth_getBalance": self._balance,
            "eth_getTransactionCount": self._nonce,
            "eth_getCode": self._code,
            "eth_getAccountInfo": self._info,
            "eth_getStorageAt": self._storage,
            "eth_getBlockByNumber": self._block,
        }
        self._constants = {
            "eth_chainId": hex(at.chain_id),
            "net_version": str(at.chain_id),
            "eth_blockNumber": hex(at.number),
            "eth_gasPrice": at.header.get("baseFeePerGas", "0x0"),
        }

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Its URL on loopback, for as long as the block runs."""
        server = await listen(self.answer)
        try:
            host, port = server.sockets[0].getsockname()[:2]
            yield f"http://{host}:{port}"
        finally:
            server.close()

    async def answer(self, body: bytes) -> bytes:
        """The answer to the body of a request, or of a batch."""
        try:
            request = _decode(body)
        except msgspec.DecodeError:
            request = {}
        if isinstance(request, list):
            return _encode(await asyncio.gather(*map(self._one, request)))
        return _encode(await self._one(request))

    async def account(self, address: str) -> Account:
        """Raises RpcError, RpcUnreachable."""
        await self._once(address, lambda: self.read([address], ()))
        return self.accounts[address]

    async def slot(self, address: str, slot: int) -> int:
        """Raises RpcError, RpcUnreachable."""
        await self._once(f"{address}:{slot:x}", lambda: self.read((), [(address, slot)]))
        return self.slots[address, slot]

    async def read(
        self, addresses: Iterable[str], slots: Iterable[tuple[str, int]], *, lenient: bool = False
    ) -> list[str]:
        """Reads what is not known yet, in one go. Raises RpcError, RpcUnreachable; ``lenient``: gives the names of what
        the node refused to tell instead."""
        wanted = [address for address in dict.fromkeys(addresses) if not self._known_account(address)]
        places = [place for place in dict.fromkeys(slots) if not self._known_slot(*place)]
        if not wanted and not places:
            return []
        at = await self._at()
        calls: list[tuple[str, Sequence[Any]]] = []
        for address in wanted:
            calls += [(name, (address, at)) for name in ("eth_getBalance", "eth_getTransactionCount", "eth_getCode")]
        calls += [("eth_getStorageAt", (address, f"0x{slot:064x}", at)) for address, slot in places]
        self.asked += len(calls)
        answers = await self._node.batch(calls)
        refused: list[str] = []
        for index, address in enumerate(wanted):
            self._take_account(address, answers[3 * index : 3 * index + 3], refused if lenient else None)
        for (address, slot), answer in zip(places, answers[3 * len(wanted) :], strict=True):
            if isinstance(answer, RpcError):
                if not lenient:
                    raise answer
                refused.append(f"slot 0x{slot:x} of {address}")
                continue
            self.slots[address, slot] = int(answer, 16)
            self._keep(f"slot {address} {slot:x}", answer)
        return refused

    async def read_hashes(self) -> None:
        """Those between the oldest that was asked for and the pinned block's: together they are a chain."""
        lacking = [number for number in range(min(self.hashes), self.pin.number) if number not in self.hashes]
        if lacking:
            self.asked += len(lacking)
            for answer in await self._node.batch(
                [("eth_getBlockByNumber", (hex(number), False)) for number in lacking]
            ):
                if isinstance(answer, RpcError):
                    raise answer
                self.hashes[int(answer["number"], 16)] = answer["hash"]

    # --- what is known ------------------------------------------------------------------------------------------------

    def _known_account(self, address: str) -> bool:
        if address not in self.accounts and (kept := self._kept(f"account {address}")) is not None:
            self.accounts[address] = msgspec.json.decode(kept, type=Account)
        return address in self.accounts

    def _known_slot(self, address: str, slot: int) -> bool:
        if (address, slot) not in self.slots and (kept := self._kept(f"slot {address} {slot:x}")) is not None:
            self.slots[address, slot] = int(kept, 16)
        return (address, slot) in self.slots

    def _take_account(self, address: str, answers: Sequence[Any], refused: list[str] | None) -> None:
        balance, nonce, code = answers
        held = not isinstance(balance, RpcError)
        if self._unmodified and held and isinstance(code, RpcError) and code.code == UNKNOWN:
            code = None
        for answer in (balance, nonce, code):
            if isinstance(answer, RpcError):
                if refused is None:
                    raise answer
                refused.append(f"account {address}")
                return
        self.accounts[address] = account = Account(balance, nonce, code)
        self._keep(f"account {address}", _encode(account).decode())

    def _kept(self, question: str) -> str | None:
        return None if self._cache is None else self._cache.get(question)

    def _keep(self, question: str, answer: str) -> None:
        if self._cache is not None:
            self._cache.put(question, answer)

    async def _once(self, question: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Who asks while the same is asked waits for that answer."""
        task = self._under_way.get(question)
        if task is None:
            task = self._under_way[question] = asyncio.ensure_future(ask())
            task.add_done_callback(lambda _: self._under_way.pop(question, None))
        return await asyncio.shield(task)

    async def _at(self) -> Any:
        """The pinned block as the node takes it: by EIP-1898 if it knows that."""
        if self._by is None:
            self._by = await self._once("how", self._try_hash)
        return self._by

    async def _try_hash(self) -> Any:
        by_hash = {"blockHash": self.pin.hash}
        self.asked += 1
        try:
            await self._node.call("eth_getBalance", self.pin.header["miner"], by_hash)
        except RpcError as error:
            return by_hash if error.code == UNKNOWN else hex(self.pin.number)
        return by_hash

    # --- methods ------------------------------------------------------------------------------------------------------

    async def _one(self, request: Any) -> dict[str, Any]:
        request = request if isinstance(request, dict) else {}
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request.get("id")}
        name, params = str(request.get("method")), request.get("params") or []
        try:
            if name in self._constants:
                return answer | {"result": self._constants[name]}
            method = self._methods.get(name)
            return answer | {"result": await (method(*params) if method else self._pass_on(name, *params))}
        except RpcError as error:
            code, message = error.code, error.message
        except RpcUnreachable as error:
            code, message = UNREACHABLE, f"the node does not answer: {error}"
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            code, message = INTERNAL, f"{name}: {type(error).__name__}: {error}"
        self.refused = self.refused or message
        return answer | {"error": {"code": code, "message": message}}

    async def _pass_on(self, name: str, *params: Any) -> Any:
        if not name.startswith(QUESTIONS):
            raise RpcError(name, NO_METHOD, f"{name} is no question: nothing else is passed on to the node")
        self.asked += 1
        found = await self._node.call(name, *params)
        if name in BY_HASH and found is not None:
            number = found["number"] if "number" in found else found["blockNumber"]
            if number is None or int(number, 16) > self.pin.number:
                return None
        return found

    def _pinned(self, block: Any) -> bool:
        return block in HEAD_TAGS or (isinstance(block, str) and int(block, 16) == self.pin.number)

    async def _of_account(self, name: str, field: str, address: str, block: Any) -> Any:
        if not self._pinned(block):
            return await self._pass_on(name, address, block)
        return getattr(await self.account(address.lower()), field)

    async def _balance(self, address: str, block: Any = "latest") -> Any:
        return await self._of_account("eth_getBalance", "balance", address, block)

    async def _nonce(self, address: str, block: Any = "latest") -> Any:
        return await self._of_account("eth_getTransactionCount", "nonce", address, block)

    async def _code(self, address: str, block: Any = "latest") -> Any:
        code = await self._of_account("eth_getCode", "code", address, block)
        return "0x" if code is None else code

    async def _info(self, address: str, block: Any = "latest") -> dict[str, Any]:
        """Anvil's three questions in one."""
        balance, nonce = await self._balance(address, block), await self._nonce(address, block)
        return {"balance": balance, "nonce": nonce, "code": await self._code(address, block)}

    async def _storage(self, address: str, slot: str, block: Any = "latest") -> Any:
        if not self._pinned(block):
            return await self._pass_on("eth_getStorageAt", address, slot, block)
        return f"0x{await self.slot(address.lower(), int(slot, 16)):064x}"

    async def _block(self, block: Any, full: bool = False) -> Any:
        """Blocks up to the pinned one never change; what comes after it does not exist here."""
        number = self.pin.number if block in HEAD_TAGS else 0 if block == "earliest" else int(block, 16)
        if number > self.pin.number:
            return None
        if number == self.pin.number and not full:
            return self.pin.header
        question = f"block {number} {full}"
        if (kept := self._kept(question)) is not None:
            found = _decode(kept)
        else:
            found = await self._once(question, lambda: self._pass_on("eth_getBlockByNumber", hex(number), full))
            if found is not None:
                self._keep(question, _encode(found).decode())
        if found is not None:
            self.hashes[number] = found["hash"]
        return found
