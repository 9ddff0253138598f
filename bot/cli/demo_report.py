"""What ``mev demo`` shows: a line a block, and the summary at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from rich.console import Console
from rich.table import Table

from bot.cli.assembly import Bot
from bot.devnet.builder import BuiltBlock
from bot.engine.types import Basket
from bot.ledger.ledger import Ledger
from bot.ledger.records import Entry, Summary

ETH = 10**18


class Progress:
    """A line a block, so that one sees the bot work. ``symbols`` are the tokens' by address."""

    def __init__(self, console: Console, symbols: Mapping[str, str]) -> None:
        self._console, self._symbols = console, symbols
        self._profit = self._found = self._submitted = 0

    def begin(self) -> None:
        self._print("block", "txs", "found", "sent", "landed", "profit ETH", "best of the block")

    def block(self, built: BuiltBlock, flow: int, bot: Bot, newest: Sequence[Entry]) -> None:
        """``newest``: the last intents, among which are those that landed in this block."""
        found, submitted = bot.engine.counts.opportunities, bot.executor.stats.submitted
        landed = [
            (outcome.realised_profit, entry)
            for entry in newest
            if (outcome := entry.outcome) and outcome.reason == "landed" and outcome.block_number == built.number
        ]
        self._profit += sum(profit for profit, _ in landed)
        self._print(
            built.number,
            flow,
            found - self._found,
            submitted - self._submitted,
            len(landed),
            f"{self._profit / ETH:.6f}",
            self._told(max(landed, key=lambda one: one[0])[1]) if landed else "",
        )
        self._found, self._submitted = found, submitted

    def _told(self, entry: Entry) -> str:
        route = entry.trade.route
        if isinstance(entry.trade, Basket):
            names = dict.fromkeys(self._symbols.get(hop.token_in, hop.token_in[:8]) for hop in route)
            path = f"{len(route)} swaps between {', '.join(names)}"
        else:
            tokens = [route[0].token_in, *(hop.token_out for hop in route)]
            path = " → ".join(self._symbols.get(token, token[:8]) for token in tokens)
        profit = entry.outcome.realised_profit if entry.outcome else 0
        return f"{entry.strategy} {path} +{profit / ETH:.6f}"

    def _print(self, *columns: object) -> None:
        widths = (6, 4, 6, 5, 7, 11)
        text = " ".join(f"{column:>{width}}" for column, width in zip(columns, widths, strict=False))
        self._console.print(f"{text}  {columns[-1]}", highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class DemoResult:
    """``gained`` is what the executor's WETH balance grew by: the chain's own word on the profit, in wei."""

    blocks: int
    simulated: int
    failed_events: int
    latencies_ns: tuple[int, ...]
    summary: Summary
    entries: tuple[Entry, ...]
    weth: str
    gained: int
    ledger: str
    refused: dict[str, int]

    @classmethod
    def of(cls, blocks: int, bot: Bot, ledger: Ledger, run: int, weth: str, gained: int) -> Self:
        return cls(
            blocks=blocks,
            simulated=bot.prover.proved,
            failed_events=bot.engine.counts.failed,
            latencies_ns=tuple(sorted(bot.executor.stats.latencies_ns)),
            summary=ledger.summary(run),
            entries=tuple(ledger.entries(run)),
            weth=weth,
            gained=gained,
            ledger=str(ledger.path),
            refused={reason.value: count for reason, count in bot.executor.stats.refused.most_common()},
        )

    @property
    def profit(self) -> int:
        return self.summary.realised.get(self.weth, 0)

    @property
    def predicted(self) -> int:
        return self.summary.predicted.get(self.weth, 0)

    @property
    def wrong(self) -> list[str]:
        """What must not be, in words; empty when all is well."""
        found = []
        if self.summary.reverted:
            found.append(f"{self.summary.reverted} of our transactions reverted on chain")
        for entry in self.entries:
            outcome = entry.outcome
            if outcome is not None and outcome.reason == "landed" and outcome.realised_profit != entry.predicted_profit:
                found.append(
                    f"intent {entry.id} realised {outcome.realised_profit} wei, predicted {entry.predicted_profit}"
                )
        if self.summary.under_way:
            found.append(f"{self.summary.under_way} intents have no outcome in the ledger")
        if self.gained != self.profit:
            found.append(f"the executor gained {self.gained} wei, the ledger says {self.profit}")
        if self.failed_events:
            found.append(f"{self.failed_events} events failed: see the log")
        return found

    def latency_ms(self, share: float) -> float:
        """The latency that ``share`` of the bundles stayed below, milliseconds from seen to handed over."""
        if not self.latencies_ns:
            return 0.0
        return self.latencies_ns[min(len(self.latencies_ns) - 1, int(share * len(self.latencies_ns)))] / 1e6

    def as_json(self) -> dict[str, Any]:
        return {
            "blocks": self.blocks,
            "found": self.summary.found,
            "simulated": self.simulated,
            "submitted": self.summary.submitted,
            "landed": self.summary.landed,
            "reverted": self.summary.reverted,
            "profit_wei": self.profit,
            "predicted_profit_wei": self.predicted,
            "gas_wei": self.summary.gas_cost,
            "bids_wei": self.summary.bids.get(self.weth, 0),
            "latency_ms": {
                "p50": round(self.latency_ms(0.5), 3),
                "p99": round(self.latency_ms(0.99), 3),
                "max": round(self.latency_ms(1), 3),
            },
            "ledger": self.ledger,
            "run": self.summary.run.id,
            "outcomes": {reason.value: count for reason, count in self.summary.reasons.items()},
            "refused": self.refused,
            "wrong": self.wrong,
        }

    def print(self, console: Console) -> None:
        table = Table(title=f"{self.blocks} blocks", title_justify="left", show_header=False)
        table.add_column()
        table.add_column(justify="right")
        summary = self.summary
        rows = [
            ("opportunities found", f"{summary.found}"),
            ("simulated", f"{self.simulated}"),
            ("bundles submitted", f"{summary.submitted}"),
            ("bundles landed", f"{summary.landed}"),
            ("reverted on chain", f"{summary.reverted}"),
            ("profit realised, wei of WETH", f"{self.profit}"),
            ("profit predicted for these", f"{self.predicted}"),
            ("gas paid by the operators, wei", f"{summary.gas_cost}"),
            ("net, ETH", f"{(self.profit - summary.gas_cost) / ETH:.6f}"),
            ("bids to the builder, ETH", f"{summary.bids.get(self.weth, 0) / ETH:.6f}"),
            ("seen → handed to the relay, ms", f"p50 {self.latency_ms(0.5):.2f}"),
            ("", f"p99 {self.latency_ms(0.99):.2f}"),
            ("", f"max {self.latency_ms(1):.2f}"),
        ]
        for row in rows:
            table.add_row(*row)
        console.print(table)
        ended = ", ".join(f"{count} {reason.value}" for reason, count in summary.reasons.items())
        console.print(f"outcomes: {ended or 'none'}; not taken: {_counts(self.refused)}")
        console.print(f"ledger: {self.ledger} (run {summary.run.id}); `mev ledger --run {summary.run.id}` prints it")
        for line in self.wrong:
            console.print(f"[red]WRONG[/] {line}")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none"
