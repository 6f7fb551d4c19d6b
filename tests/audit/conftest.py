"""One chain for all tests that only read it."""

from __future__ import annotations

import pytest

from tests.audit.chain_fixture import SyntheticChain, build_chain


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> SyntheticChain:
    return build_chain(tmp_path_factory.mktemp("chain"))
