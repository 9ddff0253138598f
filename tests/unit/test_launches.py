"""New pools in a head's logs: named once, by our factories only unless asked; verdicts follow from reasons."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from bot import abi
from bot.amm.v4 import INITIALIZE, MODIFY_LIQUIDITY
from bot.chain.launches.code import as_address, clone_of, constants, reached, selectors
from bot.chain.launches.report import COSTS, Findings, Report, Severity, Taxes, Verdict
from bot.engine.types import Header, Log, MinedTx, NewHead, Signal
from bot.strategies.launches import CREATED, V2_CREATED, V3_CREATED, Launches, created

V2, V3, V4, STRANGER = ("0x" + digit * 40 for digit in "2349")
WETH, TOKEN, POOL, CREATOR = ("0x" + digit * 40 for digit in "abcd")
POOL_ID = "0x" + "e" * 64
V2_MINT = abi.topic("Mint(address,uint256,uint256)")


def word(value: int | str) -> str:
    return "0x" + abi.encode(value).hex()


def data(*values: int | str) -> bytes:
    return b"".join(abi.encode(value) for value in values)


V2_LOG = Log(V2, (V2_CREATED, word(TOKEN), word(WETH)), data(POOL, 7))
V3_LOG = Log(V3, (V3_CREATED, word(TOKEN), word(WETH), word(500)), data(10, POOL))
V4_LOG = Log(V4, (INITIALIZE, POOL_ID, word(TOKEN), word(WETH)), data(3_000, 60, STRANGER, 1 << 96, 0))
LOGS = (V2_LOG, V3_LOG, V4_LOG)


def head(*logs: Log, number: int = 1) -> NewHead:
    header = Header(number, "0x01", "0x00", 12, 1, 1, 1, CREATOR)
    return NewHead(header, logs, None, (MinedTx("0xaa", CREATOR, None, 0, 0, "0x", logs),), 5)


def told(*logs: Log, every: bool = False) -> list[Signal]:
    return list(Launches((V2, V3, V4), (WETH,), every=every).process(head(*logs)))


def test_each_kind_of_pool_is_named_with_what_its_log_says() -> None:
    signals = told(*LOGS)
    said = [tuple(signal.data[key] for key in ("protocol", "pool", "fee", "hooks")) for signal in signals]
    assert said == [
        ("uniswap-v2", POOL, None, ""),
        ("uniswap-v3", POOL, 500, ""),
        ("uniswap-v4", POOL_ID, 3_000, STRANGER),
    ]
    for signal in signals:
        assert (signal.subject, signal.tx, signal.block_number, signal.seen_ns) == (TOKEN, "0xaa", 1, 5)
        assert (signal.data["token"], signal.data["base"], signal.data["creator"]) == (TOKEN, WETH, CREATOR)
        assert signal.data["event"] == "created" and signal.confidence is None


def test_strangers_are_named_only_when_asked() -> None:
    log = Log(STRANGER, V2_LOG.topics, V2_LOG.data)
    assert told(log) == []
    (signal,) = told(log, every=True)
    assert signal.data["known"] is False and STRANGER in signal.text


def test_first_liquidity_is_told_once_and_of_the_right_pool() -> None:
    strategy = Launches((V2, V3, V4), (WETH,))
    mint = Log(POOL, (V2_MINT, word(CREATOR)), data(1, 1))
    fill = Log(V4, (MODIFY_LIQUIDITY, POOL_ID, word(CREATOR)), data(0, 0, 1, 0))
    elsewhere = Log(STRANGER, fill.topics, fill.data)
    assert list(strategy.process(head(mint, fill))) == []
    strategy.process(head(V2_LOG, V4_LOG))
    assert list(strategy.process(head(elsewhere, number=2))) == []
    events = [(one.data["event"], one.data["pool"]) for one in strategy.process(head(mint, fill, mint, number=3))]
    assert events == [("liquidity", POOL), ("liquidity", POOL_ID)]
    assert list(strategy.process(head(mint, fill, number=4))) == []


def test_a_pool_of_two_bases_or_none_has_no_token() -> None:
    assert told(V2_LOG)[0].data["token"] == TOKEN
    for bases in ((WETH, TOKEN), ()):
        (signal,) = Launches((V2,), bases).process(head(V2_LOG))
        assert signal.data["token"] is None and signal.subject == POOL


@given(
    st.sampled_from([*CREATED, V2_MINT, MODIFY_LIQUIDITY]),
    st.lists(st.binary(min_size=32, max_size=32), max_size=4),
    st.binary(max_size=200),
)
def test_a_log_that_is_cut_short_brings_nothing_and_breaks_nothing(
    topic: str, topics: list[bytes], body: bytes
) -> None:
    log = Log(V2, (topic, *("0x" + one.hex() for one in topics)), body)
    launch = created(log, 1, "0xaa", CREATOR, (V2,))
    assert launch is None or all(len(token) == 42 for token in launch.tokens)
    told(log, Log(V2, (), body), every=True)


# --- reports ----------------------------------------------------------------------------------------------------------


def report(*severities: Severity) -> Report:
    findings = Findings()
    for number, severity in enumerate(severities):
        findings.add(severity, str(number), "text", "evidence")
    return Report(TOKEN, "T", POOL, "uniswap-v2", WETH, 1, Taxes(), findings.reasons)


@given(st.lists(st.sampled_from(list(Severity)), max_size=6))
def test_verdict_and_score_follow_from_the_reasons(severities: list[Severity]) -> None:
    made = report(*severities)
    assert 0 <= made.score <= 100
    assert (made.verdict is Verdict.TRAP) == (Severity.TRAP in severities)
    if Severity.GAP in severities:  # what could not be tried is never called safe
        assert made.verdict in (Verdict.TRAP, Verdict.UNKNOWN) and made.score <= 50
    assert (made.verdict is Verdict.SAFE) == (set(severities) <= {Severity.INFO})
    assert (made.score == 100) == (made.verdict is Verdict.SAFE)
    for one in permutations(severities[:4]):
        assert report(*one).verdict is report(*severities[:4]).verdict
    costs = [COSTS[reason.severity] for reason in made.reasons]
    assert costs == sorted(costs, reverse=True)


def test_of_one_code_the_worst_stays() -> None:
    findings = Findings()
    for severity in (Severity.INFO, Severity.TRAP, Severity.HIGH):
        findings.add(severity, "code", str(severity), "")
    assert [reason.text for reason in findings.reasons] == ["trap"] and findings.trapped


# --- code -------------------------------------------------------------------------------------------------------------


def test_functions_constants_and_ends_of_code() -> None:
    transfer = abi.selector("transfer(address,uint256)")
    dispatch = bytes.fromhex("8063") + transfer + bytes.fromhex("1461000057")
    secret = bytes.fromhex("6251ab3e14")
    assert selectors(dispatch + secret)[0] == transfer
    assert constants(dispatch + secret) == [0x51AB3E]
    assert 0xF4 in reached(bytes.fromhex("5b5af400")) and 0xF4 not in reached(bytes.fromhex("5b00f4f4"))
    assert 0xFF not in reached(bytes.fromhex("60ff00"))  # pushed, not run
    clone = bytes.fromhex("363d3d373d3d3d363d73") + abi.to_bytes(POOL) + bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
    assert clone_of(clone) == POOL and clone_of(clone[:-1]) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_read(code: bytes) -> None:
    assert all(len(one) == 4 for one in selectors(code))
    constants(code), reached(code), clone_of(code)


def test_a_word_is_an_address_only_if_it_looks_like_one() -> None:
    assert as_address(int(CREATOR, 16)) == CREATOR
    assert [as_address(value) for value in (0, 1, 10**18, (1 << 160) - 1, 1 << 160, (1 << 256) - 1)] == [None] * 6
