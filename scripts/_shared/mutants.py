"""Small faults for the contracts, one at a time: what `make mutants` puts in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGETS = {"contracts/Executor.sol": "Executor", "contracts/Deployer.sol": "Deployer"}
"""What is compiled, and its artifact; with what it imports."""


@dataclass(frozen=True)
class Mutant:
    """One change: the characters from `start` to `end` of a file become `text`."""

    file: str
    start: int
    end: int
    text: str
    kind: str
    line: int
    before: str
    after: str

    @property
    def name(self) -> str:
        """Stays the same when lines are added elsewhere."""
        return hashlib.sha256("\n".join((self.file, self.before, self.after)).encode()).hexdigest()[:8]

    def applied(self, source: str) -> str:
        return source[: self.start] + self.text + source[self.end :]


SWAPS: dict[str, tuple[str, ...]] = {
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "&&": ("||",),
    "||": ("&&",),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "<<": (">>",),
    ">>": ("<<",),
    "&": ("|",),
    "|": ("&",),
    "+=": ("-=",),
    "-=": ("+=",),
    "++": ("--",),
    "--": ("++",),
    "true": ("false",),
    "false": ("true",),
    "address(this)": ("msg.sender",),
    "msg.sender": ("address(this)",),
}
YUL: dict[str, str] = {
    "add": "sub",
    "sub": "add",
    "mul": "div",
    "lt": "gt",
    "gt": "lt",
    "eq": "xor",
    "and": "or",
    "or": "and",
    "xor": "or",
    "shl": "shr",
    "shr": "shl",
    "caller": "address",
    "address": "caller",
    "callvalue": "returndatasize",
}
OPERATOR = re.compile(
    r"address\(this\)|msg\.sender|\btrue\b|\bfalse\b|\+\+|--|\+=|-=|==|!=|<=|>=|<<|>>|&&|\|\||=>|[<>+*/&|-]"
)
NUMBER = re.compile(r"(?<![\w.])(0x[0-9a-fA-F]+|\d[\d_]*)(?![\w.])")
UNREAD = re.compile(r"(?<=, )0, 0\)(?=\s|$|\))")  # the last arguments of a call whose answer nobody reads
STATEMENT = re.compile(r"(?<=[;{})])\s*(?:else )?([A-Za-z_(][^;{}]*;)")
ASSEMBLY = re.compile(r"assembly\s*(?:\([^)]*\)\s*)?\{")
YUL_STATEMENT = re.compile(r"\n\s*((?!let|if|for|function|switch|case|default|leave|break|continue)[a-z]\w*)")
DECLARATION = re.compile(r"^(u?int\d*|bytes\d*|address|bool|bytes|I\w+\.?\w*|mapping)\b[^(=]*\s\w+\s*(=|;)")


def blanked(source: str) -> str:
    """The source with comments, strings and imports as spaces, so that places stay."""
    pattern = r"//[^\n]*|/\*.*?\*/|\"[^\"\n]*\"|^import[^;]*;|^pragma[^;]*;"
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m[0]), source, flags=re.S | re.M)


def closing(code: str, opening: int) -> int:
    """Where the bracket that opens at `opening` is closed."""
    depth = 0
    for place in range(opening, len(code)):
        depth += (code[place] in "({[") - (code[place] in ")}]")
        if depth == 0:
            return place
    raise ValueError("unbalanced")


def yul_regions(code: str) -> list[tuple[int, int]]:
    return [(m.end() - 1, closing(code, m.end() - 1)) for m in ASSEMBLY.finditer(code)]


def changes(code: str) -> Iterator[tuple[int, int, str, str]]:
    """(start, end, text, kind) of every change to a blanked source."""
    body = code.find("{", code.find("library ") if "library " in code else code.find("contract "))
    regions = yul_regions(code)

    def in_yul(place: int) -> bool:
        return any(first < place < last for first, last in regions)

    for m in re.finditer(r"\bif\s*\(", code):
        end = closing(code, m.end() - 1)
        yield m.end(), end, "false", "never"
        yield m.end(), end, "true", "always"
    for m in OPERATOR.finditer(code, body):
        if in_yul(m.start()) or m[0] not in SWAPS or not is_operator(code, m):
            continue
        for text in SWAPS[m[0]]:
            yield m.start(), m.end(), text, "operator"
    for m in NUMBER.finditer(UNREAD.sub(lambda m: " " * len(m[0]), code), body):
        value = int(m[0].replace("_", ""), 0)
        for other in {value + 1, value - 1} - {-1}:
            yield m.start(), m.end(), hex(other) if m[0].startswith("0x") else str(other), "number"
    for m in STATEMENT.finditer(code, body):
        text = m[1]
        if DECLARATION.match(text) or text.startswith(("function", "return", "error", "event", "using", "unchecked")):
            continue
        if not in_yul(m.start(1)):
            yield m.start(1), m.end(1), "{}", "statement"
    for m in re.finditer(r"(?<=[({,])(\s*)([^,(){}]+|[^,{}]+?\([^(){};]*\))\s*,\s*([^,(){};]+)(?=[,)])", code):
        if not in_yul(m.start()) and code.rfind("(", 0, m.start() + 1) > 0 and ":=" not in m[0]:
            x, y = m[2].strip(), m[3].strip()
            if x != y and " " not in x and " " not in y and not x.isdigit():
                yield m.start(2), m.end(3), f"{y}, {x}", "arguments"
    for first, last in regions:
        yield from yul_changes(code, first, last)


def is_operator(code: str, match: re.Match[str]) -> bool:
    """Not a sign, nor part of a type."""
    if match[0] != "-":
        return True
    return bool(re.search(r"[\w)]\s*$", code[: match.start()]))


def yul_changes(code: str, first: int, last: int) -> Iterator[tuple[int, int, str, str]]:
    for m in re.finditer(r"\b(\w+)\(", code[first:last]):
        start, opening = first + m.start(), first + m.end() - 1
        end = closing(code, opening)
        inside = code[opening + 1 : end]
        if m[1] in YUL:
            yield start, start + len(m[1]), YUL[m[1]], "operation"
        if m[1] == "iszero":
            yield start, end + 1, inside, "operation"
        if m[1] in ("sub", "lt", "gt", "shl", "shr", "byte", "mod", "mstore"):
            x, y = split(inside)
            if x != y:
                yield opening + 1, end, f"{y}, {x}", "arguments"
    for m in re.finditer(r"\bif\s+(.*?)\s*\{", code[first:last]):
        yield first + m.start(1), first + m.end(1), "0", "never"
        yield first + m.start(1), first + m.end(1), "1", "always"
    for m in YUL_STATEMENT.finditer(code[first:last]):
        start = first + m.start(1)
        end = code.index("\n", start)
        text = code[start:end].rstrip()
        if text.count("(") == text.count(")") and not text.endswith(("{", ",")):
            yield start, start + len(text), "", "statement"


def split(inside: str) -> tuple[str, str]:
    """The two arguments of a call."""
    depth = 0
    for place, character in enumerate(inside):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            return inside[:place].strip(), inside[place + 1 :].strip()
    return inside, inside


def mutants() -> list[Mutant]:
    found: dict[tuple[str, int, int, str], Mutant] = {}
    for path in [*map(ROOT.joinpath, TARGETS), *sorted((ROOT / "contracts" / "libraries").glob("*.sol"))]:
        source = path.read_text(encoding="utf-8")
        file = path.relative_to(ROOT).as_posix()
        for start, end, text, kind in changes(blanked(source)):
            line = source.count("\n", 0, start) + 1
            first = source.rfind("\n", 0, start) + 1
            last = source.find("\n", end)
            before = " ".join(source[first:last].split())
            after = " ".join((source[first:start] + (text or "(nothing)") + source[end:last]).split())
            mutant = Mutant(file, start, end, text, kind, line, before, after)
            found.setdefault((file, start, end, text), mutant)
    return list(found.values())
