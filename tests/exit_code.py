"""Running a command in this process."""

import pytest

from mamtra.cli.main import main


def ended(arguments: list[str]) -> int:
    """The exit code of a run."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)
