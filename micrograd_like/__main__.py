"""`python -m micrograd_like`: the command line."""

import sys

from micrograd_like.cli import main

sys.exit(main())
