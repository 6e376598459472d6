"""So that ``python -m mamtra`` is the program ``mamtra``."""

from mamtra.cli.main import main

main()
