"""The ladder: a token bought and sold at sizes from dust to half of the pool's base; what an ordinary purchase is."""

from __future__ import annotations

from collections.abc import Sequence

from bot.chain.launches.judge import Judge, Sample
from bot.chain.launches.probe import ALL, Fill
from bot.chain.launches.report import Severity, Taxes
from bot.chain.launches.scenes import TIP, Scene, Stage

PPM = 10**6
SIZES = (1, 100, 1_000, 10_000, 100_000, 500_000)
"""Millionths of the pool's base; of all but the last up to three times as much, so that no size can be foreseen."""
ORDINARY = (1_000, 10_000, 100, 1)
"""The sizes that the other trials take, by preference."""
SMALL = 10_000
"""A sale of so much must be possible at once."""
NO_SIZE = "the pool is too small to try it"
DUST = 100
"""Where what a sale brings may be less than a wei."""


async def climb(judge: Judge, insiders: Sequence[str]) -> Sample | None:
    """What an ordinary purchase is like; None where nobody can buy, or buyers cannot sell. ``insiders`` may be able to.
    Raises RpcUnreachable."""
    return await _Ladder(judge, insiders).climb()


class _Ladder:
    def __init__(self, judge: Judge, insiders: Sequence[str]) -> None:
        self._judge, self._insiders = judge, insiders
        self._stage: Stage = judge.stage
        self._first = judge.stage.account("first")

    async def climb(self) -> Sample | None:
        rungs = []
        for size in SIZES:
            more = self._stage.drawn(f"size {size}", 10_000, 30_000 if size < SIZES[-1] else 10_000)
            amount = self._stage.reserve * size * more // (PPM * 10_000)
            scene = Scene(self._stage)
            places = (
                scene.buy(self._first, amount),
                scene.at(1).sell(self._first, ALL // 2),
                scene.at(2).sell(self._first, ALL),
            )
            rungs.append((size, amount, scene, places))
        samples: dict[int, Sample] = {}
        refused = unknown = 0
        for (size, amount, _, places), played in zip(
            rungs, await self._stage.play(rung[2] for rung in rungs), strict=True
        ):
            if played.refused:
                unknown += 1
                self._judge.add(Severity.GAP, "refused", "the node refuses a trial", played.refused)
                continue
            bought, half, rest = (played.fill(place) for place in places)
            if bought.empty or not amount:
                continue
            if bought.failed:
                refused += 1
                self._bought_not(size, bought)
                continue
            sample = Sample(amount, bought, half, rest)
            self._rung(size, sample, any(one.sells for one in samples.values()))
            samples[size] = sample
        if not samples:
            if refused:
                text = "nobody can buy it, so nothing else can be tried"
                self._judge.add(Severity.GAP, "no-buy", text, "at every size")
            elif not unknown:
                self._judge.add(Severity.GAP, "no-size", NO_SIZE, "at every size")
            return None
        order = [samples[size] for size in (*ORDINARY, *SIZES) if size in samples]
        chosen = next((one for one in order if one.sells and not one.coarse), None)
        chosen = chosen or next((one for one in order if one.sells), order[0])
        self._judge.taxes = Taxes(chosen.bought.lost_out, None if chosen.sold.why else chosen.sold.lost_in)
        if not chosen.sells:
            await self._explain(chosen)
            if not self._judge.findings.trapped:
                self._judge.add(Severity.GAP, "no-size", NO_SIZE, "no size can be bought and sold in parts")
            return None
        return chosen

    def _rung(self, size: int, sample: Sample, less_sells: bool) -> None:
        """``less_sells``: a smaller amount could be sold."""
        bought = sample.bought
        where = f"bought for {_share(size)}"
        self._judge.received(where, bought)
        sold = [("half sold a block later", sample.sold), ("the rest sold two blocks later", sample.rest)]
        for words, fill in sold:
            if not fill.why:
                self._judge.sold(f"{where}, {words}", fill)
            elif fill.empty and (size <= DUST or sample.coarse):
                continue
            elif size <= SMALL or not less_sells:
                text = "larger amounts than dust cannot be sold" if less_sells else "it cannot be sold"
                self._judge.add(Severity.TRAP, "no-sale", text, f"{where}, {words}: {fill.why}")
            else:
                text = "large amounts cannot be sold at once"
                self._judge.add(Severity.HIGH, "sale-limit", text, f"{where}, {words}: {fill.why}")
        if sample.sells and size > 1:
            self._worth(where, bought, sample.sold, sample.rest)

    async def _explain(self, sample: Sample) -> None:
        """Why nobody can sell: who can, and how."""
        ways = []
        for words, code, sender, tip in (
            ("", "", self._first, TIP),
            *((f"{one} can", "allow-list", one, TIP) for one in self._insiders),
            ("they can without a priority fee", "gas-price", self._first, 0),
        ):
            scene = Scene(self._stage).act(sender)
            scene.buy(self._first, sample.amount)
            ways.append((words, code, scene, scene.at(1).sell(sender, ALL // 100, tip=tip)))
        played = await self._stage.play(way[2] for way in ways)
        sells = [not one.refused and not one.fill(way[3]).why for one, way in zip(played, ways, strict=True)]
        for (words, code, _, _), sold in zip(ways, sells, strict=True):
            if sold and not sells[0]:
                text = "only some may sell" if code == "allow-list" else "it can be sold at some prices of gas only"
                self._judge.add(Severity.TRAP, code, text, f"buyers cannot sell, {words}")

    def _worth(self, where: str, bought: Fill, half: Fill, rest: Fill) -> None:
        """What a round costs beyond the pool's fee."""
        if bought.lost_out or half.lost_in or rest.lost_in:
            return
        fee = self._stage.pool.fee
        spent = bought.left
        least = spent * (PPM - fee) ** 2 // PPM**2 * 995 // 1000
        back = half.got + rest.got
        if spent > PPM and back < least:
            severity = Severity.TRAP if back * 2 < spent else Severity.HIGH
            self._judge.add(
                severity, "worth", "its worth shrinks between trades", f"{where}: {back} of {spent} wei come back"
            )

    def _bought_not(self, size: int, fill: Fill) -> None:
        self._judge.add(Severity.MEDIUM, "buy-limit", "purchases are limited", f"for {_share(size)}: {fill.why}")


def _share(size: int) -> str:
    return f"{size / 10_000:g} % of the pool's base"
