"""A program's steps run on nothing but balances: each must be payable at the moment when it runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from bot.engine.types import Hop, Swap
from bot.execution import steps as s

ETH = "0x" + "00" * 20
EXECUTOR = "executor"


class StepLedger:
    """Balances by account and token, none ever below nothing. The pools are those of ``swaps``: each gives what it is
    said to, once, for no less than it is said to take. ``weth`` is what steps without a token spend."""

    def __init__(self, swaps: Iterable[Swap], weth: str, lent: str, fee: int = 0) -> None:
        self._swaps = {swap.hop.pool: swap for swap in swaps}
        self._weth, self._lent, self._fee = weth, lent, fee
        self.held: dict[tuple[str, str], int] = defaultdict(int)
        self.done: list[str] = []
        self._debts: list[dict[str, int]] = []  # with a v4 manager, one an unlock
        self._managers: list[str] = []

    def run(self, steps: Sequence[s.Step], caller: str | None = None) -> None:
        for at, step in enumerate(steps):
            self._step(step, caller, steps[at + 1] if at + 1 < len(steps) else None)

    # --- moves -------------------------------------------------------------------------------------------------------

    def _move(self, token: str | None, source: str, to: str, amount: int) -> None:
        name = token or self._weth
        self._take(name, source, amount)
        self.held[to, name] += amount

    def _take(self, token: str, source: str, amount: int) -> None:
        self.held[source, token] -= amount
        assert self.held[source, token] >= 0, f"{source} is short of {token}"

    def _use(self, pool: str, kind: str) -> Swap:
        """A pool's one swap."""
        swap = self._swaps[pool]
        assert swap.hop.kind == kind and pool not in self.done
        self.done.append(pool)
        return swap

    def _give(self, swap: Swap, to: str) -> None:
        self.held[to, swap.hop.token_out] += swap.amount_out

    def _through(self, swap: Swap, amount: int) -> None:
        """Pulls the input from the executor and pays it."""
        assert amount == swap.amount_in
        self._take(swap.hop.token_in, EXECUTOR, amount)
        self._give(swap, EXECUTOR)

    # --- steps -------------------------------------------------------------------------------------------------------

    def _step(self, step: s.Step, caller: str | None, following: s.Step | None) -> None:
        match step:
            case s.V2Chain():
                self._chain(step, caller)
            case s.V3Swap(pool, _, amount, recipient, nested):
                swap = self._use(pool, "v3")
                assert amount == swap.amount_in
                to = {s.Recipient.EXECUTOR: EXECUTOR, s.Recipient.CALLER: caller}.get(recipient)
                if recipient is s.Recipient.NESTED_POOL:
                    to = _first(nested[0])
                elif recipient is s.Recipient.NEXT_POOL:
                    to = _first(following)
                assert to is not None
                self._give(swap, to)
                self.run(nested, pool)
                self._paid(swap)
            case s.V2Flash(pool, _, amount, nested) if pool in self._swaps:
                swap = self._use(pool, "v2")
                assert amount == swap.amount_out
                self._give(swap, EXECUTOR)
                self.run(nested, pool)
                self._paid(swap)
            case s.V4Unlock(manager, nested):
                self._debts.append(defaultdict(int))
                self._managers.append(manager)
                self.run(nested, manager)
                self._managers.pop()
                assert not any(self._debts.pop().values()), "the manager is owed, or owes"
            case s.V4Swap():
                self._v4(step)
            case s.V4Take(amount, currency, None):
                self._debts[-1][currency or self._weth] -= amount
                self.held[EXECUTOR, currency or self._weth] += amount
            case s.V4Settle(amount, token):
                self._take(token or self._weth, EXECUTOR, amount)
                self._debts[-1][token or self._weth] += amount
            case s.CurveSwap(pool, _, _, amount, least, token):
                swap = self._use(pool, "curve")
                assert (least, token or self._weth) == (swap.amount_out, swap.hop.token_in)
                self._through(swap, amount)
            case s.BalancerSwap(vault, pool, rest, _, amount, least, token):
                swap = self._use(pool + rest.hex(), "balancer")
                assert (least, token or self._weth, vault) == (swap.amount_out, swap.hop.token_in, swap.hop.terms[0])
                self._through(swap, amount)
            case s.VaultDeposit(vault, amount) | s.VaultRedeem(vault, amount):
                swap = self._use(vault, "vault")
                assert swap.hop.terms == (("in",) if isinstance(step, s.VaultDeposit) else ("out",))
                self._through(swap, amount)
            case s.Wrap(amount):
                self._wrapper(amount, "in")
            case s.Unwrap(amount):
                self._wrapper(amount, "out")
            case s.Pay(amount, token, to):
                target = to or caller
                assert target is not None
                self._move(token, EXECUTOR, target, amount)
            case s.Loan(kind, lender, amount, nested, token, owed):
                self.held[EXECUTOR, token or self._weth] += amount
                self.run(nested, lender)
                if kind is not s.Lender.BALANCER_V2:  # they pull
                    self._move(token, EXECUTOR, lender, amount if owed is None else owed)
                self._repaid(lender, token, amount)
            case s.V3Flash(lender, _, amount, nested) | s.V2Flash(lender, _, amount, nested):
                self.held[EXECUTOR, self._lent] += amount
                self.run(nested, lender)
                self._repaid(lender, self._lent, amount)
            case _:
                raise AssertionError(f"no plan has {step}")

    def _chain(self, step: s.V2Chain, caller: str | None) -> None:
        if step.pay is not None:
            self._move(step.token, EXECUTOR, step.hops[0].pool, step.pay)
        for at, hop in enumerate(step.hops):
            swap = self._use(hop.pool, "v2")
            assert hop.amount_out == swap.amount_out
            self._paid(swap)
            last = at == len(step.hops) - 1
            to = (caller if step.to_caller else EXECUTOR) if last else step.hops[at + 1].pool
            assert to is not None
            self._give(swap, to)

    def _paid(self, swap: Swap) -> None:
        """A pool has its input."""
        self._take(swap.hop.token_in, swap.hop.pool, swap.amount_in)
        assert not self.held[swap.hop.pool, swap.hop.token_in], "more than the pool wants"

    def _repaid(self, lender: str, token: str | None, amount: int) -> None:
        self._take(token or self._weth, lender, amount + self._fee)
        assert not self.held[lender, token or self._weth]

    def _v4(self, step: s.V4Swap) -> None:
        at = [step.currency0, step.currency1][:: 1 if step.zero_for_one else -1]
        (swap,) = (
            swap
            for pool, swap in self._swaps.items()
            if pool not in self.done and swap.hop.kind == "v4" and [swap.hop.token_in, swap.hop.token_out] == at
        )
        assert (step.amount, self._managers[-1]) == (swap.amount_in, swap.hop.terms[0])
        self.done.append(swap.hop.pool)
        self._debts[-1][swap.hop.token_in] -= swap.amount_in
        self._debts[-1][swap.hop.token_out] += swap.amount_out

    def _wrapper(self, amount: int, way: str) -> None:
        swap = next(each for each in self._swaps.values() if each.hop.kind == "weth" and each.hop.terms == (way,))
        self._use(swap.hop.pool, "weth")
        self._through(swap, amount)


def _first(step: s.Step | None) -> str:
    assert isinstance(step, s.V2Chain) and step.pay is None
    return step.hops[0].pool


def hop_of(number: int, kind: str, token_in: str, token_out: str, weth: str) -> Hop:
    """One of any kind through a pool of that number."""
    pool = "0x" + f"{0xA000 + number:040x}"
    terms: dict[str, tuple[int | str, ...]] = {
        "v4": ("0x" + f"{0xB000 + number % 2:040x}", 3_000, 60, ETH),
        "curve": (number % 2, number % 3, 3),
        "balancer": ("0x" + "ba" * 20,),
        "vault": ("in" if number % 2 else "out",),
        "weth": ("in" if token_out == weth else "out",),
    }
    suffix = "00" * 12 if kind in ("balancer", "v4") else ""
    return Hop(pool + suffix, kind, token_in, token_out, terms.get(kind, ()))
