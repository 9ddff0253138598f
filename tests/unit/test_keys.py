"""Keys: the same signatures as eth_account, errors in one line, and the secret in none of them."""

import json
import logging
import pickle
import traceback
from pathlib import Path

import pytest
import structlog
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.cli.logs import set_up
from bot.cli.main import _tell
from bot.errors import UserError
from bot.execution import keys
from bot.execution.keys import Signer

SECRET = bytes(range(1, 33))
HEX = SECRET.hex()


@pytest.fixture(autouse=True)
def fresh_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command run by an earlier test configures structlog for its own stderr, and loggers keep that."""
    structlog.reset_defaults()
    monkeypatch.setattr(keys, "logger", structlog.get_logger())


WORD = st.integers(0, 2**256 - 1)
ADDRESS = st.binary(min_size=20, max_size=20)


@settings(max_examples=30, deadline=None)
@given(
    chain_id=st.integers(1, 2**40),
    nonce=st.integers(0, 2**64 - 2),
    to=ADDRESS,
    data=st.binary(max_size=400),
    gas=st.integers(21000, 2**40),
    fee=st.integers(0, 2**100),
    tip=st.integers(0, 2**100),
    value=st.integers(0, 2**128),
    slots=st.lists(st.tuples(ADDRESS, st.lists(WORD, max_size=3)), max_size=3),
    secret=st.integers(1, 2**250).map(lambda n: n.to_bytes(32, "big")),
)
def test_transactions_are_signed_as_by_eth_account(
    chain_id: int,
    nonce: int,
    to: bytes,
    data: bytes,
    gas: int,
    fee: int,
    tip: int,
    value: int,
    slots: list[tuple[bytes, list[int]]],
    secret: bytes,
) -> None:
    raw, tx_hash = Signer(secret).sign_transaction(
        chain_id=chain_id,
        nonce=nonce,
        to="0x" + to.hex(),
        data=data,
        gas=gas,
        max_fee_per_gas=fee + tip,
        max_priority_fee_per_gas=tip,
        value=value,
        access_list=[("0x" + address.hex(), words) for address, words in slots],
    )
    theirs = Account.from_key(secret).sign_transaction(
        {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonce,
            "to": to,
            "data": data,
            "gas": gas,
            "maxFeePerGas": fee + tip,
            "maxPriorityFeePerGas": tip,
            "value": value,
            "accessList": [
                {
                    "address": "0x" + address.hex(),
                    "storageKeys": ["0x" + word.to_bytes(32, "big").hex() for word in words],
                }
                for address, words in slots
            ],
        }
    )
    assert raw == bytes(theirs.raw_transaction)
    assert tx_hash == "0x" + bytes(theirs.hash).hex()


def test_the_relay_header_of_the_protocol_s_vector() -> None:
    """Agrees with the PyPI package ``flashbots`` 2.0.0."""
    assert Signer(b"\x11" * 32).sign_flashbots(b'{"a":1}') == (
        "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A:"
        "0x9e91b0c4f29bd848026d58fa05584966f26c2325b641817f635e60f3281e5a88"
        "1ac61ea6918dcec82772cdb9ecc1bdff7fdefe06d4f8b143a6edd34a1b26c4081b"
    )


def test_the_address_is_the_account_s() -> None:
    assert Signer(SECRET).address == Account.from_key(SECRET).address.lower()


# --- sources ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encrypted() -> str:
    return json.dumps(Account.encrypt(SECRET, "a good password", kdf="pbkdf2", iterations=1000))


@pytest.fixture
def keystore(tmp_path: Path, encrypted: str) -> Path:
    path = tmp_path / "key.json"
    path.write_text(encrypted)
    path.chmod(0o600)
    return path


def test_a_key_file_opens_with_its_password(keystore: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.PASSWORD, "a good password")
    with structlog.testing.capture_logs() as logs:
        assert keys.load(f"keystore:{keystore}").address == Signer(SECRET).address  # type: ignore[union-attr]
    assert logs == []


def test_a_key_file_that_others_read_is_told(keystore: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.PASSWORD, "a good password")
    keystore.chmod(0o644)
    with structlog.testing.capture_logs() as logs:
        keys.load(f"keystore:{keystore}")
    assert [(entry["log_level"], entry["mend"]) for entry in logs] == [("warning", f"chmod 600 {keystore}")]


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEV_OPERATOR_KEY", raising=False)
    assert keys.load("env:MEV_OPERATOR_KEY") is None, "paper mode"
    for text in (HEX, "0x" + HEX, f" {HEX.upper()}\n"):
        monkeypatch.setenv("MEV_OPERATOR_KEY", text)
        assert keys.load("env:MEV_OPERATOR_KEY").address == Signer(SECRET).address  # type: ignore[union-attr]


def test_the_devnet_s_public_accounts() -> None:
    assert keys.load("devnet:0").address == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"  # type: ignore[union-attr]


def test_ephemeral_keys_differ() -> None:
    assert keys.ephemeral().address != keys.ephemeral().address


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("env:", "a key is named by"),
        ("devnet:10", "a key is named by"),
        ("devnet:", "a key is named by"),
        (HEX, "a key is named by"),
        (f"env:{HEX}", "a key is named by"),
        (f"env:0x{HEX}", "a key is named by"),
        ("keystore:/nowhere/key.json", "cannot be read"),
        ("keystore:/", "cannot be read"),
    ],
)
def test_bad_sources(source: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        keys.load(source)
    assert "\n" not in str(error.value)
    assert HEX not in str(error.value)


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '"x"', '{"crypto": {}}', HEX, "\x00\xff"])
def test_not_a_key_file(tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.PASSWORD, "x")
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(UserError, match="not an encrypted key file") as error:
        keys.from_keystore(path)
    assert HEX not in str(error.value)


def test_a_wrong_password_and_a_damaged_file(keystore: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.PASSWORD, "a bad password")
    with pytest.raises(UserError, match="password does not open") as error:
        keys.from_keystore(keystore)
    assert "a bad password" not in str(error.value)
    monkeypatch.setenv(keys.PASSWORD, "a good password")
    content = json.loads(keystore.read_text())
    for spoil in (
        lambda c: c["crypto"].pop("mac"),
        lambda c: c["crypto"]["kdfparams"].pop("salt"),
        lambda c: c["crypto"].update(kdf="md5"),
        lambda c: c["crypto"]["cipherparams"].update(iv="zz"),
        lambda c: c["crypto"].update(kdfparams=None),
        lambda c: c.update(version=2),
    ):
        damaged = json.loads(json.dumps(content))
        spoil(damaged)
        keystore.write_text(json.dumps(damaged))
        with pytest.raises(UserError, match="damaged"):
            keys.from_keystore(keystore)


def test_a_key_file_without_a_password(keystore: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(keys.PASSWORD, raising=False)
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115
    with pytest.raises(UserError, match=keys.PASSWORD) as error:
        keys.from_keystore(keystore)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", [HEX + "00", HEX[:-2], "0x", "zz" * 32, "00" * 32, "ff" * 32])
def test_a_bad_key_in_the_environment_is_not_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEV_OPERATOR_KEY", text)
    with pytest.raises(UserError, match="64 hexadecimal digits") as error:
        keys.load("env:MEV_OPERATOR_KEY")
    told = "".join(traceback.format_exception(error.value, chain=error.value.__suppress_context__ is False))
    assert text not in told or len(text) < 8


# --- the secret stays secret -----------------------------------------------------------------------------------------


def test_no_trace_of_the_secret(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    """Representations, formats, logs, the command's error line and a traceback: none shows the key."""
    signer = Signer(SECRET)
    shown = [repr(signer), str(signer), f"{signer}", repr([signer]), repr({"k": signer}), repr(vars(keys))]
    try:
        signer.sign_transaction(
            chain_id=1, nonce=-1, to="0x", data=b"", gas=1, max_fee_per_gas=1, max_priority_fee_per_gas=1
        )
        raise AssertionError("a negative nonce was signed")
    except OverflowError as error:
        shown.append("".join(traceback.format_exception(error)))
        _tell(f"{error} {signer}", 1)
    set_up()
    logging.getLogger("test").warning("signer %s", signer)
    structlog.get_logger().warning("signed", signer=signer)
    shown += [caplog.text, *capsys.readouterr()]
    with pytest.raises(TypeError):
        shown.append(pickle.dumps(signer).hex())
    said = "".join(shown).lower()
    assert signer.address in said
    for form in (HEX, str(int(HEX, 16)), repr(SECRET)[2:-1].lower(), SECRET[:8].hex()):
        assert form not in said
