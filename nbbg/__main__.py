"""`python -m nbbg` is `nbbg`."""

import sys

from nbbg.cli import main

sys.exit(main())
