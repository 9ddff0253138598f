"""Profiles: the two that come with us load; every mistake is one line that names the place; no secret is shown."""

import logging
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chain.nodes.node import Endpoints
from bot.cli import profile as profiles
from bot.cli.profile import Profile, load
from bot.cli.urls import HttpUrl, IpcPath, WsUrl
from bot.devnet.tokens import TOKENS
from bot.errors import UserError
from bot.execution.keys import PASSWORD

FORKS = Path(__file__).parent.parent.parent / "forks"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
SECRET = "c0ffee" * 10 + "beef"
ENDPOINTS = 'http = "http://127.0.0.1:8545"\nws = "ws://127.0.0.1:8545"'


def test_the_devnet_s_profile_is_the_devnet() -> None:
    profile = load(FORKS / "devnet.toml")
    assert {(t.symbol, t.address, t.decimals) for t in profile.tokens} == {
        (spec.symbol, spec.address, spec.decimals) for spec in TOKENS.values()
    }
    assert (profile.chain_id, profile.weth, profile.base_tokens) == (31337, WETH, (WETH,))
    assert profile.units()[WETH] == ("WETH", 18)
    assert len(profile.operators()) == 6
    assert profile.limits().max_trade == {WETH: 1000 * 10**18}


def test_mainnet_s_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEV_OPERATOR_KEY", "MEV_RELAY_KEY", "MEV_RPC_HTTP", "MEV_RPC_WS"):
        monkeypatch.delenv(name, raising=False)
    profile = load(FORKS / "mainnet.toml")
    assert profile.operators() == [], "paper mode"
    assert profile.relay_signer().address != profile.relay_signer().address, "a fresh key each time"
    assert profile.v2_fees()["0x5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f"] == 3000
    assert profile.v3_tiers()["0x1f98431c8ad98523631ae4a59f267346ea31f984"] == (100, 500, 3000, 10000)
    with pytest.raises(UserError, match="MEV_RPC_HTTP is not set: export it with your URL, http:// or https://"):
        profile.endpoints()
    monkeypatch.setenv("MEV_RPC_HTTP", "https://node.example/v2/key")
    assert profile.endpoints()[0].http == "https://node.example/v2/key"
    monkeypatch.setenv("MEV_RPC_HTTP", f"{SECRET}")
    with pytest.raises(UserError, match="MEV_RPC_HTTP: a URL must begin with http://") as error:
        profile.endpoints()
    assert SECRET not in str(error.value)


def test_an_endpoint_whose_variable_is_not_set_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But not the node: a name mistyped must not cost it silently."""
    nodes = 'http = "${MEV_A}"\nws = "${MEV_B}"\nipc = "${MEV_C}"\nrate_limit = 2.5'
    profile = load(changed(tmp_path, (ENDPOINTS, nodes)))
    for name in ("MEV_A", "MEV_B", "MEV_C"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="MEV_A is not set"):
        profile.endpoints()
    monkeypatch.setenv("MEV_C", "/x.ipc")
    assert profile.endpoints() == [Endpoints("devnet", ipc="/x.ipc", rate=2.5)]
    with pytest.raises(UserError, match="MEV_A is not set"):
        profile.http_url()


def test_the_ledger_lies_in_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEV_HOME", str(tmp_path))
    assert load(FORKS / "devnet.toml").ledger_file() == tmp_path / "ledger.sqlite"


# --- mistakes --------------------------------------------------------------------------------------------------------


def changed(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = (FORKS / "devnet.toml").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = tmp_path / "changed.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("bid_share_bps", "bid_share_pbs", "bot: there is no key 'bid_share_pbs': did you mean bid_share_bps?"),
        ("block_time", "block_tiem", "there is no key 'block_tiem': did you mean block_time?"),
        ('name = "sushiswap-v2"', 'nane = "x"', "v2[1]: there is no key 'nane': did you mean name?"),
        ("morpho =", "zzz =", "lenders: there is no key 'zzz': there is morpho, balancer_vault"),
        ("chain_id = 31337", "", "the key 'chain_id' is missing"),
        ('name = "devnet"\nhttp', 'nam = "devnet"\nhttp', "nodes[0]: there is no key 'nam': did you mean name?"),
        ('[[nodes]]\nname = "devnet"\n' + ENDPOINTS, "", "the key 'nodes' is missing"),
        ('name = "devnet"\nhttp', "http", "nodes[0]: the key 'name' is missing"),
        (ENDPOINTS, "", "nodes[0]: node 'devnet' has no endpoint: give it http, ws or ipc"),
        (ENDPOINTS, 'ipc = "geth.ipc"', "nodes[0].ipc: an IPC socket's path must begin with /"),
        (ENDPOINTS, f"{ENDPOINTS}\nrate_limit = 0", "nodes[0].rate_limit: Expected `float` > 0"),
        (ENDPOINTS, f'{ENDPOINTS}\n[[nodes]]\nname = "devnet"\n{ENDPOINTS}', "node name devnet occurs 2 times"),
        ("block_time = 12", 'block_time = "12"', "block_time: Expected `int`"),
        ("block_time = 12", "block_time = 0", "block_time: Expected `int` >= 1"),
        ("bid_share_bps = 5_000", "bid_share_bps = 10_001", "bot.bid_share_bps: Expected `int` <= 10000"),
        ('hardfork = "cancun"', 'hardfork = "Cancun"', "hardfork: Invalid enum value 'Cancun'"),
        ("http = ", "http = 5 #", "nodes[0].http: a URL must be text in quotes"),
        ("http://127", "ws://127", "nodes[0].http: a URL must begin with http:// or https://"),
        ("http://127.0.0.1", "http://${HOST}", "nodes[0].http: a ${VARIABLE} must be the whole value"),
        ("0x5C69bEe7", "0x5c69bEe7", "v2[0]: address 0x5c69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f has a wrong checksum"),
        ("0x5C69bEe7", "0x5C69bEe", "is not an address"),
        ("0x5C69bEe7", "5C69bEe7aa", "is not an address"),
        ('"USDT", address = "0xdAC17F958D2ee523a2206206994597C13D831ec7"', f'"USDT", address = "{WETH}"', "occurs 2"),
        ('"USDT"', '"USDC"', "token symbol USDC occurs 2 times"),
        ("0xC0AEe478e3658e2610c5F7A4A2E1777cE9e4f2Ac", "0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f", "factory address"),
        ('base_tokens = ["WETH"]', 'base_tokens = ["WETHH"]', "no token is called 'WETHH': did you mean WETH?"),
        ('base_tokens = ["WETH"]', "base_tokens = []", "base_tokens is empty"),
        ('base_tokens = ["WETH"]', 'base_tokens = ["WETH", "WETH"]', "base token WETH occurs 2 times"),
        (
            'base_tokens = ["WETH"]',
            'base_tokens = ["WETH", "USDC"]',
            "risk.max_trade has no limit for the base token USDC",
        ),
        ('weth = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"', f'weth = "0x{"11" * 20}"', "not among the tokens"),
        ('{ WETH = "1000" }', '{ WETH = "1e3" }', "risk.max_trade.WETH '1e3' is not a decimal number"),
        ('{ WETH = "1000" }', '{ WETH = "-1" }', "is not a decimal number"),
        ('{ WETH = "1000" }', f'{{ WETH = "0.{"0" * 18}1" }}', "more than the token's 18 decimals"),
        ("chain_id = 31337", "chain_id = 1", "the devnet's keys are public"),
        ("decimals = 6", "decimals = -6", "tokens[1].decimals"),
        ("block_time = 12", "block_time = ", "is not TOML"),
        ("block_time = 12", "block_time = 12\nblock_time = 12", "is not TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = changed(tmp_path, (old, new))
    with pytest.raises(UserError) as error:
        load(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_no_factory_at_all(tmp_path: Path) -> None:
    text = (FORKS / "devnet.toml").read_text()
    path = tmp_path / "empty.toml"
    path.write_text(text[: text.index("[[v2]]")] + text[text.index("[lenders]") :])
    with pytest.raises(UserError, match="there is no factory"):
        load(path)


def test_a_missing_file_names_the_near_one() -> None:
    with pytest.raises(UserError, match=r"there is no profile .*devnt\.toml: did you mean .*devnet\.toml\?"):
        load(FORKS / "devnt.toml")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(b"\xff\xfe\x00"),
        lambda path: path.write_text(""),
        lambda path: path.write_text("[[[["),
    ],
)
def test_what_is_no_profile(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    path = tmp_path / "x.toml"
    spoil(path)
    with pytest.raises(UserError) as error:
        load(path)
    assert "\n" not in str(error.value)


@given(
    amount=st.fractions(min_value=0, max_value=10**60).filter(lambda f: f.denominator == 1)
    | st.decimals(min_value=0, max_value=10**30, places=18, allow_nan=False).map(Fraction),
    decimals=st.integers(18, 36),
)
def test_whole_tokens_become_smallest_units_exactly(amount: Fraction, decimals: int) -> None:
    whole, rest = divmod(amount.numerator * 10**18 // amount.denominator, 10**18)
    text = f"{whole}.{rest:018}"
    assert profiles.smallest_units("x", text, decimals) == amount * 10**decimals


# --- secrets ---------------------------------------------------------------------------------------------------------


def with_secrets(tmp_path: Path) -> Profile:
    return load(
        changed(
            tmp_path,
            ('http = "http://127.0.0.1:8545"', f'http = "https://user:{SECRET}@node.example/v2/{SECRET}?key={SECRET}"'),
            ('ws = "ws://127.0.0.1:8545"', f'ws = "wss://node.example:8443/{SECRET}"'),
        )
    )


def test_urls_are_shown_without_their_keys(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    profile = with_secrets(tmp_path)
    logging.getLogger("test").warning("%s %r", profile, profile.endpoints())
    shown = caplog.text + str(profile) + f"{profile.nodes} {profile.endpoints()!r}"
    assert "https://node.example" in shown
    assert "wss://node.example:8443" in shown
    assert SECRET not in shown
    assert str(profile.endpoints()[0].http).count(SECRET) == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"devnet:1"', f'"{SECRET}"'),
        ('"devnet:1"', f'"env:{SECRET}"'),
        ('"devnet:1"', f'"env:{SECRET.upper()}"'),
        ('relay = "devnet:6"', f'relay = "0x{SECRET}"'),
        ('http = "http://127.0.0.1:8545"', f'http = "htp://node.example/{SECRET}"'),
        ('http = "http://127.0.0.1:8545"', f'http = "${{X}}{SECRET}"'),
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(UserError) as error:
        load(changed(tmp_path, (old, new)))
    assert SECRET.lower() not in str(error.value).lower()


def test_a_key_file_without_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says which variable to set; nothing is written."""
    monkeypatch.delenv(PASSWORD, raising=False)
    key = tmp_path / "key.json"
    key.write_text('{"version": 3, "crypto": {"ciphertext": "00"}}')
    key.chmod(0o600)
    profile = load(changed(tmp_path, ('"devnet:1"', f'"keystore:{key}"')))
    before = sorted(tmp_path.iterdir())
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(UserError, match=PASSWORD) as error:
            profile.operators()
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("text", ["", "http://", "http:/x", "https://a b", "https://x\ny", "ftp://x"])
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(ValueError, match="must begin"):
        HttpUrl(text)


@pytest.mark.parametrize("text", ["", "geth.ipc", "http://x", "~/geth.ipc"])
def test_what_is_no_ipc_path(text: str) -> None:
    with pytest.raises(ValueError, match="must begin"):
        IpcPath(text)


def test_websockets_are_not_http() -> None:
    with pytest.raises(ValueError, match="ws:// or wss://"):
        WsUrl("https://node.example")
