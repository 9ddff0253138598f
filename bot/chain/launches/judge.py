"""What is said of a trade in a trial: what it lost on its way, and whether it went as an ordinary one does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot import abi
from bot.chain.launches.probe import ALL, Fill
from bot.chain.launches.report import Findings, Severity, Taxes
from bot.chain.launches.scenes import Played, Scene, Stage

ROBBERY, HEAVY = 5_000, 1_000
"""Basis points of tax from which it is a trap, and from which it is grave."""
DEAR, BURNING = 600_000, 1_200_000
"""Gas of a sale: five and ten times the usual."""
COARSE = 1_000
"""Units of a token so few that parts of them may be none."""

Trial = tuple[Scene, Callable[[Played], None]]


@dataclass(frozen=True, slots=True)
class Sample:
    """An ordinary purchase, which all else is held against. ``amount`` is wei of the base, ``sold``
    half of it a block later, ``rest`` the other half."""

    amount: int
    bought: Fill
    sold: Fill
    rest: Fill

    @property
    def coarse(self) -> bool:
        """Whether it is so few units that parts of it may be none."""
        return self.bought.got < COARSE

    @property
    def sells(self) -> bool:
        return not self.sold.why and not self.rest.why


class Judge:
    """Of one token. ``findings`` gather, ``taxes`` are those of ordinary trades."""

    def __init__(self, stage: Stage, findings: Findings) -> None:
        self.stage, self.findings, self.taxes = stage, findings, Taxes()

    def received(self, where: str, fill: Fill) -> None:
        if fill.got <= 0:
            self.add(Severity.TRAP, "no-arrival", "buyers get nothing", f"{where}: the pool paid {fill.paid}")
        else:
            self.taxed("buy", where, fill.lost_out, f"{fill.got} of {fill.paid} arrive")

    def sold(self, where: str, fill: Fill) -> None:
        if fill.left <= 0 or (fill.left != fill.asked and self.pool_takes_all):
            text = "a sale takes other than what is sold"
            self.add(Severity.HIGH, "sale-amount", text, f"{where}: {fill.left} left for {fill.asked}")
        self.taxed("sell", where, fill.lost_in, f"{fill.came} of {fill.left} come to the pool")
        if fill.gas > DEAR:
            severity = Severity.TRAP if fill.gas > BURNING else Severity.MEDIUM
            self.add(severity, "gas", "selling burns gas", f"{where}: {fill.gas} gas")

    @property
    def pool_takes_all(self) -> bool:
        return self.stage.pool.protocol == "uniswap-v2"

    def taxed(self, kind: str, where: str, tax: int, evidence: str) -> None:
        if tax < 0:
            text = "more arrives than was moved: balances are not what they seem"
            self.add(Severity.HIGH, f"{kind}-more", text, f"{where}: {evidence}")
        elif tax:
            grave = Severity.HIGH if tax >= HEAVY else Severity.MEDIUM
            severity = Severity.TRAP if tax >= ROBBERY else grave
            words = {"buy": "buying", "sell": "selling", "transfer": "a transfer"}[kind]
            self.add(severity, f"{kind}-tax", f"{words} costs a tax", f"{where}: {evidence}, {tax} bps are lost")

    def resold(self, where: str, sample: Sample, fill: Fill, severity: Severity, code: str, text: str) -> None:
        """A sale that has to go as an ordinary one does."""
        if fill.failed or (fill.empty and not sample.coarse):
            self.add(severity, code, text, f"{where}: {fill.why}")
        elif not fill.why:
            grown = fill.lost_in - sample.sold.lost_in
            if grown > 1:
                worse = Severity.TRAP if fill.lost_in >= ROBBERY else Severity.HIGH
                evidence = f"{where}: {fill.lost_in} bps are lost, else {sample.sold.lost_in}"
                self.add(worse, f"{code}-tax", "its tax on sales does not stay what it is", evidence)
            self.sold(where, fill)

    def moved(self, amount: int, start: int | None, left: int | None, came: int | None, said: bytes) -> None:
        if came is None or left is None or start is None:
            self.add(Severity.TRAP, "balance", "balances cannot be asked", "after a transfer")
            return
        if len(said) >= abi.WORD and not abi.uint(said):
            evidence = f"false for {amount}, of which {came} arrive"
            self.add(Severity.HIGH, "returns-false", "a transfer returns false", evidence)
        tax = -((came - amount) * ALL // amount)
        if not came:
            self.add(Severity.TRAP, "no-transfer", "a transfer moves nothing", f"0 of {amount} arrive")
        else:
            self.taxed("transfer", "between accounts", tax, f"{came} of {amount} arrive")
        if self.taxes.transfer is None:
            self.taxes = Taxes(self.taxes.buy, self.taxes.sell, tax)
        if start and start - left != amount:
            evidence = f"{start - left} for {amount}"
            self.add(Severity.HIGH, "transfer-amount", "a transfer takes other than what is moved", evidence)

    def pair(
        self, sample: Sample, scene: Scene, bought: int, sold: int, how: str, severity: Severity, code: str, text: str
    ) -> Trial:
        def judge(played: Played) -> None:
            first = played.fill(bought)
            if first.failed:
                self.add(severity, code, text, f"bought {how}: {first.why}")
            elif not first.why:
                self.received(how, first)
                self.resold(how, sample, played.fill(sold), severity, code, text)

        return scene, judge

    def judge_round(self, at: int) -> Callable[[Played], None]:
        def judge(played: Played) -> None:
            bought, *sold = played.fills(at)
            if bought.failed or not sold:
                text = "it cannot be bought and sold in one transaction"
                self.add(Severity.MEDIUM, "one-transaction", text, f"by a contract: {bought.why}")

        return judge

    def judge_all(
        self, sample: Sample, places: list[tuple[str, int, int]], code: str, text: str
    ) -> Callable[[Played], None]:
        def judge(played: Played) -> None:
            for words, bought, sold in places:
                fill = played.fill(bought)
                if fill.failed:
                    self.add(Severity.MEDIUM, f"{code}-buy", "it cannot be bought again", f"{words}: {fill.why}")
                elif not fill.why:
                    self.resold(f"{words}, sold", sample, played.fill(sold), Severity.TRAP, code, text)

        return judge

    def add(self, severity: Severity, code: str, text: str, evidence: str) -> None:
        self.findings.add(severity, code, text, evidence)
