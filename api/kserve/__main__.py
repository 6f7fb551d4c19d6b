"""``python -m api.kserve``: one model server."""

from __future__ import annotations

import sys

from api.kserve.server import main

if __name__ == "__main__":
    arguments = sys.argv[1:]
    del sys.argv[1:]  # `import kserve` parses the command line of its process, whoever's that is
    sys.exit(main(arguments))
