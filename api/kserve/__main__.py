"""``python -m api.kserve``: one model server."""

from __future__ import annotations

import sys

from api.kserve.server import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
