"""What is said of a launched token: reasons with their evidence, and the verdict and score that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """TRAP: money that goes in does not come out again. RISKY: it does now, and somebody can change that, or part of it
    is kept. SAFE: everything that was tried went as with an ordinary token. UNKNOWN: it could not be tried."""

    SAFE = "safe"
    RISKY = "risky"
    TRAP = "trap"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """From what decides alone to what is only told. GAP: something that could not be tried."""

    TRAP = "trap"
    HIGH = "high"
    MEDIUM = "medium"
    GAP = "gap"
    INFO = "info"


COSTS = {Severity.TRAP: 100, Severity.HIGH: 40, Severity.MEDIUM: 15, Severity.GAP: 5, Severity.INFO: 0}
"""What a reason takes off a score of 100."""


@dataclass(frozen=True, slots=True)
class Reason:
    """``code`` for programs, ``text`` for people; ``evidence`` is which call, when and at which size, gave what."""

    severity: Severity
    code: str
    text: str
    evidence: str


@dataclass(slots=True)
class Findings:
    """Reasons as they are found, one of a code: the worst, and of equals the first. ``gaps`` decide for UNKNOWN."""

    _by_code: dict[str, Reason] = field(default_factory=dict)

    def add(self, severity: Severity, code: str, text: str, evidence: str) -> None:
        known = self._by_code.get(code)
        if known is None or COSTS[severity] > COSTS[known.severity]:
            self._by_code[code] = Reason(severity, code, text, evidence)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The worst first."""
        return tuple(sorted(self._by_code.values(), key=lambda reason: -COSTS[reason.severity]))

    @property
    def trapped(self) -> bool:
        return any(reason.severity is Severity.TRAP for reason in self._by_code.values())


@dataclass(frozen=True, slots=True)
class Taxes:
    """Basis points kept at an ordinary size, rounded up; None where it was not measured."""

    buy: int | None = None
    sell: int | None = None
    transfer: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A token in a pool, as of a block. ``simulations`` are the simulate calls that it took."""

    token: str
    symbol: str
    pool: str
    protocol: str
    base: str
    block: int
    taxes: Taxes
    reasons: tuple[Reason, ...]
    simulations: int = 0

    @property
    def verdict(self) -> Verdict:
        worst = {reason.severity for reason in self.reasons}
        if Severity.TRAP in worst:
            return Verdict.TRAP
        if Severity.GAP in worst:
            return Verdict.UNKNOWN
        return Verdict.RISKY if worst & {Severity.HIGH, Severity.MEDIUM} else Verdict.SAFE

    @property
    def score(self) -> int:
        """0 to 100, more is better; of an unknown token at most half."""
        left = max(0, 100 - sum(COSTS[reason.severity] for reason in self.reasons))
        return min(left, 50) if self.verdict is Verdict.UNKNOWN else left

    def json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "token": self.token,
            "symbol": self.symbol,
            "pool": self.pool,
            "protocol": self.protocol,
            "base": self.base,
            "block": self.block,
            "verdict": str(self.verdict),
            "score": self.score,
            "tax_bps": {"buy": self.taxes.buy, "sell": self.taxes.sell, "transfer": self.taxes.transfer},
            "reasons": [
                {"severity": str(one.severity), "code": one.code, "text": one.text, "evidence": one.evidence}
                for one in self.reasons
            ],
            "simulations": self.simulations,
        }
