"""Who acts through Feast: the user its security manager authenticated, else this process."""

from __future__ import annotations

from feast.permissions.security_manager import get_security_manager

from api.assembly import process_actor


def current_caller() -> str:
    """``user:<name>`` in a Feast server with authentication, ``process:<user>@<host>`` elsewhere."""
    manager = get_security_manager()
    user = None if manager is None else manager.current_user
    return process_actor() if user is None else f"user:{user.username}"
