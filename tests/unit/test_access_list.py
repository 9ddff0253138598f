"""What is worth paying for in advance."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.execution.access_list import Learned, cost, entry_saving, from_answer, from_prestate, paying, saving
from bot.simulation.types import AccessList

SENDER, EXECUTOR, BUILDER, POOL, TOKEN = ("0x" + f"{n:02x}" * 20 for n in (0xA0, 0xA1, 0xA2, 0xB0, 0xB1))
WARM = (SENDER, EXECUTOR, BUILDER)
PRECOMPILE = "0x" + "00" * 19 + "04"

addresses = st.sampled_from((*WARM, POOL, TOKEN, PRECOMPILE))
touches = st.lists(st.tuples(addresses, st.lists(st.integers(0, 30), max_size=30)), max_size=8)


def gas(touched: dict[str, set[int]], listed: AccessList) -> int:
    """What access costs: by the words of EIP-2929 and EIP-2930."""
    entries = dict(listed)
    total = sum(2_400 + 1_900 * len(keys) for keys in entries.values())
    for address, slots in touched.items():
        warm = address in WARM or address == PRECOMPILE or address in entries
        total += 0 if warm else 2_600
        total += 2_100 * len(slots - set(entries.get(address, ())))
    return total


@given(touches)
def test_a_list_never_costs_more_and_no_other_saves_more(touched: list[tuple[str, list[int]]]) -> None:
    really: dict[str, set[int]] = {}
    for address, keys in touched:
        really.setdefault(address, set()).update(keys)
    listed = paying(touched, WARM)
    assert len(dict(listed)) == len(listed)
    assert gas(really, ()) - gas(really, listed) == saving(listed, WARM)
    best = gas(really, listed)
    for address, keys in really.items():  # another choice for one address
        others = tuple(entry for entry in listed if entry[0] != address)
        assert best <= gas(really, others)
        assert best <= gas(really, (*others, (address, tuple(keys))))
        assert best <= gas(really, (*others, (address, tuple(keys)[:-1])))


def test_what_pays() -> None:
    assert paying([(POOL, [8]), (TOKEN, [])], WARM) == ((POOL, (8,)), (TOKEN, ()))
    assert paying([(EXECUTOR, range(12)), (PRECOMPILE, [])], WARM) == ()
    assert saving(paying([(EXECUTOR, range(13))], WARM), WARM) == 200
    assert entry_saving(POOL, 3, WARM) == 800
    assert cost(((POOL, (1, 2)),)) == 2_400 + 2 * 1_900


def test_answers() -> None:
    entry = {"address": POOL.upper().replace("0X", "0x"), "storageKeys": ["0x08"]}
    assert from_answer({"accessList": [entry], "gasUsed": "0x1"}) == ((POOL, (8,)),)
    for broken in (
        None,
        [],
        {},
        {"accessList": [{}]},
        {"accessList": None},
        {"accessList": [entry], "error": "revert"},
    ):
        assert from_answer(broken) == ()
    assert from_prestate({POOL: {"balance": "0x0", "storage": {"0x08": "0x01"}}, TOKEN: {}}) == (
        (POOL, (8,)),
        (TOKEN, ()),
    )


def test_what_two_trades_of_a_route_touched_is_known() -> None:
    learned = Learned()
    learned.remember("route", ((POOL, (8, 9)), (TOKEN, (1,))))
    assert learned.of("route") == ()
    learned.remember("route", ((POOL, (8, 10)),))
    assert learned.of("route") == ((POOL, (8,)),)
    learned.remember("route", ((POOL, (10, 8)), (TOKEN, ())))
    assert learned.of("route") == ((POOL, (8, 10)),)
    assert learned.of("other") == ()
