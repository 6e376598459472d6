"""Models on huggingface.co: looked up on this machine, fetched only when somebody says so.

A name ``owner/name`` (with ``@revision`` if another than the newest is meant) is first looked for
among what was fetched before. Nothing is fetched by looking: that is ``mamtra fetch``. The package
huggingface-hub is imported only here, and only when such a name was given.
"""

import re
from pathlib import Path
from typing import Any

from mamtra.errors import MissingExtraError, ModelError, require
from mamtra.extras import install_command

SITE = "https://huggingface.co"
HUB_ID = re.compile(r"(?P<name>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>[\w./-]+))?")
COSYVOICE2 = "FunAudioLLM/CosyVoice2-0.5B"
COSYVOICE3 = "FunAudioLLM/Fun-CosyVoice3-0.5B-2512"
# what is needed of a large repository; the rest of this one is 2 GB that speaking never reads
NEEDED = {
    COSYVOICE2: (
        "llm.pt",
        "flow.pt",
        "hift.pt",
        "campplus.onnx",
        "speech_tokenizer_v2.onnx",
        "CosyVoice-BlankEN/vocab.json",
        "CosyVoice-BlankEN/merges.txt",
    ),
    COSYVOICE3: (
        "llm.pt",
        "llm.rl.pt",
        "flow.pt",
        "hift.pt",
        "campplus.onnx",
        "speech_tokenizer_v3.onnx",
        "CosyVoice-BlankEN/vocab.json",
        "CosyVoice-BlankEN/merges.txt",
    ),
}
REFUSED = (
    "RepositoryNotFoundError",
    "GatedRepoError",
    "RevisionNotFoundError",
    "HFValidationError",
)


def is_hub_id(name: str) -> bool:
    """Whether a name has the form of a model on the hub."""
    return HUB_ID.fullmatch(name) is not None


def arguments_for(name: str, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """How huggingface-hub is asked for a name.

    Raises:
        ModelError: the name has not the form of a model on the hub.
    """
    found = HUB_ID.fullmatch(name)
    if found is None:
        raise ModelError(f"{name!r} names no model on {SITE}; write owner/name or owner/name@tag")
    needed = only or NEEDED.get(found["name"])
    return {
        "repo_id": found["name"],
        "revision": found["revision"],
        "allow_patterns": list(needed) if needed else None,
    }


def advice(name: str) -> str:
    """How to get a model without this machine's network."""
    repository = name.partition("@")[0]
    files = ", ".join(NEEDED.get(repository, ())) or "its files"
    return (
        f"without network, fetch {files} from {SITE}/{repository} elsewhere, put them into one "
        f"folder and give its path"
    )


def cached(name: str) -> Path | None:
    """The folder of a model that was fetched before; None if it is not whole on this machine.

    Raises:
        MissingExtraError: huggingface-hub is not installed.
    """
    hub = require("huggingface_hub", "hub")
    try:
        return Path(hub.snapshot_download(**arguments_for(name), local_files_only=True))
    except (OSError, ValueError):  # not there, or not all of it
        return None


def located(name: str) -> Path:
    """The folder of a model that was fetched before.

    Raises:
        ModelError: it is not on this machine; the message says what to fetch and where to put it.
    """
    try:
        folder = cached(name)
    except MissingExtraError as missing:
        raise ModelError(
            f"there is no folder {name!r}; as the name of a model on {SITE} it needs a package "
            f"that is not installed, run: {install_command('hub')}, then: mamtra fetch {name}"
        ) from missing
    if folder is None:
        raise ModelError(
            f"there is no folder {name!r}, and no model of that name was fetched from {SITE}; "
            f"nothing is fetched unasked, run: mamtra fetch {name}; or, {advice(name)}"
        )
    return folder


def fetch(name: str, folder: Path | None = None, only: tuple[str, ...] = ()) -> Path:
    """Fetch a model over the network; what is there already is not fetched again.

    Args:
        name: ``owner/name`` or ``owner/name@revision``.
        folder: where its files go; huggingface-hub's cache where it is None.
        only: patterns of file names; what is needed of a repository that we know, else all.

    Raises:
        ModelError: there is no such model, or it could not be fetched.
        MissingExtraError: huggingface-hub is not installed.
    """
    hub = require("huggingface_hub", "hub")
    arguments = arguments_for(name, only)
    try:
        place = Path(hub.snapshot_download(**arguments, local_dir=folder))
    except Exception as problem:  # the package lets its HTTP client's exceptions through
        kinds = {kind.__name__ for kind in type(problem).__mro__}
        if kinds & set(REFUSED):
            raise ModelError(
                f"{SITE} gives no model {name!r}: it is not there, or private, or its terms must "
                f"be accepted there first; log in with: hf auth login"
            ) from problem
        reason = str(problem).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
        reason = reason or type(problem).__name__
        raise ModelError(
            f"{name!r} could not be fetched ({reason}); try again; or, {advice(name)}"
        ) from problem
    needed = () if only else NEEDED.get(arguments["repo_id"], ())
    missing = [file for file in needed if not (place / file).is_file()]
    fetched = any(file.is_file() for file in place.glob("[!.]*"))
    if missing or not fetched:
        names = ", ".join(missing) or "any file"
        raise ModelError(
            f"{name!r} was not fetched whole, {place} lacks {names}; run it again; "
            f"or, {advice(name)}"
        )
    return place
