"""What a benchmark gives: ours beside a peer."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Result:
    """A figure of ours and the peer's, in ``unit``; less is better. ``ratio`` is the peer's over ours, ``goal`` what
    ours should not be above, ``ahead`` what the ratio should not be below. ``checked``: both gave the same answer.
    ``details`` are figures that belong to it."""

    bench: str
    name: str
    value: float
    unit: str
    peer: str
    peer_value: float
    checked: bool
    goal: float | None = None
    ahead: float | None = None
    details: dict[str, float] = field(default_factory=dict)
    ratio: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratio", self.peer_value / self.value)

    @property
    def reached(self) -> bool:
        """Its goals."""
        return (self.goal is None or self.value <= self.goal) and (self.ahead is None or self.ratio >= self.ahead)
