from __future__ import annotations

import asyncio
import threading

import pytest

import governance
from governance.purposes import acting, current_purpose


def test_the_purpose_holds_in_the_block_and_ends_with_it() -> None:
    with acting(purpose="care"):
        with acting(purpose="research"):
            assert current_purpose() == "research"
        assert current_purpose() == "care"
    assert current_purpose() is None


def test_the_purpose_ends_with_its_block_when_that_fails() -> None:
    with pytest.raises(KeyError), acting(purpose="care"):
        raise KeyError
    assert current_purpose() is None


def test_a_stated_purpose_goes_before_that_of_the_environment() -> None:
    assert current_purpose(otherwise="care") == "care"
    with acting(purpose="research"):
        assert current_purpose(otherwise="care") == "research"


def test_an_empty_purpose_of_the_environment_is_none() -> None:
    assert current_purpose(otherwise="") is None


def test_an_empty_purpose_is_an_error() -> None:
    with pytest.raises(ValueError, match="found an empty purpose"), acting(purpose=" "):
        pass


def test_a_task_inherits_the_purpose_and_a_thread_does_not() -> None:
    async def ask() -> str | None:
        return await asyncio.create_task(_current())

    seen: list[str | None] = []
    with acting(purpose="care"):
        thread = threading.Thread(target=lambda: seen.append(current_purpose()))
        thread.start()
        thread.join()
        assert asyncio.run(ask()) == "care"
    assert seen == [None]


async def _current() -> str | None:
    return current_purpose()


def test_acting_is_reached_from_the_package_itself_again_and_again() -> None:
    for _ in range(2):
        with governance.acting(purpose="care"):
            assert current_purpose() == "care"
