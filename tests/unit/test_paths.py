"""Which Foundry is taken, and where data goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import paths
from bot.errors import UserError


def put_anvil(folder: Path, version: str) -> Path:
    binary = folder / "anvil"
    binary.write_text(f"#!/bin/sh\necho 'anvil Version: {version}-stable'\n")
    binary.chmod(0o755)
    return binary


@pytest.fixture(autouse=True)
def no_cache() -> None:
    paths.foundry.cache_clear()


def test_foundry_on_path_is_taken_when_its_version_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    binary = put_anvil(tmp_path, "1.7.9")
    assert paths.foundry("anvil") == binary


@pytest.mark.parametrize("version", ["1.6.0", "11.7.1", "0.2.0", "nonsense"])
def test_another_version_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    put_anvil(tmp_path, version)
    assert paths.foundry("anvil").is_relative_to(paths.node_modules())


def test_no_foundry_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(paths, "node_modules", lambda: tmp_path)
    with pytest.raises(UserError, match="make setup"):
        paths.foundry("anvil")


def test_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEV_HOME", str(tmp_path / "here"))
    assert paths.data_dir() == tmp_path / "here"
    monkeypatch.delenv("MEV_HOME")
    monkeypatch.chdir(tmp_path)
    assert paths.data_dir() == tmp_path / ".mev"
