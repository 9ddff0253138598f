"""`ape run …` end to end: the commands as their user types them, against nodes of their own."""

import json

from ape.api import AccountAPI
from conftest import LOCAL, ApeRun, anvil

from scripts._shared.place import PROXY_TRANSACTION, Place

OTHER_WETH = "0x4200000000000000000000000000000000000006"


def test_every_script_is_a_command_and_nothing_shared_is(ape_run: ApeRun) -> None:
    said = ape_run("--help")
    commands = {line.split()[0] for line in said.stdout.partition("Commands:")[2].splitlines() if line.strip()}
    assert {"deploy", "verify", "fund", "withdraw", "operator", "rehearse"} <= commands
    assert not any(command.startswith("_") for command in commands)
    assert "rror" not in said.stdout + said.stderr


def test_an_executors_life(ape_run: ApeRun, owner: AccountAPI, operator: AccountAPI) -> None:
    """On a chain without the deployment proxy, from deployment to the last withdrawal."""
    address = Place(owner.address).executor
    on_chain = ("--network", LOCAL, "--chain-id", "4711")
    with anvil(4711, "--disable-default-create2-deployer") as url:
        for arguments in (
            ("deploy", "--account", "TEST::0", "--operator", operator.address),
            ("fund", "--account", "TEST::0", "--amount", "2"),
            ("operator", "remove", operator.address, "--account", "TEST::0"),
            ("withdraw", "--account", "TEST::0", "--amount", "1.5"),
        ):
            done = ape_run(*arguments, *on_chain, APE_FOUNDRY_HOST=url)
            assert done.returncode == 0, done.stdout + done.stderr
        done = ape_run("verify", address, "--json", *on_chain, APE_FOUNDRY_HOST=url)
        told = json.loads(done.stdout)
        assert told["ok"] and told["chain_id"] == 4711 and told["balances"] == {"ETH": 0, "WETH": 5 * 10**17}
        done = ape_run("verify", address, "--operator", operator.address, *on_chain, APE_FOUNDRY_HOST=url)
        assert done.returncode == 1 and f"{operator.address} is not an operator" in done.stderr


def test_the_address_is_the_same_where_wrapped_eth_is_another(ape_run: ApeRun, owner: AccountAPI) -> None:
    with anvil(10, weth=OTHER_WETH) as url:
        done = ape_run("deploy", "--account", "TEST::0", "--network", LOCAL, APE_FOUNDRY_HOST=url)
    assert done.returncode == 0, done.stderr
    assert f"executor {Place(owner.address).executor} on" in done.stdout and OTHER_WETH in done.stdout


def test_a_rehearsal_on_a_fork_of_mainnet(ape_run: ApeRun) -> None:
    fork = ("rehearse", "--network", "ethereum:mainnet-fork:foundry")
    with anvil(1) as upstream:
        done = ape_run(*fork, "--program", "0x00", MEV_RPC_HTTP=upstream)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ethereum:mainnet-fork, chain 1" in done.stdout and "all went well" in done.stdout
        failed = ape_run(*fork, "--program", "0x0101", MEV_RPC_HTTP=upstream)
        assert failed.returncode == 1 and "failed at: run the program: BelowMinimum" in failed.stderr


def test_a_live_network_is_not_touched_by_mistake(ape_run: ApeRun) -> None:
    with anvil(11155111, "--disable-default-create2-deployer") as url:
        live = ("--network", f"ethereum:sepolia:{url}", "--account", "TEST::0")
        confirmed = (*live, "--confirm", "ethereum:sepolia")
        for arguments, reason in (
            (("deploy", *live), "say --confirm ethereum:sepolia"),
            (("deploy", *confirmed), "say this chain's wrapped ETH by --weth"),
            (("deploy", *confirmed, "--weth", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"), PROXY_TRANSACTION),
            (("rehearse", *live[:2]), "rehearse on a fork"),
        ):
            done = ape_run(*arguments)
            assert done.returncode == 2 and reason in done.stderr, done.stderr
