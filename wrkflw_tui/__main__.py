"""`python -m wrkflw_tui`: the same as the command `wrkflw-tui`."""

import sys

from wrkflw_tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
