"""What a benchmark gives: ours beside a peer."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Result:
    """A figure of ours and the peer's, in ``unit``; less is better. ``ratio`` is the peer's over ours, ``goal`` what
    ours should not be above. ``checked``: both gave the same answer. ``details`` are figures that belong to it."""

    bench: str
    name: str
    value: int
    unit: str
    peer: str
    peer_value: int
    checked: bool
    goal: int | None = None
    details: dict[str, int] = field(default_factory=dict)
    ratio: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratio", self.peer_value / self.value)
