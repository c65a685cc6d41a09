"""`python -m transcribe`, the same as the command."""

import sys

from transcribe.cli import main

if __name__ == "__main__":
    sys.exit(main())
