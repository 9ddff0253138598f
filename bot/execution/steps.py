"""The executor's programs, typed (grammar: contracts/libraries/Program.sol).

Amounts are wei of the token they are in, shares basis points. A ``token`` that a step spends is WETH where it is None,
which needs no bytes; a ``to`` of None is named at the step. "The caller" is the pool or lender in whose callback a
step runs. ``bot.execution.codec`` makes bytes of programs, ``bot.execution.words`` words, ``bot.execution.program``
programs of a trade.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Literal

# --- choices ---------------------------------------------------------------------------------------------------------


class Recipient(IntEnum):
    """Whom a v3 swap sends its output to."""

    EXECUTOR = 0x00
    CALLER = 0x08
    NESTED_POOL = 0x10  # the first pool of its first nested step, a V2Chain
    NEXT_POOL = 0x18  # the first pool of the step behind it, a V2Chain


class Lender(StrEnum):
    """Who lends, by interface."""

    MORPHO = "morpho"  # pulls the amount back
    BALANCER_V2 = "balancer_v2"  # is paid back
    AAVE_V3 = "aave_v3"  # pulls what is owed
    ERC3156 = "erc3156"  # pulls what is owed
    V4 = "v4"  # Uniswap v4's manager; is paid back
    V3 = "v3"  # the flash loan of a v3 pool, which the trade itself does not use; is paid back
    V2 = "v2"  # the flash swap of such a pair; is paid back


LoanKind = Literal[Lender.MORPHO, Lender.BALANCER_V2, Lender.AAVE_V3, Lender.ERC3156]
"""Lenders with a step of the kind Loan."""


class CurveKind(IntEnum):
    """Which ``exchange`` of a Curve pool."""

    PLAIN = 0  # int128 indices of coins
    CRYPTO = 1  # uint256 indices
    RECEIVED = 2  # what goes in has been sent to the pool
    ETH_IN = 3  # WETH's coin, as ETH
    ETH_OUT = 4


# --- swaps -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class V2Hop:
    """One pair of a chain and what exactly comes out of it."""

    pool: str
    zero_for_one: bool
    amount_out: int


@dataclass(frozen=True, slots=True)
class V2Chain:
    """Swaps through 1 to 4 pairs, each sending to the next, the last to the executor or the caller.

    ``pay`` of ``token`` goes to the first pair before; without it that pair has been paid already.
    """

    hops: tuple[V2Hop, ...]
    to_caller: bool = False
    pay: int | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class V3Swap:
    """Swaps exactly ``amount`` in; the output comes first, then ``nested`` runs and must pay the input."""

    pool: str
    zero_for_one: bool
    amount: int
    recipient: Recipient
    nested: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class V2Flash:
    """Takes exactly ``amount`` out of a pair into the executor; then ``nested`` runs and must pay the input."""

    pool: str
    zero_for_one: bool
    amount: int
    nested: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class V4Unlock:
    """Has Uniswap v4's manager call back, where ``nested`` runs; the other v4 steps stand in there."""

    manager: str
    nested: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class V4Sync:
    """Has the manager remember its balance of a token, which pools may then pay into."""

    token: str


@dataclass(frozen=True, slots=True)
class V4Swap:
    """Swaps exactly ``amount`` in, on the executor's account with the manager. ``fee`` is millionths."""

    currency0: str
    currency1: str
    fee: int
    tick_spacing: int
    hooks: str
    zero_for_one: bool
    amount: int


@dataclass(frozen=True, slots=True)
class V4Take:
    """Has the manager send ``currency`` (None: WETH, the zero address: ETH) to ``to``, or to the executor."""

    amount: int
    currency: str | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True)
class V4Settle:
    """Pays the manager; a ``token`` that is the zero address is ETH."""

    amount: int
    token: str | None = None


@dataclass(frozen=True, slots=True)
class V4SettlePaid:
    """Credits what the manager got since V4Sync."""


@dataclass(frozen=True, slots=True)
class CurveSwap:
    """Swaps ``amount`` for at least ``least``. ``coins`` are the pool's indices of what goes in and what comes out,
    each below 16."""

    pool: str
    kind: CurveKind
    coins: tuple[int, int]
    amount: int
    least: int
    token: str | None = None


@dataclass(frozen=True, slots=True)
class BalancerSwap:
    """Swaps ``amount`` for at least ``least`` in a pool of Balancer's v2 Vault, whose id is the address ``pool`` and
    12 bytes, ``rest``."""

    vault: str
    pool: str
    rest: bytes
    token_out: str
    amount: int
    least: int
    token: str | None = None


@dataclass(frozen=True, slots=True)
class VaultDeposit:
    """Deposits ``amount`` of ``token`` in an ERC-4626 vault, for shares."""

    vault: str
    amount: int
    token: str | None = None


@dataclass(frozen=True, slots=True)
class VaultRedeem:
    """Redeems ``amount`` shares of an ERC-4626 vault, which the program spends."""

    vault: str
    amount: int


# --- money -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pay:
    """Sends a token to ``to``, or to the caller where that is None."""

    amount: int
    token: str | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Tip:
    """Unwraps ``amount`` of WETH and sends it to the block's builder. A program's ``bid_bps`` is the share of what
    it gains instead."""

    amount: int


@dataclass(frozen=True, slots=True)
class Wrap:
    """ETH to WETH."""

    amount: int


@dataclass(frozen=True, slots=True)
class Unwrap:
    """WETH to ETH."""

    amount: int


@dataclass(frozen=True, slots=True)
class Loan:
    """Borrows, and runs ``nested`` with it. ``owed`` is the amount with the lender's fee: of those that pull it."""

    kind: LoanKind
    lender: str
    amount: int
    nested: tuple[Step, ...]
    token: str | None = None
    owed: int | None = None


@dataclass(frozen=True, slots=True)
class V3Flash:
    """Has a v3 pool send ``amount`` of one of its tokens to ``to``, or the executor; ``nested`` pays it back."""

    pool: str
    token_1: bool
    amount: int
    nested: tuple[Step, ...]
    to: str | None = None


# --- liquidations ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LiquidateAave:
    """Repays at most ``amount`` of what ``user`` owes in ``token`` to Aave v3's Pool, for its collateral."""

    pool: str
    collateral: str
    user: str
    amount: int
    token: str | None = None


@dataclass(frozen=True, slots=True)
class LiquidateMorpho:
    """Seizes ``seized`` of collateral, or repays ``shares`` of debt (the other is 0); ``nested`` runs when it has
    come, before at most ``owed`` of ``token`` is pulled. ``lltv`` has 18 decimals."""

    lender: str
    collateral: str
    oracle: str
    rate_model: str
    lltv: int
    borrower: str
    seized: int
    shares: int
    owed: int
    nested: tuple[Step, ...]
    token: str | None = None


@dataclass(frozen=True, slots=True)
class LiquidateCompoundV2:
    """Repays ``amount`` of ``token``, the underlying of the cToken ``debt``, for cTokens ``collateral``."""

    debt: str
    borrower: str
    collateral: str
    amount: int
    token: str | None = None


@dataclass(frozen=True, slots=True)
class RedeemCompoundV2:
    """Redeems ``amount`` of a cToken, which the program spends."""

    ctoken: str
    amount: int


Step = (
    V2Chain
    | V3Swap
    | V2Flash
    | V4Unlock
    | V4Sync
    | V4Swap
    | V4Take
    | V4Settle
    | V4SettlePaid
    | CurveSwap
    | BalancerSwap
    | VaultDeposit
    | VaultRedeem
    | Pay
    | Tip
    | Wrap
    | Unwrap
    | Loan
    | V3Flash
    | LiquidateAave
    | LiquidateMorpho
    | LiquidateCompoundV2
    | RedeemCompoundV2
)


# --- programs --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps, and the check at their end: no less WETH and ETH than at the start, no less of any of ``tokens``, and
    of the first of these (of WETH, if there are none) at least ``minimum`` more.

    Before the check the block's builder gets ``bid_bps`` of the gain in WETH. ``deadline`` is the last block.
    """

    steps: tuple[Step, ...]
    minimum: int = 0
    tokens: tuple[str, ...] = ()
    deadline: int | None = None
    bid_bps: int = 0


class Form(IntEnum):
    """Who pays for a route."""

    OWN = 0  # the executor's WETH
    LAST = 1  # the anchor, the last pool, sends first and is paid by the pairs before it
    FIRST = 2  # the anchor, a v3 pool before the pairs, sends to the first of them and is paid by what they bring
    LOAN = 3  # the anchor, a v2 pair before the pairs, or a lender, sends first and is paid at the end


@dataclass(frozen=True, slots=True)
class Route:
    """A cycle in WETH through pools of the book, its amounts below 2**95. ``paid`` goes in, or is borrowed; ``hops``
    are v2 pairs.

    ``amount`` is, by form, LAST: the least out of the anchor; LOAN: what the pair sends of its other token, or what is
    owed to the lender; others have none. ``deadline`` is the last block.
    """

    form: Form
    paid: int
    hops: tuple[V2Hop, ...]
    anchor: str | None = None
    amount: int | None = None
    deadline: int | None = None
    bid_bps: int = 0


Program = Steps | Route
