"""Values that cost little to make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[_T]) -> type[_T]:
    """A dataclass with slots that the type checker holds to be frozen. At run time it is not: ``frozen=True`` makes
    an instance of eleven fields cost 1,550 ns instead of 190, and every log that moves a pool makes one."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
