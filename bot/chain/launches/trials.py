"""Trials of a token: bought, sold and passed on in every way that a trap was ever seen to refuse.

First a ladder of sizes, then at an ordinary size: in the same block, blocks and days later, by contracts, by two
accounts in turn, in parts, after forty others, passed on between accounts, at other prices of gas, over other routers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bot.chain.launches.judge import Judge, Sample, Trial
from bot.chain.launches.ladder import climb
from bot.chain.launches.probe import ALL, ROUTERS, SHARED_ROUTERS, Fill, paid
from bot.chain.launches.report import Findings, Severity, Taxes
from bot.chain.launches.scenes import Played, Scene, Stage
from bot.chain.state_reader import StateReader
from bot.chain.tokens import reason
from bot.jsonrpc import RpcError

DAY = 86_400
LATER = (
    (1, 2, None),
    (3, 7, None),
    (9, 29, None),
    (30, 80, None),
    (90, 160, None),
    (200, 250, None),
    (300, 900, None),
    (7_200, 14_000, None),
    (300_000, 900_000, None),
    (3, 3, 3_600),
    (4, 9, DAY),
    (5, 9, 7 * DAY),
    (6, 9, 30 * DAY),
    (7, 9, 366 * DAY),
)
"""From how many to how many blocks on; and seconds, to twice as many, where they are not those blocks'."""
UNSEEN = 250
"""Blocks to come that every node looks at; geth refuses more than 256."""
CROWD, WHALES = 40, 8
LEAST_GAS = 250_000


class Trials:
    """Of one token on a stage. ``findings`` gather."""

    def __init__(self, stage: Stage, findings: Findings, insiders: Sequence[str] = ()) -> None:
        """``insiders`` are accounts that may be able to sell where others are not."""
        self._stage, self._insiders, self._judge = stage, insiders, Judge(stage, findings)
        self._first, self._second, self._third = (stage.account(name) for name in ("first", "second", "third"))

    @property
    def taxes(self) -> Taxes:
        """What ordinary trades lose."""
        return self._judge.taxes

    async def run(self) -> Sample | None:
        """What an ordinary purchase is like; None where nobody can buy, or buyers cannot sell. Raises
        RpcUnreachable."""
        sample = await climb(self._judge, self._insiders)
        if sample is None:
            return None
        trials = [*self._later(sample), *self._ways(sample), *self._orders(sample), self._passed_on(sample)]
        for played, (_, judge) in zip(await self._stage.play(trial[0] for trial in trials), trials, strict=True):
            if played.refused:
                number = max(block for block, _, _ in played.scene.blocks)
                severity = Severity.INFO if number > UNSEEN else Severity.GAP
                text = "the node does not look that far ahead" if number > UNSEEN else "the node refuses a trial"
                self._judge.add(severity, f"refused-{severity}", text, f"up to {number} blocks on: {played.refused}")
            else:
                judge(played)
        await self._really(sample)
        return sample

    async def _really(self, sample: Sample) -> None:
        """Over the router's own code, which a token could tell from the probe's."""
        stage, first = self._stage, self._first
        (code,) = await StateReader(stage.rpc, int(stage.on, 16)).codes([stage.router])
        if stage.pool.factory not in ROUTERS or isinstance(code, RpcError) or not code:
            return
        amount = max(sample.bought.got // 2, 1)
        scene = Scene(stage)
        bought = scene.trade_really(first, stage.base, sample.amount), scene.balance(first)
        sold = scene.at(1).trade_really(first, stage.token, amount), scene.balance(first)
        (played,) = await stage.play([scene])
        if played.refused:
            self._judge.add(Severity.GAP, "refused-gap", "the node refuses a trial", played.refused)
            return
        had, has = (played.number(place) or 0 for _, place in (bought, sold))
        how = f"over {stage.router} itself"
        (_, pays), (came, _) = (
            paid(stage.pool, token, played.result(place))
            for token, (place, _) in ((stage.base, bought), (stage.token, sold))
        )
        text = "it cannot be traded over its router"
        for place, _ in (bought, sold):
            if not (result := played.result(place)).success:
                self._judge.add(Severity.TRAP, "real-router", text, f"{how}: {reason(result)}")
                return
        self._judge.received(f"bought {how}", Fill(paid=pays, got=had))
        fill = Fill(amount, had - has, came, gas=played.result(sold[0]).gas_used)
        self._judge.resold(f"sold {how}", sample, fill, Severity.TRAP, "real-router", text)

    # --- later ---

    def _later(self, sample: Sample) -> Iterator[Trial]:
        """Held, and sold later; and bought and sold then by somebody new."""
        for number, (early, late, most) in enumerate(LATER):
            blocks = self._stage.drawn(f"blocks {number}", early, late)
            seconds = most and self._stage.drawn(f"seconds {number}", most, 2 * most)
            scene = Scene(self._stage)
            bought = scene.buy(self._first, sample.amount)
            scene.at(blocks, seconds)
            places = scene.sell(self._first, ALL), scene.buy(self._second, sample.amount)
            new = scene.at(blocks + 1, None if seconds is None else seconds + 60).sell(self._second, ALL)
            when = f"{blocks} blocks on" if seconds is None else f"{seconds // 3600} hours on"
            yield scene, self._judge_later(sample, when, bought, *places, new)

    def _judge_later(
        self, sample: Sample, when: str, bought: int, held: int, late: int, new: int
    ) -> Callable[[Played], None]:
        def judge(played: Played) -> None:
            before, sold = played.fill(bought), played.fill(held)
            text = "sales end some time after buying"
            self._judge.resold(f"bought now, sold {when}", sample, sold, Severity.TRAP, "no-later-sale", text)
            if not sold.why and sold.held != before.kept:
                shrunk = sold.held < before.kept
                grave = Severity.TRAP if sold.held * 2 < before.kept else Severity.HIGH
                evidence = f"{when}: {sold.held}, after buying {before.kept}"
                words = "shrink" if shrunk else "grow"
                self._judge.add(
                    grave if shrunk else Severity.HIGH, "drift", f"balances {words} by themselves", evidence
                )
            then = played.fill(late)
            if then.failed:
                self._judge.add(
                    Severity.MEDIUM, "no-later-buy", "it cannot be bought any more later", f"{when}: {then.why}"
                )
            elif not then.why:
                self._judge.received(f"bought {when}", then)
                what = f"bought {when}, sold a block later"
                self._judge.resold(what, sample, played.fill(new), Severity.TRAP, "no-later-sale", "sales end later")

        return judge

    # --- by whom and how ---

    def _ways(self, sample: Sample) -> Iterator[Trial]:
        scene = Scene(self._stage)
        bought, sold = scene.buy(self._first, sample.amount), scene.sell(self._first, ALL)
        text = "it cannot be sold in the block in which it was bought"
        yield self._judge.pair(
            sample, scene, bought, sold, "sold in the same block", Severity.MEDIUM, "same-block", text
        )
        scene = Scene(self._stage)
        bought = scene.buy_as_contract(self._first, sample.amount)
        sold = scene.at(1).sell_as_contract(self._first, ALL)
        text = "contracts cannot trade it"
        yield self._judge.pair(sample, scene, bought, sold, "by a contract", Severity.HIGH, "contracts", text)
        scene = Scene(self._stage)
        yield scene, self._judge.judge_round(scene.round(self._first, sample.amount))
        for router in SHARED_ROUTERS:
            scene = Scene(self._stage, router=router)
            bought, sold = scene.buy(self._first, sample.amount), scene.at(1).sell(self._first, ALL)
            text = "it trades over some routers only"
            yield self._judge.pair(sample, scene, bought, sold, f"over {router}", Severity.HIGH, "router", text)
        limit = sample.sold.gas * 3 // 2
        scene = Scene(self._stage, gas=max(limit, LEAST_GAS))
        bought, sold = scene.buy(self._first, sample.amount), scene.at(1).sell(self._first, ALL // 2)
        what = f"with no more than {limit} gas"
        yield self._judge.pair(sample, scene, bought, sold, what, Severity.TRAP, "gas-limit", "it wants gas to spare")
        for tip in (0, 10 * self._stage.block.base_fee + 10**11):
            scene = Scene(self._stage)
            bought, sold = scene.buy(self._first, sample.amount), scene.at(1).sell(self._first, ALL, tip=tip)
            text = "it can be sold at some prices of gas only"
            what = f"sold with {tip} wei a gas above the base fee"
            yield self._judge.pair(sample, scene, bought, sold, what, Severity.HIGH, "gas-price", text)

    def _orders(self, sample: Sample) -> Iterator[Trial]:
        first, second = self._first, self._second
        scene = Scene(self._stage)  # two accounts in turn
        places = []
        for number, who in enumerate((first, second, first, second)):
            bought = scene.at(2 * number + 1).buy(who, sample.amount)
            places.append((f"account {number % 2 + 1}", bought, scene.at(2 * number + 2).sell(who, ALL)))
        yield scene, self._judge.judge_all(sample, places, "repeat", "it cannot be sold again after a sale")
        scene = Scene(self._stage)  # in parts
        bought = scene.buy(first, sample.amount)
        parts = [(f"part {part + 1}", bought, scene.at(part + 1).sell(first, 1_000)) for part in range(8)]
        parts.append(("the rest", bought, scene.at(9).sell(first, ALL)))
        yield scene, self._judge.judge_all(sample, parts, "parts", "it cannot be sold in parts")
        scene = Scene(self._stage)  # a day between two sales
        bought = scene.buy(first, sample.amount)
        parts = [("half", bought, scene.at(1).sell(first, ALL // 2))]
        parts.append(("the rest a day later", bought, scene.at(2, DAY).sell(first, ALL)))
        yield scene, self._judge.judge_all(sample, parts, "parts", "it cannot be sold in parts")
        scene = Scene(self._stage)  # after large purchases, at a much higher price
        bought = scene.buy(first, sample.amount)
        for number in range(WHALES):
            scene.at(number + 1).buy(self._stage.account(f"whale {number}"), self._stage.reserve // 5)
        places = [("the first", bought, scene.at(WHALES + 1).sell(first, ALL))]
        yield scene, self._judge.judge_all(sample, places, "risen", "it cannot be sold once its price has risen")
        scene = Scene(self._stage)  # after a crowd
        accounts = [self._stage.account(f"crowd {number}") for number in range(CROWD)]
        bought = 0
        for number, who in enumerate(accounts):
            if number % 20 == 0:
                scene.at(number // 20 + 1)
            bought = scene.buy(who, max(sample.amount // 10, 1))
        scene.at(4)
        places = [(f"buyer {number + 1}", bought, scene.sell(accounts[number], ALL)) for number in (0, 20, CROWD - 1)]
        yield scene, self._judge.judge_all(sample, places, "crowd", f"after {CROWD} purchases it cannot be sold")

    # --- passed on ---

    def _passed_on(self, sample: Sample) -> Trial:
        """From account to account, then sold; and to a contract."""
        first, second, third, nobody = self._first, self._second, self._third, self._stage.account("nobody")
        amount = max(sample.bought.got // 2, 1)
        scene = Scene(self._stage)
        unused = scene.balance(nobody)
        bought = scene.buy(first, sample.amount)
        scene.at(1)
        had = scene.balance(first)
        moves = []
        for sender, to, moved in ((first, second, amount), (second, third, -(-amount // 2))):
            move = scene.transfer(sender, to, moved)
            moves.append((moved, move, scene.balance(sender), scene.balance(to)))
        sold = scene.at(2).sell(third, ALL)

        def judge(played: Played) -> None:
            if played.number(unused):
                evidence = f"an account that never had any has {played.number(unused)}"
                self._judge.add(Severity.HIGH, "fake-balance", "balances are invented", evidence)
            if played.fill(bought).why:
                return
            before = (played.number(had), played.number(moves[0][3]))
            for (moved, move, left, came), start in zip(moves, before, strict=True):
                result = played.result(move)
                if not result.success:
                    text = "it cannot be passed on"
                    self._judge.add(Severity.HIGH, "transfer", text, f"between accounts: {reason(result)}")
                    return
                self._judge.moved(moved, start, played.number(left), played.number(came), result.output)
            what = "passed on twice, then sold"
            text = "only who bought it can sell it"
            self._judge.resold(what, sample, played.fill(sold), Severity.HIGH, "passed-on", text)

        return scene, judge
