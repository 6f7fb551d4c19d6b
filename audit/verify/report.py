"""report.json against the chain that the verifier followed: endpoint, tree size, and every link's ends, digest, level.

The report gives its nodes names of its own and folds links between the same two things (the files of one source)
into one of the lowest level, without a digest where theirs differ. Its words are not compared.
"""

from __future__ import annotations

from typing import Any

from audit.verify.chain import CLAIMED, OBSERVED, VERIFIED, Chain, Link
from audit.verify.errors import Malformed
from audit.verify.values import objects, text

_RANK = {"": 0, CLAIMED: 1, OBSERVED: 2, VERIFIED: 3}
"""the empty level is that of a gap"""
_KINDS = {"training": "run", "decision": "definitions", "materialization": "online"}
"""the chain's kinds that a report calls by another name"""
_ENDS_OF_ITS_OWN = ("run", "hardware")
"""a report shows the hardware that a training record names; the chain only its absence"""
_Shown = tuple[str, str, str, str]
"""kinds of both ends, digest, level"""


def check_report(report: dict[str, Any], chain: Chain, *, size: int) -> int:
    """The number of links that were compared. Raises Malformed."""
    for key, expected in (("endpoint", chain.endpoint), ("tree_size", size)):
        if report.get(key) != expected:
            raise Malformed(f"report.json says {key} {report.get(key)!r}, the records say {expected!r}")
    nodes = {text(node, "id"): text(node, "kind") for node in objects(report, "nodes")}
    endpoints = [text(node, "name") for node in objects(report, "nodes") if text(node, "kind") == "endpoint"]
    if endpoints != [chain.endpoint]:
        raise Malformed(f"report.json shows the endpoint {endpoints}, the records say {chain.endpoint!r}")
    shown = {
        (
            nodes.get(text(link, "source"), ""),
            nodes.get(text(link, "target"), ""),
            text(link, "digest"),
            text(link, "level"),
        )
        for link in objects(report, "links")
    }
    followed = {_shown(link) for link in chain.links}
    for each in sorted(shown):
        if not any(_says(each, link) for link in followed) and not _hardware(each):
            raise Malformed(f"report.json shows a link that the records do not give: {_words(each)}")
    for link in sorted(followed):
        if not any(_covers(each, link) for each in shown):
            raise Malformed(f"report.json lacks a link that the records give: {_words(link)}")
    return len(shown)


def _shown(link: Link) -> _Shown:
    source, target = (_KINDS.get(node.kind, node.kind) for node in (link.source, link.target))
    return source, target, link.digest, link.level


def _says(shown: _Shown, link: _Shown) -> bool:
    return shown[:2] == link[:2] and shown[2] in ("", link[2]) and shown[3] == link[3]


def _covers(shown: _Shown, link: _Shown) -> bool:
    return shown[:2] == link[:2] and shown[2] in ("", link[2]) and _RANK.get(shown[3], 9) <= _RANK[link[3]]


def _hardware(shown: _Shown) -> bool:
    return shown == (*_ENDS_OF_ITS_OWN, "", CLAIMED)


def _words(link: _Shown) -> str:
    source, target, digest, level = link
    return f"{source} to {target}, {digest or 'no digest'}, {level or 'gap'}"
