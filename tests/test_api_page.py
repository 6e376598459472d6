"""docs/api.md is what the docstrings say."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_is_what_the_docstrings_say() -> None:
    written = runpy.run_path(str(ROOT / "tools" / "write_api.py"))["page"]()
    told = "docs/api.md is older than the docstrings; run: python tools/write_api.py"
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == written, told


def test_the_page_has_every_public_name() -> None:
    import mamtra

    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    missing = [name for name in mamtra.HOMES if f"## {name}\n" not in page]
    assert missing == ["MamtraError"]  # it is the first of the table of errors
    assert "| `MamtraError` |" in page
