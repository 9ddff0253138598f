"""Profiles: a TOML file that says which chain, market, relays, limits and keys the bot runs with.

``forks/mainnet.toml`` explains every field. Amounts are wei, fees of pools millionths (3000 = 0.3 %), shares basis
points, times seconds. A URL may be ``${VARIABLE}``, as a whole: then it is read from the environment when it is used.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

import msgspec
from eth_utils.address import is_address, is_checksum_formatted_address, to_checksum_address

from bot.chain.discovery import Factories
from bot.chain.nodes.node import Endpoints
from bot.cli.urls import HttpUrl, IpcPath, Url, WsUrl
from bot.devnet.deployment import CHAIN_ID as DEVNET
from bot.errors import UserError
from bot.execution import keys
from bot.execution.keys import Signer
from bot.execution.steps import Lender
from bot.paths import data_dir
from bot.risk.limits import Limits
from bot.strategies.whales import NO_SIZE, SizeRule

Wei = Annotated[int, msgspec.Meta(ge=0)]
Bps = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
Fee = Annotated[int, msgspec.Meta(ge=0, lt=1_000_000)]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file. Fields called ``address`` or listed in ``_addresses`` are checked and made lower-case."""

    _addresses: ClassVar[tuple[str, ...]] = ("address",)

    def __post_init__(self) -> None:
        for name in self._addresses:
            text = getattr(self, name, None)
            if text is not None:
                msgspec.structs.force_setattr(self, name, checked_address(name, text))


class NodeAt(_Part, frozen=True, kw_only=True):
    """A node's endpoints, and the calls a second that it allows. The order of the nodes is that of preference."""

    name: str
    http: HttpUrl | None = None
    ws: WsUrl | None = None
    ipc: IpcPath | None = None
    rate_limit: Annotated[float, msgspec.Meta(gt=0)] | None = None

    def __post_init__(self) -> None:
        if not self._all:
            raise ValueError(f"node {self.name!r} has no endpoint: give it http, ws or ipc")

    @property
    def _all(self) -> dict[str, Url]:
        named = {"http": self.http, "ws": self.ws, "ipc": self.ipc}
        return {kind: at for kind, at in named.items() if at is not None}

    def endpoints(self) -> Endpoints:
        """With the URLs as they are; without those whose variable is not set, unless that is so of all. Raises
        UserError."""
        given = {kind: at for kind, at in self._all.items() if at.given} or self._all
        return Endpoints(self.name, **{kind: at.reveal() for kind, at in given.items()}, rate=self.rate_limit)


class Token(_Part, frozen=True, kw_only=True):
    symbol: str
    address: str
    decimals: Annotated[int, msgspec.Meta(ge=0, le=36)]


class V2Factory(_Part, frozen=True, kw_only=True):
    """Makes pairs that charge ``fee``."""

    name: str
    address: str
    fee: Fee = 3_000


class V3Factory(_Part, frozen=True, kw_only=True):
    """Makes pools at each of ``fees``."""

    name: str
    address: str
    fees: tuple[Fee, ...] = (100, 500, 3_000, 10_000)


class Factory(_Part, frozen=True, kw_only=True):
    """Another protocol's contract that makes, lists or keeps pools."""

    name: str
    address: str


class Lenders(_Part, frozen=True, kw_only=True):
    """Whom capital is borrowed from; what is not named is not used."""

    _addresses = ("morpho", "balancer_vault", "aave_pool", "v4_manager")
    morpho: str | None = None
    balancer_vault: str | None = None
    aave_pool: str | None = None
    v4_manager: str | None = None

    def by_kind(self) -> dict[Lender, str | None]:
        """Their addresses."""
        return {
            Lender.MORPHO: self.morpho,
            Lender.BALANCER_V2: self.balancer_vault,
            Lender.AAVE_V3: self.aave_pool,
            Lender.V4: self.v4_manager,
        }


class RelayAt(_Part, frozen=True, kw_only=True):
    name: str
    url: HttpUrl


class WhalesAt(_Part, frozen=True, kw_only=True):
    """Whom to watch: ``file`` is a list as of ``mev whales add`` (a relative path lies in the data directory). Trades
    of anybody count that move a pool by ``bps`` basis points, or are ``worth`` so much: symbol to whole tokens."""

    file: str = "whales.csv"
    bps: Positive | None = None
    worth: dict[str, str] = {}


class BotSettings(_Part, frozen=True, kw_only=True):
    """``executor`` is our deployed contract; paper mode can do without. ``book`` is the file with the address book
    behind its code; a relative path lies in the data directory."""

    _addresses = ("executor",)
    executor: str | None = None
    book: str | None = None
    min_profit_wei: Wei
    bid_share_bps: Bps
    max_hops: Annotated[int, msgspec.Meta(ge=2, le=6)] = 3


class Risk(_Part, frozen=True, kw_only=True):
    """``max_trade``: symbol to an amount in whole tokens, a decimal number as text."""

    max_trade: dict[str, str]
    min_net_profit_wei: Wei
    max_gas_price_wei: Wei
    max_bid_share_bps: Bps
    max_open_intents: Positive
    max_gas_burnt_wei: Wei
    max_head_age: Positive


class Keys(_Part, frozen=True, kw_only=True):
    """Where keys are: ``env:VARIABLE``, ``keystore:FILE``, and on the devnet ``devnet:INDEX``."""

    operators: tuple[str, ...] = ()
    relay: str | None = None


class Profile(_Part, frozen=True, kw_only=True):
    """A profile, checked. ``base_tokens`` are symbols in the file and addresses here."""

    _addresses = ("weth",)
    name: str
    chain_id: Positive
    hardfork: Literal["cancun", "prague", "osaka"]
    block_time: Positive
    nodes: tuple[NodeAt, ...]
    mev_share: HttpUrl | None = None
    weth: str
    base_tokens: tuple[str, ...]
    tokens: tuple[Token, ...]
    v2: tuple[V2Factory, ...] = ()
    v3: tuple[V3Factory, ...] = ()
    solidly: tuple[Factory, ...] = ()
    curve: tuple[Factory, ...] = ()
    balancer: tuple[Factory, ...] = ()
    v4: tuple[Factory, ...] = ()
    lenders: Lenders = Lenders()
    relays: tuple[RelayAt, ...] = ()
    bot: BotSettings
    risk: Risk
    keys: Keys = Keys()
    ledger: str = "ledger.sqlite"
    whales: WhalesAt | None = None
    launches: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _once("token symbol", [token.symbol for token in self.tokens])
        _once("token address", [token.address for token in self.tokens])
        groups = (self.v2, self.v3, self.solidly, self.curve, self.balancer, self.v4)
        _once("factory address", [factory.address for group in groups for factory in group])
        _once("relay name", [relay.name for relay in self.relays])
        if not self.nodes:
            raise ValueError("there is no node: add [[nodes]]")
        _once("node name", [node.name for node in self.nodes])
        if not self.base_tokens:
            raise ValueError("base_tokens is empty: name the tokens to earn, such as WETH")
        _once("base token", list(self.base_tokens))
        bases = tuple(self._token("base_tokens", symbol).address for symbol in self.base_tokens)
        msgspec.structs.force_setattr(self, "base_tokens", bases)
        if self.weth not in {token.address for token in self.tokens}:
            raise ValueError(f"weth {self.weth} is not among the tokens: add it")
        if not self.factories().all:
            raise ValueError("there is no factory: add [[v2]] or [[v3]]")
        self._max_trade()
        self.whale_size()
        for source in (*self.keys.operators, *([self.keys.relay] if self.keys.relay else [])):
            if not keys.is_source(source):
                raise ValueError(f"keys: {keys.SOURCES}")
            if source.startswith("devnet:") and self.chain_id != DEVNET:
                raise ValueError("keys: the devnet's keys are public, anyone takes what they hold: use others here")

    # --- what the parts of the bot ask for ---------------------------------------------------------------------------

    def endpoints(self) -> list[Endpoints]:
        """Of all nodes, for a NodePool. Raises UserError."""
        return [node.endpoints() for node in self.nodes]

    def http_url(self) -> str:
        """Of the first node that has one, for tools that take one node. Raises UserError."""
        for node in self.nodes:
            if node.http is not None:
                return node.http.reveal()
        raise UserError(f"no node of profile {self.name} has an http URL: this needs one")

    def limits(self) -> Limits:
        """For the risk gate."""
        return Limits(
            max_trade=self._max_trade(),
            min_net_profit=self.risk.min_net_profit_wei,
            max_gas_price=self.risk.max_gas_price_wei,
            max_bid_share=self.risk.max_bid_share_bps,
            max_open_intents=self.risk.max_open_intents,
            max_gas_burnt=self.risk.max_gas_burnt_wei,
            max_head_age=self.risk.max_head_age,
        )

    def factories(self) -> Factories:
        """Whom discovery asks for pools."""
        others = (
            [factory.address for factory in group] for group in (self.solidly, self.curve, self.balancer, self.v4)
        )
        return Factories(self.v2_fees(), self.v3_tiers(), *map(tuple, others))

    def v2_fees(self) -> dict[str, int]:
        """v2 factory to the fee of its pairs, millionths."""
        return {factory.address: factory.fee for factory in self.v2}

    def v3_tiers(self) -> dict[str, tuple[int, ...]]:
        """v3 factory to its fee tiers, millionths."""
        return {factory.address: factory.fees for factory in self.v3}

    def units(self) -> dict[str, tuple[str, int]]:
        """Token to symbol and decimals, as ``Ledger.begin_run`` takes them."""
        return {token.address: (token.symbol, token.decimals) for token in self.tokens}

    def operators(self) -> list[Signer]:
        """The operators' keys that are there; none means paper mode. Raises UserError; asks for passwords."""
        return [signer for source in self.keys.operators if (signer := keys.load(source))]

    def relay_signer(self) -> Signer:
        """The key that identifies us to relays; a fresh one where none is set. Raises UserError."""
        return (keys.load(self.keys.relay) if self.keys.relay else None) or keys.ephemeral()

    def book_file(self) -> Path | None:
        """Where the address book lies, if there is one."""
        return data_dir() / self.bot.book if self.bot.book else None

    def whales_file(self) -> Path | None:
        """Where the watch list lies, if there is one."""
        return data_dir() / self.whales.file if self.whales else None

    def whale_size(self) -> SizeRule:
        """From which size on anybody's trade counts. Raises ValueError."""
        if self.whales is None:
            return NO_SIZE
        worth = {}
        for symbol, text in self.whales.worth.items():
            token = self._token("whales.worth", symbol)
            worth[token.address] = smallest_units(f"whales.worth.{symbol}", text, token.decimals)
        return SizeRule(self.whales.bps, worth)

    def ledger_file(self) -> Path:
        """A relative path lies in the data directory."""
        return data_dir() / self.ledger

    def _token(self, where: str, symbol: str) -> Token:
        for token in self.tokens:
            if token.symbol == symbol:
                return token
        raise ValueError(f"{where}: no token is called {symbol!r}{_near(symbol, [t.symbol for t in self.tokens])}")

    def _max_trade(self) -> dict[str, int]:
        """Token to smallest units."""
        limits = {}
        for symbol, text in self.risk.max_trade.items():
            token = self._token("risk.max_trade", symbol)
            limits[token.address] = smallest_units(f"risk.max_trade.{symbol}", text, token.decimals)
        for address in self.base_tokens:
            if address not in limits:
                raise ValueError(f"risk.max_trade has no limit for the base token {self.units()[address][0]}")
        return limits


def load(path: Path) -> Profile:
    """The profile in a file. Raises UserError: one line that names the file, the place and what to mend."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        others = sorted(str(other) for other in path.parent.glob("*.toml"))
        raise UserError(f"there is no profile {path}{_near(str(path), others)}") from None
    except OSError as error:
        raise UserError(f"the profile {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"the profile {path} is not TOML: {error}") from None
    try:
        return msgspec.convert(data, Profile, dec_hook=_custom)
    except msgspec.ValidationError as error:
        raise UserError(f"profile {path}: {_explain(str(error))}") from None


def _custom(kind: type, value: Any) -> Any:
    if issubclass(kind, Url) and isinstance(value, str):
        return kind(value)
    raise ValueError("a URL must be text in quotes")


def checked_address(name: str, text: str) -> str:
    """Lower-case. One in mixed case must have the right checksum (EIP-55)."""
    if not text.startswith("0x") or not is_address(text.lower()):
        raise ValueError(f"{name} {text!r} is not an address: 0x and 40 hexadecimal digits")
    if is_checksum_formatted_address(text) and to_checksum_address(text) != text:
        raise ValueError(f"{name} {text} has a wrong checksum: a digit is mistyped (or write it in lower case)")
    return text.lower()


def _once(what: str, values: list[str]) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise ValueError(f"{what} {value} occurs {count} times: keep one")


def smallest_units(where: str, text: str, decimals: int) -> int:
    """Of a decimal number of whole tokens; ``where`` it stands begins the message of the ValueError."""
    match = re.fullmatch(r"(\d+)(?:\.(\d+))?", text, re.ASCII)
    if not match:
        raise ValueError(f'{where} {text!r} is not a decimal number such as "12.5"')
    whole, behind = match[1], (match[2] or "").rstrip("0")
    if len(behind) > decimals:
        raise ValueError(f"{where} {text!r} has more than the token's {decimals} decimals")
    return int(whole + behind.ljust(decimals, "0"))


def _near(word: str, words: list[str]) -> str:
    """The end of a sentence."""
    near = difflib.get_close_matches(word, words, n=1)
    return f": did you mean {near[0]}?" if near else f": there is {', '.join(words)}" if words else ""


def _explain(error: str) -> str:
    """msgspec's words, with the place in front in the file's own words, and the nearest key for an unknown one."""
    what, _, where = error.partition(" - at `")
    place = where.rstrip("`").removeprefix("$").removeprefix(".")
    if match := re.match(r"Object contains unknown field `(.*)`", what):
        known = [field.encode_name for field in msgspec.structs.fields(_table_at(place))]
        what = f"there is no key {match[1]!r}{_near(match[1], known)}"
    elif match := re.match(r"Object missing required field `(.*)`", what):
        what = f"the key {match[1]!r} is missing"
    return f"{place}: {what}" if place else what


def _table_at(place: str) -> type[msgspec.Struct]:
    """The struct that a place such as ``v2[0]`` is converted to."""
    kind: type[msgspec.Struct] = Profile
    for name in re.findall(r"[A-Za-z_]\w*", place):
        types = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        kind = next(t for t in (types[name], *get_args(types[name])) if isinstance(t, type) and issubclass(t, _Part))
    return kind
