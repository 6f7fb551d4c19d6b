"""The audit report of one endpoint: what it was made from, link by link, with the evidence for each.

``build_report`` makes a frozen :class:`Report` out of signed statements; ``audit.report.html`` and
``Report.to_json`` are two ways to write it down. Nothing here reads a database or a file of the user.
"""

from __future__ import annotations

from audit.report.build import build_report, endpoint_summaries
from audit.report.report import EndpointSummary, Fact, Gap, Level, Link, Node, Report, State

__all__ = [
    "EndpointSummary",
    "Fact",
    "Gap",
    "Level",
    "Link",
    "Node",
    "Report",
    "State",
    "build_report",
    "endpoint_summaries",
]
