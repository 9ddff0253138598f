"""A basket on its whole way: found on the devnet, proven, journalled, sent, mined by the builder, and settled."""

from __future__ import annotations

import io
import random
from pathlib import Path

from rich.console import Console

from bot.chain.nodes.node import Endpoints
from bot.chain.nodes.pool import NodePool
from bot.cli import ledger as ledger_command
from bot.cli import profile as profiles
from bot.cli.assembly import assemble
from bot.cli.demo_report import Progress
from bot.cli.deployment import book_of, deploy_executor
from bot.devnet.deployment import CHAIN_ID
from bot.devnet.network import Devnet
from bot.engine.clock import SystemClock
from bot.engine.decode import header
from bot.engine.types import Basket, MinedTx, NewHead, Reason
from bot.execution import keys
from bot.execution.accounts import Operator, Operators
from bot.execution.relay import Relay
from bot.ledger.ledger import Ledger
from bot.ledger.records import RunKind, trade_from_text, trade_to_text
from bot.paths import data_dir, repo_root
from bot.strategies.gas import GasPolicy
from bot.strategies.joint import Joint

SEED, SLOTS = 11, 4


async def test_a_basket_lands(tmp_path: Path) -> None:
    profile = profiles.load(repo_root() / "forks" / "devnet.toml")
    signers = profile.operators()
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        async with (
            Devnet(data_dir(), SEED) as net,
            Relay("devnet", net.relay_url, keys.ephemeral()) as relay,
            NodePool([Endpoints("devnet", net.node.http_url, net.node.ws_url)]) as nodes,
        ):
            book = book_of(net.deployment)
            contract = await deploy_executor(net, book, signers)
            for _ in range(SLOTS):
                await net.send_flow()
                await net.build_block()
            clock = SystemClock(start_seconds=0)
            run = ledger.begin_run(RunKind.DEMO, profile="devnet", chain_id=CHAIN_ID, tokens=profile.units())
            bot = await assemble(
                profile,
                state_url=net.node.http_url,
                nodes=nodes,
                contract=contract,
                ledger=ledger,
                run=run,
                relays=[relay],
                operators=Operators([Operator(signer, mined=0) for signer in signers]),
                clock=clock,
                rng=random.Random(SEED),
                book=book,
            )
            head = bot.fork.head
            found = Joint(bot.market, GasPolicy(profile.weth)).process(NewHead(head, (), {}, (), 0))
            assert found
            basket = found[0].trade
            assert isinstance(basket, Basket)
            assert trade_from_text(trade_to_text(basket)) == basket
            await bot.executor.execute(found[:1])
            await bot.executor.drain()
            (entry,) = ledger.entries(run)
            assert entry.trade == basket and entry.strategy == "joint" and entry.outcome is None
            await net.build_block()
            block = await net.node.rpc.call("eth_getBlockByNumber", "latest", False)
            mined = tuple(MinedTx(tx, "0xa", None, 0, 0, "0x") for tx in block["transactions"])
            await bot.executor.adapt(NewHead(header(block), (), {}, mined, 0))
            (entry,) = ledger.entries(run)
            assert entry.outcome is not None and entry.outcome.reason is Reason.LANDED
            assert entry.trade == basket
            assert entry.outcome.realised_profit == entry.predicted_profit > 0
            assert entry.predicted_profit + entry.bid == basket.gross_profit
            await bot.executor.finish()
        check_reports(ledger, run)


def check_reports(ledger: Ledger, run: int) -> None:
    """Whoever lists intents says what it was."""
    (entry,) = ledger.entries(run)
    out = io.StringIO()
    console = Console(file=out, width=400)
    console.print(ledger_command._intents_table([entry], ledger.summary(run)))
    assert all(f"{hop.kind}:{hop.pool[:6]}" in out.getvalue() for hop in entry.trade.route)
    told = Progress(console, {})._told(entry)
    assert f"joint {len(entry.trade.route)} swaps between" in told
