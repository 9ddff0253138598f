"""Where others are, as a user writes it: a URL, a path, or the environment variable that holds it."""

from __future__ import annotations

import os
import re
from typing import ClassVar

from bot.errors import UserError
from bot.jsonrpc import shown

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Url:
    """A URL that may carry a key: shown without it, whole only by ``reveal``."""

    __slots__ = ("_text",)
    schemes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, text: str) -> None:
        """Raises ValueError, which does not repeat what the text says."""
        if not _VARIABLE.fullmatch(text):
            if "${" in text:
                raise ValueError("a ${VARIABLE} must be the whole value")
            self._check(text)
        self._text = text

    def reveal(self) -> str:
        """The whole URL. Raises UserError when its variable is not set or holds none."""
        variable = _VARIABLE.fullmatch(self._text)
        if not variable:
            return self._text
        name = variable[1]
        text = os.environ.get(name, "").strip()
        if not text:
            raise UserError(f"{name} is not set: export it with your URL, {self._wanted()}…")
        try:
            self._check(text)
        except ValueError as error:
            raise UserError(f"{name}: {error}") from None
        return text

    def _check(self, text: str) -> None:
        scheme, separator, rest = text.partition("://")
        if scheme not in self.schemes or not separator or not rest or any(c.isspace() for c in text):
            raise ValueError(f"a URL must begin with {self._wanted()}")

    def _wanted(self) -> str:
        return " or ".join(f"{scheme}://" for scheme in self.schemes)

    @property
    def given(self) -> bool:
        """It stands in the file, or its variable is set."""
        variable = _VARIABLE.fullmatch(self._text)
        return variable is None or bool(os.environ.get(variable[1], "").strip())

    def __repr__(self) -> str:
        return self._text if _VARIABLE.fullmatch(self._text) else shown(self._text)


class HttpUrl(Url):
    __slots__ = ()
    schemes = ("http", "https")


class WsUrl(Url):
    __slots__ = ()
    schemes = ("ws", "wss")


class IpcPath(Url):
    """Of the node's unix socket."""

    __slots__ = ()

    def _check(self, text: str) -> None:
        if not text.startswith("/"):
            raise ValueError("an IPC socket's path must begin with /")

    def _wanted(self) -> str:
        return "/"
