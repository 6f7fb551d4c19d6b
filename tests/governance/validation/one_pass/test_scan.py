"""The engine of the one pass: what it measures does not depend on the machine that it runs on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_SCRIPT = """
import os
from governance.validation.one_pass.scan import kept_connection
for alone in (True, False):
    with kept_connection(os.getpid(), alone=alone).cursor() as cursor:
        print(*cursor.execute("SELECT epoch(CAST(TIMESTAMP '2024-01-01' AS TIMESTAMPTZ))").fetchone())
"""


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_moments_do_not_depend_on_the_machines_time_zone(zone: str) -> None:
    environment = {**os.environ, "TZ": zone}
    ran = subprocess.run([sys.executable, "-c", _SCRIPT], env=environment, check=True, capture_output=True, text=True)
    assert ran.stdout.split() == ["1704067200.0"] * 2
