"""Bad input to any command: one line on stderr, status 2, nothing on stdout, nothing written."""

import gzip
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account

from bot.cli.main import run

ROOT = Path(__file__).parent.parent.parent
CASSETTES = ROOT.parent / "shared" / "data" / "mainnet"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that must stay as it is: absent."""
    home = tmp_path / "home"
    monkeypatch.setenv("MEV_HOME", str(home))
    for name in ("MEV_RPC_HTTP", "MEV_RPC_WS", "MEV_OPERATOR_KEY", "MEV_RELAY_KEY", "MEV_KEYSTORE_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115
    return home


@pytest.fixture
def refused(home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def refused(*args: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        status = run([str(arg) for arg in args])
        out, err = capfd.readouterr()
        assert (status, out) == (2, ""), err
        assert err.startswith("mev: ") and err.count("\n") == 1, err
        assert sorted(tmp_path.rglob("*")) == before
        return err

    return refused


def profile(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = (ROOT / "forks" / "devnet.toml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "changed.toml").write_text(text)
    return tmp_path / "changed.toml"


def closed_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def test_a_missing_rpc_variable(refused: Callable[..., str]) -> None:
    assert "MEV_RPC_HTTP is not set" in refused("run", "--profile", ROOT / "forks" / "mainnet.toml", "--paper")


def test_a_node_that_does_not_answer(refused: Callable[..., str], tmp_path: Path) -> None:
    changed = profile(tmp_path, ("127.0.0.1:8545", f"127.0.0.1:{closed_port()}"))
    assert "no node of profile" in refused("run", "--profile", changed, "--paper")


def test_an_unknown_profile_key(refused: Callable[..., str], tmp_path: Path) -> None:
    changed = profile(tmp_path, ("bid_share_bps", "bid_shar_bps"))
    assert "did you mean bid_share_bps" in refused("run", "--profile", changed)


def test_no_such_profile(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "no profile" in refused("run", "--profile", tmp_path / "nothing.toml")


def test_a_key_file_without_a_password(refused: Callable[..., str], tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text(json.dumps(Account.encrypt(b"\x11" * 32, "x", kdf="pbkdf2", iterations=1000)))
    changed = profile(tmp_path, ('"devnet:1"', f'"keystore:{key}"'))
    assert "MEV_KEYSTORE_PASSWORD" in refused("run", "--profile", changed)


def test_a_wrong_password(refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEV_KEYSTORE_PASSWORD", "not this one")
    key = tmp_path / "key.json"
    key.write_text(json.dumps(Account.encrypt(b"\x11" * 32, "x", kdf="pbkdf2", iterations=1000)))
    key.chmod(0o600)
    changed = profile(tmp_path, ('"devnet:1"', f'"keystore:{key}"'))
    said = refused("run", "--profile", changed)
    assert "password does not open" in said
    assert "not this one" not in said


@pytest.mark.parametrize(
    "args",
    [
        ("ledger", "--run", "1"),
        ("ledger", "--limit", "none"),
        ("demo", "--blocks", "0"),
        ("demo", "--block", "5"),
        ("run",),
        ("dmeo",),
        ("replay", "/nowhere.json.gz"),
    ],
)
def test_a_bad_command_line(refused: Callable[..., str], args: tuple[str, ...]) -> None:
    refused(*args)


@pytest.fixture
def cassette() -> Path:
    if not CASSETTES.is_dir():
        pytest.skip("recorded blocks (../shared/data/mainnet) are not here")
    return min(CASSETTES.glob("*.json.gz"), key=lambda path: path.stat().st_size)


def test_a_truncated_cassette(refused: Callable[..., str], tmp_path: Path, cassette: Path) -> None:
    short = tmp_path / cassette.name
    short.write_bytes(cassette.read_bytes()[:-1000])
    assert short.name in refused("replay", short)


def test_a_cassette_cut_in_its_json(refused: Callable[..., str], tmp_path: Path, cassette: Path) -> None:
    short = tmp_path / cassette.name
    short.write_bytes(gzip.compress(gzip.decompress(cassette.read_bytes())[:-1000]))
    assert short.name in refused("replay", short)


def test_a_wrong_hash_cassette(refused: Callable[..., str], tmp_path: Path, cassette: Path) -> None:
    content = json.loads(gzip.decompress(cassette.read_bytes()))
    header = content["block"] if "block" in content else content["header"]
    header["hash"] = "0x" + "11" * 32
    wrong = tmp_path / cassette.name
    wrong.write_bytes(gzip.compress(json.dumps(content).encode()))
    assert wrong.name in refused("replay", wrong)
