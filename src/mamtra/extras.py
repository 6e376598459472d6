"""The pip command that adds an optional package, in the form that works where mamtra is installed.

``pip install 'mamtra[eval]'`` is right for a release from the registry only; a clone, a folder or a
wheel file is named by its path.
"""

import functools
import json
from pathlib import Path
from urllib.parse import unquote, urlsplit


def checkout(package: Path) -> Path | None:
    """The folder of the source tree that a package lies in, or None."""
    root = package.parent.parent
    return root if package.parent.name == "src" and (root / "pyproject.toml").is_file() else None


def requirement(extra: str, package: Path, installed_from: str | None) -> str:
    """What pip is asked to install for an extra.

    Args:
        extra: its name.
        package: the folder of this package.
        installed_from: the text of pip's direct_url.json (PEP 610); None for a release.
    """
    root = checkout(package)
    if root is not None:
        name = "." if root == Path.cwd() else str(root)
        return f"-e '{name}[{extra}]'"
    origin = json.loads(installed_from) if installed_from else {}
    url = str(origin.get("url", ""))
    if "dir_info" in origin and url.startswith("file:"):
        return f"'{unquote(urlsplit(url).path)}[{extra}]'"
    return f"'mamtra[{extra}] @ {url}'" if url else f"'mamtra[{extra}]'"


@functools.cache
def installed_from() -> str | None:
    """What pip noted about the origin of this installation."""
    # takes as long to load as a piece of text to read, and only a missing package needs it
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return distribution("mamtra").read_text("direct_url.json")
    except PackageNotFoundError:
        return None


def install_command(extra: str) -> str:
    """The command that installs an extra here."""
    return f"pip install {requirement(extra, Path(__file__).parent, installed_from())}"
