"""An EVM in this process (pyrevm) on the lazily read state of a node: what the hot path simulates with.

How pyrevm 0.3.7 works decides how it is used here (its src/evm.rs, src/executor.rs; revm 8.0.0, journaled_state.rs):

- An account or slot counts as warm as long as the journal holds it, and nothing ever finalises the journal. So every
  run stands between snapshot and revert, which empties it again; then the first call's gas is a transaction's, to
  the unit. A later call of the same run sees the earlier ones' state, but finds warm what they touched: its
  ``gas_used`` is a lower bound, and a node's eth_simulateV1 has to say the rest (bot.simulation.node).
- Writes go below the journal, into the database: there they are cold, as after a block. A write to an account which
  the journal holds would stay in the journal; only coinbases are held for good.
- ``message_call`` neither bumps the nonce nor takes the fee; we do, behind the call. BASEFEE reads 0 (so that a
  contract which meters gas by it comes out differently) and GASLIMIT what the constructor was given.
- Raw code is analysed at every call; code that was deployed is stored analysed. So code passes once through a
  deployment in a scratch EVM.
- An access list given to pyrevm would stay warm for ever. So its entries are read within the run, which warms them
  until it is rolled back, and what they cost is added.
- It holds the GIL, also while it reads from the node: never fork from a server in the same process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pyrevm

from bot.abi import keccak
from bot.engine.types import AccountDiff, Log, StateDiff
from bot.simulation.rules import SPECS, Doubt, doubts, floor_gas, list_gas, refusal
from bot.simulation.state import absorb
from bot.simulation.types import BlockContext, Call, CallResult, UnrecordedState

GAS_LIMIT = 60_000_000
SENDER_HAS_CODE = "RejectCallerWithCode"
REFUND_SHARE = 5  # of the gas, at most (EIP-3529)

ANALYSIS_PADDING = 33  # zero bytes behind analysed code (revm-interpreter 4.0.0, analysis.rs)

_REVERT_OUTPUT = re.compile(r"output: 0x([0-9a-fA-F]*)")
_SERVER_MESSAGE = re.compile(r'message: "?(.*?)"?, data')
_HALT_REASON = re.compile(r"reason: (.*?), gas_used")


class ForkEvm:
    """The state of the node at ``url`` after ``block``, and whatever ``apply`` put on top. By its number that is the
    block at that height when the state is read, by its hash no other, be the chain reorganised or another node asked.

    Raises UnrecordedState when the node cannot give a piece of state; the EVM stays usable. ``gas_limit`` is the
    block's, also the most a call may ask for. ``hardfork`` is the chain's, by anvil's name: where it is newer than
    Cancun, the rules that pyrevm does not know show as doubts (bot.simulation.rules).
    """

    def __init__(
        self,
        url: str,
        block: int | str,
        *,
        chain_id: int = 1,
        gas_limit: int = GAS_LIMIT,
        hardfork: str = "cancun",
    ) -> None:
        self._url, self._at = url, block if isinstance(block, str) else hex(block)
        self._chain_id, self._gas_limit, self._hardfork = chain_id, gas_limit, hardfork
        self._applied: StateDiff = {}
        self._open()

    def _open(self) -> None:
        self._evm = pyrevm.EVM(
            env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=self._chain_id)),
            fork_url=self._url,
            fork_block=self._at,
            gas_limit=self._gas_limit,
            spec_id=SPECS[self._hardfork],
        )
        self._block: BlockContext | None = None
        self._ready: set[str] = set()  # accounts whose code is analysed
        self._codes: set[bytes] = set()  # hashes of the codes in the database
        self._coinbases: set[str] = set()

    # --- state --------------------------------------------------------------------------------------------------------

    def apply(self, diff: StateDiff) -> None:
        """Makes ``diff`` part of the state: how the EVM follows the head.

        An account whose balance, nonce and code are all given is written without being read from the node.
        """
        absorb(self._applied, diff)
        self._write(diff)

    def prefetch(self, addresses: Iterable[str]) -> None:
        """Reads accounts from the node and analyses their code, so that the first run finds them ready."""
        for address in addresses:
            if address not in self._ready and address not in self._coinbases:
                self._write_account(address, AccountDiff())

    def storage(self, address: str, slot: int) -> int:
        """Value of a storage slot."""
        with self._rolled_back():
            return int(self._evm.storage(address, slot))

    def balance(self, address: str) -> int:
        """Wei that an account holds."""
        return int(self._read(address).balance)

    def nonce(self, address: str) -> int:
        """Number of the next transaction of an account."""
        return int(self._read(address).nonce)

    def _read(self, address: str) -> pyrevm.AccountInfo:
        with self._rolled_back():
            return self._evm.basic(address)

    def _write(self, diff: StateDiff) -> None:
        for address, change in diff.items():
            if change.balance is not None or change.nonce is not None or change.code is not None:
                self._write_account(address, change)
            for slot, value in change.slots.items():
                self._write_slot(address, slot, value)

    def _write_account(self, address: str, change: AccountDiff) -> None:
        balance, nonce, code = change.balance, change.nonce, change.code
        code_hash = None if code is None else keccak(code)
        if balance is None or nonce is None or code_hash is None:
            info = self._read(address)
            balance = info.balance if balance is None else balance
            nonce = info.nonce if nonce is None else nonce
            if code_hash is None:
                code, code_hash = info.code or b"", info.code_hash or keccak(b"")
        assert code is not None
        if address in self._coinbases:  # the journal holds it, and takes no code by its hash
            self._evm.insert_account_info(address, _info(balance, nonce, None, _bare(code, code_hash)))
            return
        if code and code_hash not in self._codes:
            self._evm.insert_account_info(address, _analysed(_bare(code, code_hash)))
            self._codes.add(code_hash)
        self._evm.insert_account_info(address, _info(balance, nonce, code_hash, None))
        self._ready.add(address)

    def _write_slot(self, address: str, slot: int, value: int) -> None:
        if address in self._coinbases:  # the journal holds it: rolling back would undo the write
            self._evm.insert_account_storage(address, slot, value)
            return
        with self._rolled_back():
            self._evm.insert_account_storage(address, slot, value)

    # --- execution ----------------------------------------------------------------------------------------------------

    def run(self, calls: Sequence[Call], block: BlockContext, *, doubtful: bool = False) -> list[CallResult]:
        """Runs ``calls`` as transactions one after the other, and rolls everything back.

        A call that cannot start (balance or gas limit too low) fails with gas 0 and says why. ``doubtful`` asks for
        the results' doubts, which takes some time. Raises UnrecordedState.
        """
        self._enter(block)
        evm = self._evm
        results: list[CallResult] = []
        touched: set[str] = set()
        coinbase = self._read(block.coinbase)
        try:
            with self._rolled_back():
                for place, call in enumerate(calls):
                    result = self._transact(call)
                    if doubtful:
                        result = self._doubted(call, result, place)
                    results.append(result)
                    if place < len(calls) - 1 and result.gas_used:
                        self._settle(call, result.gas_used, block)
                if not self._knows(calls, results):
                    touched = {address.lower() for address in evm.journal_state}
        finally:
            self._evm.insert_account_info(block.coinbase, coinbase)  # held by the journal: not rolled back
        if touched:
            self.prefetch(touched)
        return results

    def changes(
        self, call: Call, block: BlockContext, slots: Mapping[str, Iterable[int]]
    ) -> tuple[CallResult, StateDiff, frozenset[str]]:
        """Runs one call, rolls back, and tells what it changed (of storage, in the given slots of each account), and
        which accounts it touched.

        No fee is taken, and only a deployment counts up the sender's nonce. Raises as ``run``.
        """
        if call.to is None:
            call = replace(call, gas_price=0)
        self._enter(block)
        evm = self._evm
        coinbase = self._read(block.coinbase)
        after: dict[str, tuple[pyrevm.AccountInfo, dict[int, int]]] = {}
        try:
            with self._rolled_back():
                result = self._transact(call)
                for touched, info in evm.journal_state.items():
                    address = touched.lower()
                    after[address] = info, {slot: evm.storage(address, slot) for slot in slots.get(address, ())}
        finally:
            self._evm.insert_account_info(block.coinbase, coinbase)
        self.prefetch(after)
        diff: StateDiff = {}
        with self._rolled_back():
            for address, (info, values) in after.items():
                change = _difference(evm.basic(address), info)
                change.slots.update((slot, new) for slot, new in values.items() if evm.storage(address, slot) != new)
                if change != AccountDiff():
                    diff[address] = change
        return result, diff, frozenset(after)

    def _enter(self, block: BlockContext) -> None:
        if block == self._block:
            return
        self._coinbases.add(block.coinbase)
        self._evm.set_block_env(
            pyrevm.BlockEnv(
                number=block.number,
                coinbase=block.coinbase,
                timestamp=block.timestamp,
                prevrandao=bytes.fromhex(block.prev_randao[2:]),
                basefee=block.base_fee,
                gas_limit=block.gas_limit,
            )
        )
        self._block = block

    def _transact(self, call: Call) -> CallResult:
        refused = refusal(call, self._hardfork)
        if refused:
            return CallResult(False, 0, b"", (), refused)
        if not call.access_list:
            return self._floored(call, self._message(call))
        needed, listed = call.gas * call.gas_price + call.value, list_gas(call)
        if self._evm.basic(call.sender).balance < needed:
            return CallResult(False, 0, b"", (), f"the sender has less than the {needed} wei that it may cost")
        for address, slots in call.access_list:
            self._evm.basic(address)
            for slot in slots:
                self._evm.storage(address, slot)
        result = self._message(replace(call, gas=max(call.gas - listed, 0)))
        if result.gas_used:
            result = replace(result, gas_used=result.gas_used + listed)
        return self._floored(call, result)

    def _floored(self, call: Call, result: CallResult) -> CallResult:
        least = floor_gas(call, self._hardfork)
        return replace(result, gas_used=least) if 0 < result.gas_used < least else result

    def _doubted(self, call: Call, result: CallResult, place: int) -> CallResult:
        evm, last = self._evm, self._evm.result
        if not result.gas_used:  # nothing ran; newer rules let the sender have code that is another's
            return replace(result, doubts=(Doubt.DELEGATED,)) if SENDER_HAS_CODE in result.error else result
        found: list[str] = [Doubt.WARM] if place else []
        if call.access_list and result.success and last is not None and last.gas_refunded:
            before = result.gas_used - list_gas(call) + last.gas_refunded
            found += [Doubt.REFUND] if last.gas_refunded >= before // REFUND_SHARE else []
        if not result.success:
            found.append(Doubt.FAILED)  # reverting takes what was loaded out of the journal
        held = ((at, info.code_hash or b"", info.code or b"") for at, info in evm.journal_state.items())
        return replace(result, doubts=(*found, *doubts(held, self._hardfork)))

    def _message(self, call: Call) -> CallResult:
        evm = self._evm
        evm.reset_transient_storage()
        terms: Any = {"value": call.value, "gas": call.gas, "gas_price": call.gas_price}
        try:
            if call.to is None:
                created = evm.deploy(call.sender, call.data, **terms)
                output = _bare(evm.get_code(created) or b"", evm.basic(created).code_hash or b"")
            else:
                output = evm.message_call(call.sender, call.to, calldata=call.data, **terms)
        except RuntimeError as error:
            return self._failed(error)
        result = evm.result
        assert result is not None
        return CallResult(True, result.gas_used, output, tuple(_log(log) for log in result.logs))

    def _failed(self, error: RuntimeError) -> CallResult:
        """A revert and a halt have a result; a call that could not start, or missing state, has none."""
        text, result = str(error), self._evm.result
        if result is None:
            if text.startswith(("Transaction(", "Initial gas spend")):
                return CallResult(False, 0, b"", (), text)
            raise error
        if result.is_halt:
            reason = _HALT_REASON.search(text)
            return CallResult(False, result.gas_used, b"", (), reason.group(1) if reason else text)
        match = _REVERT_OUTPUT.search(text)
        output = bytes.fromhex(match.group(1)) if match else b""
        return CallResult(False, result.gas_used, output, (), "execution reverted")

    def _settle(self, call: Call, gas_used: int, block: BlockContext) -> None:
        """Nonce and fee, which pyrevm leaves to us; a deployment only burns no base fee."""
        evm = self._evm
        burnt = gas_used * min(block.base_fee, call.gas_price)
        if call.to is None:
            evm.set_balance(block.coinbase, evm.get_balance(block.coinbase) - burnt)
            return
        fee = gas_used * call.gas_price
        info = evm.basic(call.sender)
        evm.insert_account_info(call.sender, _info(info.balance - fee, info.nonce + 1, None, None))
        if fee > burnt:
            evm.set_balance(block.coinbase, evm.get_balance(block.coinbase) + fee - burnt)

    def _knows(self, calls: Sequence[Call], results: Sequence[CallResult]) -> bool:
        """Whether all that the run shows of itself is ready; where it is not, there may be more behind it."""
        ready = self._ready
        if any(call.to is not None and call.to not in ready for call in calls):
            return False
        return all(log.address in ready for result in results for log in result.logs)

    @contextmanager
    def _rolled_back(self) -> Iterator[None]:
        """Reverts at the end, and gives pyrevm's failures their meaning."""
        checkpoint = self._evm.snapshot()
        try:
            yield
        except RuntimeError as error:
            raise UnrecordedState(_message(error)) from None
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            # pyrevm panics where the node has no hash for BLOCKHASH, and has then lost its whole state.
            self._open()
            self._write(self._applied)
            raise UnrecordedState(f"pyrevm gave up: {error}") from None
        finally:
            if self._evm.journal_depth:
                self._evm.revert(checkpoint)
            while self._evm.journal_depth:  # a run that broke off for missing state leaves its frames open
                self._evm.commit()


def _info(balance: int, nonce: int, code_hash: bytes | None, code: bytes | None) -> pyrevm.AccountInfo:
    return pyrevm.AccountInfo(balance, nonce, code_hash, code)  # type: ignore[call-arg, arg-type]  # stub lags


def _difference(before: pyrevm.AccountInfo, after: pyrevm.AccountInfo) -> AccountDiff:
    changed = before.code_hash != after.code_hash
    return AccountDiff(
        balance=None if before.balance == after.balance else after.balance,
        nonce=None if before.nonce == after.nonce else after.nonce,
        code=_bare(after.code or b"", after.code_hash or b"") if changed else None,
    )


def _log(log: pyrevm.Log) -> Log:
    return Log(log.address.lower(), tuple(log.topics), log.data[1])


def _message(error: RuntimeError) -> str:
    """The server's words out of the nested debug text."""
    match = _SERVER_MESSAGE.search(str(error))
    return match.group(1) if match else str(error)


def _bare(code: bytes, code_hash: bytes) -> bytes:
    """Code without the padding that pyrevm shows where it is analysed."""
    return code if not code or keccak(code) == code_hash else code[:-ANALYSIS_PADDING]


@lru_cache(maxsize=1024)
def _analysed(code: bytes) -> pyrevm.AccountInfo:
    """An account with this code as revm keeps it after a deployment. What cannot be deployed (0xef…) stays raw."""
    scratch = pyrevm.EVM(env=pyrevm.Env(cfg=pyrevm.CfgEnv(limit_contract_code_size=2 * len(code))), spec_id="Cancun")
    # PUSH3 length, DUP1, PUSH1 11, PUSH0, CODECOPY, PUSH0, RETURN; then the code itself
    returner = b"\x62" + len(code).to_bytes(3, "big") + bytes.fromhex("80600b5f395ff3")
    try:
        return scratch.basic(scratch.deploy("0x" + "00" * 20, returner + code))
    except RuntimeError:
        return _info(0, 1, None, code)
