"""AdmissionReview v1: the API server's question, and the answer that it takes.

Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from governance.errors import WrongQuestion

API_VERSION, KIND = "admission.k8s.io/v1", "AdmissionReview"
LONGEST_WARNING = 256
"""characters of a warning that the API server passes on; it cuts longer ones"""


class MalformedReview(WrongQuestion):
    """A request is no AdmissionReview v1 with a question in it."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """What the API server asks."""

    uid: str
    """of this question; the answer repeats it"""
    kind: str
    """of the object, such as ``TrainJob``"""
    operation: str
    """``CREATE``, ``UPDATE``, ``DELETE`` or ``CONNECT``"""
    subresource: str
    namespace: str
    name: str
    """empty where the API server is to make one up"""
    username: str
    """as Kubernetes authenticated it"""
    dry_run: bool
    object: Mapping[str, Any]
    """as it would be stored; empty where it is deleted"""
    old: Mapping[str, Any]
    """as it is stored now; empty where there is none"""


@dataclass(frozen=True)
class Answer:
    """What the API server is told."""

    allowed: bool
    message: str = ""
    """why not"""
    warnings: tuple[str, ...] = ()
    code: HTTPStatus = HTTPStatus.FORBIDDEN
    """of a refusal"""

    def as_review(self, uid: str) -> dict[str, Any]:
        """The AdmissionReview that answers the question ``uid``."""
        response: dict[str, Any] = {"uid": uid, "allowed": self.allowed}
        if not self.allowed:
            response["status"] = {"code": int(self.code), "message": self.message}
        if self.warnings:
            response["warnings"] = [_short(one) for one in self.warnings]
        return {"apiVersion": API_VERSION, "kind": KIND, "response": response}


def read_review(document: object) -> Review:
    """The question in a request's JSON. Raises MalformedReview."""
    if not isinstance(document, Mapping) or (document.get("apiVersion"), document.get("kind")) != (API_VERSION, KIND):
        raise MalformedReview(f"The request is no {KIND} of {API_VERSION}. Expected what an API server sends.")
    request = _mapping(document, "request", "request")
    return Review(
        uid=_text(request, "uid", needed=True),
        kind=_text(_mapping(request, "kind", "request.kind"), "kind", needed=True),
        operation=_text(request, "operation", needed=True),
        subresource=_text(request, "subResource"),
        namespace=_text(request, "namespace"),
        name=_text(request, "name"),
        username=_text(_mapping(request, "userInfo", "request.userInfo"), "username"),
        dry_run=request.get("dryRun") is True,
        object=_mapping(request, "object", "request.object"),
        old=_mapping(request, "oldObject", "request.oldObject"),
    )


def _mapping(value: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
    found = value.get(name) or {}
    if not isinstance(found, Mapping):
        raise MalformedReview(f"`{path}` of the {KIND} is of type {type(found).__name__}. Expected an object.")
    return found


def _text(value: Mapping[str, Any], name: str, *, needed: bool = False) -> str:
    found = value.get(name) or ""
    if not isinstance(found, str) or (needed and not found):
        raise MalformedReview(f"`{name}` of the {KIND} is not there, or no text. Expected what an API server sends.")
    return found


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_WARNING else text[: LONGEST_WARNING - 3] + "..."


def unchanged(review: Review, parts: Sequence[tuple[str, ...]]) -> bool:
    """Whether an update leaves these members, each given as a path, as they are."""
    return review.operation == "UPDATE" and all(_at(review.object, one) == _at(review.old, one) for one in parts)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
