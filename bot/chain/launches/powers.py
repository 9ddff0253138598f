"""What others can do to who holds a token: every function of its code called, as owner, creator and anybody, behind a
purchase, and the holder's sale looked at afterwards. Names prove nothing here; what happens does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot import abi
from bot.chain.launches.code import (
    ADMIN_SLOT,
    BEACON_SLOT,
    CALLCODE,
    DELEGATECALL,
    IMPLEMENTATION_SLOTS,
    SELFDESTRUCT,
    addresses,
    as_address,
    clone_of,
    constants,
    name,
    reached,
    selectors,
)
from bot.chain.launches.judge import Sample
from bot.chain.launches.probe import ALL
from bot.chain.launches.probe import holder as holder_of
from bot.chain.launches.report import Findings, Severity
from bot.chain.launches.scenes import Played, Scene, Stage
from bot.chain.state_reader import StateReader
from bot.jsonrpc import RpcError

PLAIN_SLOTS = 40
"""Storage looked at for addresses."""
MOST_ACTORS, MOST_FUNCTIONS, MOST_CONSTANTS = 5, 100, 16
OWNERS = ("owner()", "getOwner()", "_owner()", "admin()")
DEAD = (*(f"0x{low:040x}" for low in (0, 1, 0xDEAD)), "0xdead" + "00" * 16 + "dead")
RATES = (5, 10, 25, 30, 49, 50, 90, 99, 100, 1_000, 9_999, 10_000)
EACH = RATES[2::3]
"""Numbers that fees are set to, in per cent or basis points, the worst last; of one holder's fewer are tried."""
WEEK = 7 * 86_400
ANYBODY = "anybody"
GIVES_UP = {abi.selector("renounceOwnership()"), abi.selector("transferOwnership(address)")}


@dataclass(slots=True)
class Code:
    """A token's code: of itself and of what it passes calls on to. ``others`` are contracts that it asks when it is
    moved, ``actors`` whoever may have a say, ``renounced`` whether it names nobody as its owner,
    ``constants`` numbers in it that may be passwords."""

    functions: list[tuple[str, bytes]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    actors: list[str] = field(default_factory=list)
    renounced: bool = False
    constants: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Of a scene: where its measures are."""

    supply: int
    pool: int
    holder: int
    others: tuple[int, ...]
    sale: int
    passed: int
    buy: int
    resale: int


async def read_code(stage: Stage, creators: Sequence[str], findings: Findings) -> Code:
    """Reads a token's code and storage, and says what they show. Raises RpcUnreachable."""
    reader = StateReader(stage.rpc, stage.on)
    seen = await _implementations(reader, stage.token, findings)
    code = Code()
    others = await _asked(stage, creators, {stage.token, *seen}, findings)
    contracts = dict(zip(others, await reader.codes(others), strict=True))
    for other, found in contracts.items():
        if isinstance(found, RpcError) or not found:
            continue
        code.others.append(other)
        text = "whether it moves is up to another contract"
        findings.add(Severity.HIGH, "depends", text, f"a transfer asks {other}")
        seen[other] = found
    for address, body in seen.items():
        target = address if address in code.others else stage.token
        code.functions += [(target, selector) for selector in selectors(body)]
        _opcodes(address, body, address == stage.token and len(seen) > 1, findings)
    code.functions = list(dict.fromkeys(code.functions))
    if len(code.functions) > MOST_FUNCTIONS:
        text = "it has more functions than are tried"
        findings.add(Severity.MEDIUM, "functions", text, f"{len(code.functions)}, tried {MOST_FUNCTIONS}")
        code.functions = code.functions[:MOST_FUNCTIONS]
    code.constants = list(dict.fromkeys(value for body in seen.values() for value in constants(body)))[:MOST_CONSTANTS]
    await _takes_all(stage, findings)
    await _actors(stage, reader, code, creators, seen, findings)
    return code


async def try_powers(stage: Stage, code: Code, sample: Sample, findings: Findings) -> None:
    """Plays every function as every actor. Raises RpcUnreachable."""
    stranger = stage.account("stranger")
    watched = (stranger, *code.actors)
    control_scene, control_places = _scene(stage, sample, watched, stranger, ())
    (control,) = await stage.play([control_scene])
    if control.refused or control.fill(control_places.sale).why:
        why = control.refused or control.fill(control_places.sale).why
        findings.add(Severity.GAP, "powers-untried", "its owner's powers could not be tried", why)
        return
    tried: list[tuple[str, str, Scene, _Outcome]] = []
    for actor in watched:
        kinds = _arguments(stage, code, actor, sample)
        if actor == stranger:  # has powers seldom: one scene a function
            kinds = ([words for kind in reversed(kinds) for words in kind],)
        for words, calls in _attempts(code, kinds):
            scene, places = _scene(stage, sample, watched, actor, calls)
            tried.append((actor, words, scene, places))
    for (actor, words, _, places), played in zip(tried, await stage.play(one[2] for one in tried), strict=True):
        if played.refused:
            findings.add(Severity.GAP, "powers-refused", "a function could not be tried", f"{words}: {played.refused}")
            continue
        who = ANYBODY if actor == stranger else actor
        _compare(who, words, played, places, control, control_places, findings)
    found = {reason.code: reason for reason in findings.reasons}
    hidden = [
        reason
        for code_, reason in found.items()
        if code_.startswith("power-") and code_.replace("power-", "anybody-") not in found
    ]
    if code.renounced and hidden:
        text = "it is renounced in name only"
        findings.add(Severity.TRAP, "fake-renounce", text, f"its owner is nobody, yet {hidden[0].evidence}")


# --- code -------------------------------------------------------------------------------------------------------------


async def _implementations(reader: StateReader, token: str, findings: Findings) -> dict[str, bytes]:
    """The token's code and that which it runs instead."""
    (own,) = await reader.codes([token])
    if isinstance(own, RpcError) or not own:
        findings.add(Severity.GAP, "code", "its code is not known", str(own) if own else "there is none")
        return {}
    seen = {token: own}
    clone = clone_of(own)
    slots = await reader.slots((token, slot) for slot in (*IMPLEMENTATION_SLOTS, BEACON_SLOT))
    *targets, beacon = (None if isinstance(slot, RpcError) else as_address(slot) for slot in slots)
    if beacon:
        (answer,) = await reader.calls([(beacon, abi.call("implementation()"))])
        targets.append(abi.address(answer) if answer else None)
    for target in [clone, *targets]:
        if target is None:
            continue
        (body,) = await reader.codes([target])
        if not isinstance(body, RpcError) and body:
            seen[target] = body
        if target == clone:
            findings.add(Severity.INFO, "clone", "it is a minimal proxy, which cannot change", f"of {target}")
        else:
            findings.add(Severity.HIGH, "upgradeable", "its code can be replaced", f"a proxy of {target}")
    return seen


def _opcodes(address: str, body: bytes, proxy: bool, findings: Findings) -> None:
    found = reached(body)
    if found & {DELEGATECALL, CALLCODE} and not proxy and clone_of(body) is None:
        findings.add(Severity.HIGH, "delegatecall", "it runs code of others as its own", f"a DELEGATECALL in {address}")
    if SELFDESTRUCT in found:
        findings.add(Severity.MEDIUM, "selfdestruct", "it can destroy itself", f"a SELFDESTRUCT in {address}")


async def _takes_all(stage: Stage, findings: Findings) -> None:
    """Whether it takes calls of functions that nobody has heard of: then not all it does can be found in its code."""
    unheard = stage.drawn("selector", 1 << 24, (1 << 32) - 1).to_bytes(4, "big") + bytes(3 * abi.WORD)
    asked = {"from": stage.account("stranger"), "to": stage.token, "data": abi.to_hex(unheard)}
    (answer,) = await stage.rpc.batch([("eth_call", [asked, stage.on])])
    if not isinstance(answer, RpcError):
        findings.add(Severity.MEDIUM, "takes-all", "it takes calls of unknown functions", f"of {unheard[:4].hex()}")


async def _asked(stage: Stage, creators: Sequence[str], known: set[str], findings: Findings) -> list[str]:
    """Contracts that the token touches when the pool pays it out, or a creator pays the pool."""
    known = {*known, holder_of(stage.pool), stage.base, stage.router, *(f"0x{low:040x}" for low in range(20))}
    at = holder_of(stage.pool)
    moves = [(at, stage.account("first")), *((creator, at) for creator in creators)]
    asked = [
        {"from": sender, "to": stage.token, "data": abi.to_hex(abi.call("transfer(address,uint256)", to, 1))}
        for sender, to in moves
    ]
    answers = await stage.rpc.batch([("eth_createAccessList", [one, stage.on]) for one in asked])
    told = [answer for answer in answers if not isinstance(answer, RpcError)]
    if not told:
        findings.add(Severity.GAP, "asks", "it is not known which contracts it asks", str(answers[0]))
    listed = [entry["address"].lower() for answer in told for entry in answer["accessList"]]
    return [address for address in dict.fromkeys(listed) if address not in known]


async def _actors(
    stage: Stage,
    reader: StateReader,
    code: Code,
    creators: Sequence[str],
    seen: dict[str, bytes],
    findings: Findings,
) -> None:
    """Owners as the contract names them, its creators, and addresses in its storage and code."""
    named = [
        None if answer is None else abi.uint(answer)
        for answer in await reader.calls((stage.token, abi.call(one)) for one in OWNERS)
    ]
    code.renounced = any(value is not None and f"0x{value:040x}" in DEAD for value in named)
    found = [*creators, *(as_address(value) for value in named if value)]
    getters = [(target, selector) for target, selector in code.functions]
    answers = await reader.calls(getters)
    found += [as_address(abi.uint(answer)) for answer in answers if answer is not None and len(answer) == abi.WORD]
    targets = [stage.token, *code.others]
    slots = await reader.slots((target, slot) for target in targets for slot in (*range(PLAIN_SLOTS), ADMIN_SLOT))
    for value in slots:
        if isinstance(value, RpcError):
            findings.add(Severity.GAP, "storage", "its storage is not known", value.message)
        else:
            shifts = (0, 8, 16, 64, 96) if value >> 160 else (0,)  # packed with other fields
            found += [as_address(value >> shift & ((1 << 160) - 1)) for shift in shifts]
    found += [address for body in seen.values() for address in addresses(body)]
    ours = {stage.token, holder_of(stage.pool), stage.base, stage.router, *code.others, *DEAD, *seen}
    actors = [one for one in dict.fromkeys(found) if one and one not in ours]
    code.actors = actors[:MOST_ACTORS]


# --- what is tried ----------------------------------------------------------------------------------------------------


Calls = Sequence[Sequence[tuple[str, bytes]]]
"""Blocks of calls: whom, and calldata."""


def _attempts(code: Code, kinds: Sequence[Sequence[bytes]]) -> Iterator[tuple[str, Calls]]:
    """Each function with arguments of each kind; and all of them, twice, a week apart."""
    for target, selector in code.functions:
        for arguments in kinds:
            yield name(selector), [[(target, selector + words) for words in arguments]]
    rest = [one for one in code.functions if one[1] not in GIVES_UP]
    for arguments in kinds:
        few = arguments[-8:]
        every = [(target, selector + words) for target, selector in rest for words in few]
        yield "all functions, twice", [every, every]


def _arguments(stage: Stage, code: Code, actor: str, sample: Sample) -> Sequence[list[bytes]]:
    """Words behind a selector, of which a function reads as many as it has: to take, to switch on, to switch off. What
    comes last stays."""
    holder, pool, much = stage.account("first"), holder_of(stage.pool), 10**24 + sample.bought.got * 10**6
    some = max(sample.bought.got // 2, 1)

    def words(*values: int | str) -> bytes:
        return b"".join(abi.encode(value) for value in values)

    taken = [
        words(pool, actor, some, 0, 0),
        words(pool, some, 0, 0, 0),
        words(actor, 1_000, 0, 0, 0),
        words(actor, much, 0, 0, 0),
        words(much, much, much, much, much),
        *(words(value, value, value, value) for value in code.constants),
        *(words(holder, value, value, value) for value in code.constants),
        words(stage.token, 1, 1, 1, 1),
        words(holder, actor, some, 0, 0),
        words(holder, some, 0, 0, 0),
        *(words(holder, rate, rate, rate, rate) for rate in EACH),
        *(words(rate, rate, rate, rate, rate, rate) for rate in RATES),
    ]
    switched_on = [
        words(pool, 1, 1, 1, 1),
        words(64, 128, 1, holder, 1, 1),
        words(64, 1, 1, holder),
        words(32, 1, holder),
        words(holder, 1, 1, 1, 1),
        words(1, 1, 1, 1, 1),
    ]
    switched_off = [
        words(abi.MASK_256, abi.MASK_256, abi.MASK_256, abi.MASK_256),
        words(pool, 0, 0, 0, 0),
        words(1, 0, 0, 0, 0),
        words(0, 1, 0, 0, 0),
        words(64, 0, 1, holder),
        words(actor, 0, 0, 0, 0),
        words(holder, 0, 0, 0, 0),
        words(0, 0, 0, 0, 0),
    ]
    return taken, switched_on, switched_off


def _scene(stage: Stage, sample: Sample, watched: Sequence[str], actor: str, calls: Calls) -> tuple[Scene, _Outcome]:
    """A purchase, somebody's calls, and what the holder can do afterwards."""
    holder, fresh, new = (stage.account(name) for name in ("first", "second", "third"))
    scene = Scene(stage).act(actor)
    scene.buy(holder, sample.amount)
    block = 0
    for number, part in enumerate(calls):
        block += 1
        scene.at(block, number * WEEK + block)
        for target, data in part:
            scene.call(actor, target, data)
    late = len(calls) * WEEK
    scene.at(block + 1, late + 60)
    supply = scene.call(fresh, stage.token, abi.call("totalSupply()"))
    measured = supply, scene.balance(holder_of(stage.pool)), scene.balance(holder)
    others = tuple(scene.balance(one) for one in watched)
    sale = scene.sell(holder, ALL // 2)
    passed = scene.transfer(holder, fresh, max(sample.bought.got // 8, 1))
    buy = scene.buy(new, sample.amount)
    resale = scene.at(block + 2, late + 72).sell(new, ALL)
    return scene, _Outcome(*measured, others, sale, passed, buy, resale)


# --- what came of it --------------------------------------------------------------------------------------------------


def _compare(
    who: str,
    words: str,
    played: Played,
    places: _Outcome,
    control: Played,
    usual: _Outcome,
    findings: Findings,
) -> None:
    """Against the same scene without the calls."""

    def add(severity: Severity, code: str, text: str, what: str) -> None:
        anybody = who == ANYBODY
        kind, whom = ("anybody", ANYBODY) if anybody else ("power", "its owner")
        findings.add(severity, f"{kind}-{code}", text.format(who=whom), f"{words} by {who}: {what}")

    for place, code, text in (
        ("holder", "take", "{who} can take what holders have"),
        ("pool", "pool", "{who} can take what the pool has"),
    ):
        has, had = played.number(getattr(places, place)), control.number(getattr(usual, place))
        if has is None or had is None or has < had:
            add(Severity.HIGH, code, text, f"{has}, else {had}")
    supply, before = played.number(places.supply), control.number(usual.supply)
    if supply is not None and before is not None and supply > before:
        add(Severity.HIGH, "mint", "{who} can make tokens", f"a supply of {supply}, else {before}")
    held, once_held = _held(played, places), _held(control, usual)
    if held > once_held:
        add(Severity.HIGH, "mint", "{who} can make tokens", f"{held} in all hands, else {once_held}")
    sold, once = played.fill(places.sale), control.fill(usual.sale)
    if sold.why:
        add(Severity.HIGH, "stop", "{who} can stop sales", f"a sale: {sold.why}")
    elif sold.lost_in > once.lost_in + 1:
        add(Severity.HIGH, "tax", "{who} can raise the tax on sales", f"{sold.lost_in} bps, else {once.lost_in}")
    if control.result(usual.passed).success and not played.result(places.passed).success:
        add(Severity.HIGH, "freeze", "{who} can stop transfers", "a transfer fails")
    bought, first = played.fill(places.buy), control.fill(usual.buy)
    if first.why:
        return
    if bought.why:
        add(Severity.MEDIUM, "stop-buys", "{who} can stop purchases", f"a purchase: {bought.why}")
    elif bought.lost_out > first.lost_out + 1:
        add(Severity.HIGH, "buy-tax", "{who} can raise the tax on purchases", f"{bought.lost_out} bps")
    else:
        again, once = played.fill(places.resale), control.fill(usual.resale)
        if again.why and not once.why:
            add(Severity.HIGH, "stop", "{who} can stop sales", f"a later buyer's sale: {again.why}")
        elif not once.why and again.lost_in > once.lost_in + 1:
            add(Severity.HIGH, "tax", "{who} can raise the tax on sales", f"{again.lost_in} bps for a later buyer")


def _held(played: Played, places: _Outcome) -> int:
    """What the pool, the holder and all actors have together: they may give it to one another."""
    return sum(played.number(place) or 0 for place in (places.pool, places.holder, *places.others))
