"""Logs: to stderr, lines for people on a terminal and JSON otherwise, and never a secret in them.

``MEV_LOG`` sets the least level shown: debug, info (when unset), warning or error.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import traceback
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TextIO, cast

import stamina
import structlog

from bot.errors import UserError
from bot.paths import data_dir

HIDDEN = "[hidden]"
LEVELS = ("debug", "info", "warning", "error")

_URL = re.compile(r"(?P<scheme>\b(?:https?|wss?|redis|postgres(?:ql)?|nats)://)(?P<rest>[^\s\"'<>]+)")
_SECRET_NAME = re.compile(r"(?i)(private|secret|password|passphrase|mnemonic|api_?key|auth|keystore|^key$|_key$)")
_SECRET_VARIABLE = re.compile(r"(?i)(key|secret|password|passphrase|mnemonic|token)")
_kept: set[str] = set()


def keep_secret(value: str) -> None:
    """From now on ``value`` appears in no log, nor does the same with or without 0x. Short values are ignored."""
    bare = value.removeprefix("0x")
    if len(bare) >= 8:
        _kept.add(bare)


def redact(text: str) -> str:
    """Without kept secrets and secret environment variables; URLs keep scheme, host and port only."""
    for secret in sorted((*_kept, *_from_environment()), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _URL.sub(_shorten, text)


class _Stderr(io.TextIOBase):
    """Whatever ``sys.stderr`` is when something is written: loggers are kept, and it may be another one by then."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_STDERR = cast(TextIO, _Stderr())
_PROCESSORS: list[structlog.typing.Processor] = []
"""One list for all loggers, those made before ``set_up`` was called again too."""


def set_up() -> None:
    """Configures structlog and the standard library's loggers. Raises UserError for an unknown level."""
    level = os.environ.get("MEV_LOG", "info").lower()
    if level not in LEVELS:
        raise UserError(f"MEV_LOG is {level!r}: say one of {', '.join(LEVELS)}")
    people = sys.stderr.isatty()
    _PROCESSORS[:] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if people else "iso", utc=not people),
        structlog.processors.format_exc_info,
        hide_secrets,
        structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer(default=str),
    ]
    structlog.configure(
        processors=_PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(_STDERR),
        cache_logger_on_first_use=True,
    )
    stamina.instrumentation.set_on_retry_hooks(())  # who retries counts it, and says so when it gives up
    handler = logging.StreamHandler(_STDERR)
    handler.setFormatter(_RedactingFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def hide_secrets(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """structlog processor: a field with a secret's name loses its value, all text is redacted."""
    return {
        name: HIDDEN if _SECRET_NAME.search(name) and value is not None else _clean(value)
        for name, value in event.items()
    }


def record_crash(error: BaseException) -> Path:
    """Appends the traceback, redacted, to the data directory's log; returns where that is."""
    path = data_dir() / "logs" / "mev.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    trace = "".join(traceback.format_exception(error))
    with path.open("a", encoding="utf-8") as log:
        log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} mev {redact(' '.join(sys.argv[1:]))}\n")
        log.write(redact(trace) + "\n")
    return path


class _RedactingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def _clean(value: Any) -> Any:
    """Redacts text, also inside containers; numbers and None stay as they are."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return hide_secrets(None, "", {str(name): inner for name, inner in value.items()})
    if isinstance(value, list | tuple | set):
        return [_clean(inner) for inner in value]
    return redact(value if isinstance(value, str) else str(value))


@cache
def _from_environment() -> tuple[str, ...]:
    """Values of variables whose names say that they are secret, as they are when first asked; paths are not."""
    return tuple(
        value.removeprefix("0x")
        for name, value in os.environ.items()
        if _SECRET_VARIABLE.search(name) and len(value) >= 8 and not os.path.exists(value)
    )


def _shorten(match: re.Match[str]) -> str:
    """Scheme, host and port: user, path and query of a node's URL carry its key."""
    rest = match["rest"]
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    more = "/…" if len(rest) > len(host) else ""
    return match["scheme"] + host.rsplit("@", 1)[-1] + more
