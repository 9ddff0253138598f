"""`make setup`: Python packages, npm packages, compiler, Foundry, compiled contracts. Does only what is missing.

Standard library only; starts on any Python 3.7 or later, to say plainly what is missing, and goes on with a fitting
one. Each step is skipped when what it depends on has not changed. With `--with NAME` also a tool's own environment;
the exit status is 3 where only the network or the Python for that is missing.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.pop(0)  # this folder, whose operator.py is a command for ape and not Python's module

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NODE_MODULES = ROOT / "node_modules"
PYTHON_LOCK = ROOT / "requirements" / "dev.txt"
APART: dict[str, tuple[int, int] | None] = {
    "brownie": None,
    "halmos": None,
    "peers": None,
    "peers-degenbot": (3, 13),
}
"""Tools in environments of their own, .build/NAME/venv, from requirements/NAME.txt: they cannot share one with ape.
The least Python, where it has to be a newer one than ours. `peers` are what `mev bench` compares with."""

STAMP = ".mevkit-setup"

BASE_PYTHON: str = getattr(sys, "_base_executable", sys.executable)
"""Not .venv's own, which `make` has first on PATH and which goes away when .venv is made anew."""

PYTHONS = ((3, 11), (3, 12))
"""Those for which every locked package has a wheel."""
NODE_LEAST = 18

OFFLINE = re.compile(
    r"from versions: none|name resolution|Name or service not known|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|"
    r"Failed to establish a new connection|[Cc]onnection refused|dns error|Network is unreachable",
)


class CannotSetUp(Exception):
    """What is wrong and how to mend it, for a person to read."""


class NoNetwork(CannotSetUp):
    """A registry was not reached."""


class NoPython(CannotSetUp):
    """No interpreter here is new enough."""


def main() -> int:
    forget_own_links()
    if "--check" in sys.argv[1:]:
        print(json.dumps(check()))
        return 0
    try:
        continue_with_fitting_python()
        BUILD.mkdir(exist_ok=True)
        with one_at_a_time():
            take(STEPS)
            if "--with" in sys.argv[1:]:
                return set_up_apart(sys.argv[-1])
    except CannotSetUp as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; run it again to go on", file=sys.stderr)
        return 1
    return 0


def take(steps: Sequence[tuple[str, Callable[[], bool], Callable[[], None]]]) -> None:
    """Those that have something to do."""
    for name, is_current, mend in steps:
        if not is_current():
            with saying(name):
                mend()


def check() -> dict[str, bool]:
    """For `mev doctor`: which steps have nothing to do."""
    current = {}
    for name, is_current, _ in STEPS:
        try:
            current[name] = is_current()
        except CannotSetUp:
            current[name] = False
    return current


# --- Python -----------------------------------------------------------------------------------------------------------


def continue_with_fitting_python() -> None:
    """Returns when this interpreter fits; else starts over with one that does."""
    if sys.version_info[:2] in PYTHONS:
        return
    script = str(Path(__file__).resolve())
    for major, minor in PYTHONS:
        found = shutil.which(f"python{major}.{minor}")
        # A version manager's stand-in may be on PATH and not run.
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            os.execv(found, [found, script, *sys.argv[1:]])
    uv = shutil.which("uv")
    if uv:
        os.execv(uv, [uv, "run", "--no-project", "--python", "3.11", script, *sys.argv[1:]])
    raise CannotSetUp(
        f"Python {sys.version_info[0]}.{sys.version_info[1]} is not among those that every package here has been "
        "built for. Install Python 3.11 or 3.12 (or uv, which brings one), then run make setup again."
    )


def python_is_current() -> bool:
    return PYTHON.exists() and read(VENV / STAMP) == python_digest()


def install_python() -> None:
    """The virtual environment with exactly the locked packages, and the command mev in it."""
    pip = install_locked(VENV, PYTHON_LOCK)
    run([*pip, "--no-deps", "--no-build-isolation", "--config-settings", "editable_mode=compat", "-e", "."])
    (VENV / STAMP).write_text(python_digest())


def install_locked(venv: Path, lock: Path, base: str = BASE_PYTHON) -> list[str]:
    """A virtual environment with exactly the locked packages; the command that installs more into it."""
    uv = shutil.which("uv")
    python = venv / "bin" / "python"
    if not environment_fits(python, base, needs_pip=not uv):
        make_environment(venv, uv, base)
    if uv:
        pip = [uv, "pip", "install", "--quiet", "--python", str(python)]
    else:
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "-r", str(lock)])
    return pip


def python_digest() -> str:
    return digest([PYTHON_LOCK, ROOT / "pyproject.toml"])


def environment_fits(python: Path, base: str, needs_pip: bool) -> bool:
    """Whether it works, is of base's version, and, unless uv installs, has pip (one that uv made has none)."""
    found = version_of(str(python), "import pip" if needs_pip else "")
    return found is not None and found == version_of(base)


def version_of(python: str, statement: str = "") -> tuple[int, int] | None:
    """None where it does not run (a version manager's stand-in on PATH, say), or the statement fails in it."""
    ask = f"import sys; print(*sys.version_info[:2])\n{statement}"
    try:
        answer = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    except OSError:
        return None
    if answer.returncode != 0:
        return None
    major, minor = map(int, answer.stdout.split())
    return major, minor


def newer_python(least: tuple[int, int]) -> str:
    """The oldest on PATH or among pyenv's that is at least so new. Raises NoPython."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for minor in range(least[1], least[1] + 5):
        name = f"python{least[0]}.{minor}"
        for candidate in [shutil.which(name), *pyenv.glob(f"*/bin/{name}")]:
            if candidate and version_of(str(candidate)) == (least[0], minor):
                return str(candidate)
    raise NoPython(f"no Python {least[0]}.{least[1]} or later")


def make_environment(at: Path, uv: str | None, base: str) -> None:
    shutil.rmtree(at, ignore_errors=True)
    if uv:
        run([uv, "venv", "--quiet", "--python", base, str(at)])
        return
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        version = ".".join(map(str, sys.version_info[:2]))
        raise CannotSetUp(
            f"this Python has no venv module. On Debian and Ubuntu: apt install python{version}-venv; "
            "elsewhere install uv. Then run make setup again."
        ) from None
    run([base, "-m", "venv", str(at)])


# --- npm --------------------------------------------------------------------------------------------------------------


def npm_is_current() -> bool:
    """Whether npm's own record of what it installed agrees with the lock."""
    try:
        locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
        installed = json.loads((NODE_MODULES / ".package-lock.json").read_text())["packages"]
    except (OSError, ValueError, KeyError):
        return False
    for path, package in locked.items():
        here = installed.get(path)
        if path and here is None and not package.get("optional"):
            return False
        if here is not None and here.get("version") != package.get("version"):
            return False
    return True


def install_npm() -> None:
    """Foundry, the Solidity compiler and the protocols' code, as package-lock.json says."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise CannotSetUp(f"Node.js {NODE_LEAST} or later with npm is needed and is not on PATH: install it")
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)", answer)
    if not version or int(version.group(1)) < NODE_LEAST:
        raise CannotSetUp(f"Node.js is {answer.strip() or 'not answering'}: install {NODE_LEAST} or later")
    # Not `npm ci`: it refuses a lock that lacks other systems' binaries, which some registries do not carry.
    run([npm, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"])


# --- tools ------------------------------------------------------------------------------------------------------------


def forget_own_links() -> None:
    """Takes .build/bin and .venv/bin off PATH: links must follow what they were chosen from, and the `solc` that
    slither brings is a downloader, not a compiler."""
    own = {BUILD / "bin", VENV / "bin"}
    parts = os.environ.get("PATH", "").split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(part for part in parts if Path(part).resolve() not in own)


def tools_are_current() -> bool:
    return all(path.is_symlink() and os.readlink(path) == aim for path, aim in tool_links())


def link_tools() -> None:
    for path, aim in tool_links():
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(aim)


def tool_links() -> Iterator[tuple[Path, str]]:
    """Where a tool is looked for, and which file that should be.

    `.build/solc/solc-vX` for each version in package.json: a native compiler on PATH if it is X, else the shim.
    `.build/bin/{anvil,forge,cast}`: from PATH when the version fits, else the packaged ones.
    """
    packages = json.loads((ROOT / "package.json").read_text())["dependencies"]
    native, native_version = native_compiler()
    for name, requirement in packages.items():
        if name == "solc" or name.startswith("solc-"):
            version = requirement.rpartition("@")[2]
            target = native if native and native_version == version else ROOT / "scripts" / "solc-shim"
            yield relative(BUILD / "solc" / f"solc-v{version}", target)
    sys.path.insert(0, str(ROOT))
    from bot.errors import UserError
    from bot.paths import foundry

    for tool in ("anvil", "forge", "cast"):
        try:
            yield relative(BUILD / "bin" / tool, foundry(tool))
        except UserError:
            raise CannotSetUp(
                f"npm brought no {tool} for this system and none of a fitting version is on PATH: install Foundry 1.7"
            ) from None


def native_compiler() -> tuple[Path | None, str]:
    """The solc on PATH and its version."""
    found = shutil.which("solc")
    if not found:
        return None, ""
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"Version: (\d+\.\d+\.\d+)\+", answer)
    return Path(found), match.group(1) if match else ""


def relative(path: Path, target: Path) -> tuple[Path, str]:
    """Links inside the checkout are relative, so that it can be moved."""
    return path, os.path.relpath(target, path.parent) if target.is_relative_to(ROOT) else str(target)


# --- contracts --------------------------------------------------------------------------------------------------------


def contracts_are_current() -> bool:
    return read(ROOT / "out" / STAMP) == contracts_digest()


def compile_contracts() -> None:
    """forge's artifacts in out/; made anew when a source, a setting or a package changed."""
    run([str(BUILD / "bin" / "forge"), "build", "--quiet", "contracts"])
    (ROOT / "out" / STAMP).write_text(contracts_digest())


def contracts_digest() -> str:
    sources = sorted((ROOT / "contracts").rglob("*.sol"))
    return digest([*sources, ROOT / "foundry.toml", ROOT / "package-lock.json"])


# --- devnet -----------------------------------------------------------------------------------------------------------


def devnet_is_current() -> bool:
    return read(BUILD / "devnet") == devnet_digest()


def build_devnet() -> None:
    """The chain that `mev demo` starts from, so that the first demo need not wait for it."""
    run([str(PYTHON), "-m", "bot.devnet.state"])
    (BUILD / "devnet").write_text(devnet_digest())


def devnet_digest() -> str:
    sources = [*sorted((ROOT / "bot" / "devnet").rglob("*.py")), *sorted((ROOT / "contracts" / "devnet").glob("*.sol"))]
    return digest([*sources, ROOT / "package-lock.json"])


# --- tools apart ------------------------------------------------------------------------------------------------------


def set_up_apart(tool: str) -> int:
    """The exit status: 3 without a network or its Python, when all but this tool can go on. Raises CannotSetUp
    otherwise."""
    if tool not in APART:
        raise CannotSetUp(f"there is no environment for {tool}: say --with and one of {', '.join(APART)}")
    venv, lock = BUILD / tool / "venv", ROOT / "requirements" / f"{tool}.txt"

    def is_current() -> bool:
        return (venv / "bin" / "python").exists() and read(venv / STAMP) == digest([lock])

    def install() -> None:
        least = APART[tool]
        base = newer_python(least) if least else BASE_PYTHON
        venv.parent.mkdir(exist_ok=True)
        install_locked(venv, lock, base)
        (venv / STAMP).write_text(digest([lock]))

    try:
        take(((tool, is_current, install),))
    except (NoNetwork, NoPython) as error:
        why = error if isinstance(error, NoPython) else "no network"
        print(f"setup: {tool} is not installed, as there is {why} for it, and is left out", file=sys.stderr)
        return 3
    return 0


# --- small things -----------------------------------------------------------------------------------------------------


def digest(files: list[Path], *more: str) -> str:
    """Of names and contents."""
    whole = hashlib.sha256("\n".join(more).encode())
    for path in files:
        whole.update(f"{path.relative_to(ROOT)}\n".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def run(command: list[str]) -> None:
    """Raises CannotSetUp with what a failing command said, the middle left out."""
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode == 0:
        return
    said = done.stdout.strip().splitlines()
    tail = "\n".join(said if len(said) < 30 else [*said[:10], "…", *said[-15:]])
    failed = f"`{' '.join(command)}` failed with status {done.returncode}:\n{tail}"
    if OFFLINE.search(done.stdout):
        raise NoNetwork(
            f"{failed}\nNo network, it seems. Run make setup again when there is one; what is done stays done."
        )
    raise CannotSetUp(failed)


@contextlib.contextmanager
def saying(what: str) -> Iterator[None]:
    """Says what is under way, and what it took."""
    print(f"setup: {what} (this can take a minute) …", flush=True)
    start = time.monotonic()
    yield
    print(f"setup: {what}: done in {time.monotonic() - start:.1f} s", flush=True)


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two `make` at once in one checkout wait for each other."""
    import fcntl

    with (BUILD / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("setup: another one is under way; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


STEPS = (
    ("Python packages", python_is_current, install_python),
    ("npm packages", npm_is_current, install_npm),
    ("compiler and Foundry", tools_are_current, link_tools),
    ("contracts", contracts_are_current, compile_contracts),
    ("devnet", devnet_is_current, build_devnet),
)
"""What is set up, in this order: its name, whether nothing has to be done, and what does it."""


if __name__ == "__main__":
    sys.exit(main())
