"""Which room may import which: the contract in pyproject.toml holds; files that are named exist."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ORIGINALS = {"llm.py", "run_wer.py", "s3gen.py", "tts.py", "utils_eval.py"}  # of other projects


def test_rooms_import_downwards_only() -> None:
    # in a process of its own: import-linter switches off the loggers of the one it runs in
    code = "import sys, importlinter.cli as cli; sys.exit(cli.lint_imports(no_cache=True))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_files_that_the_code_names_exist() -> None:
    files = list((ROOT / "src").rglob("*.py"))
    known = ORIGINALS | {file.name for file in files}
    named = {
        (file.name, name) for file in files for name in re.findall(r"\w+\.py\b", file.read_text())
    }
    assert not [pair for pair in sorted(named) if pair[1] not in known]
