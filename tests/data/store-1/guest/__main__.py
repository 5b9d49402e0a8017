import sys

from nbbg.engines.ipython import main

sys.exit(main(sys.argv))
