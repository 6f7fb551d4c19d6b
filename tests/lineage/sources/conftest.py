"""A real S3, once for all tests of sources."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.seaweedfs import S3Server, running_seaweedfs


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with running_seaweedfs() as server:
        yield server
