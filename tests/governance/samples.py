# ruff: noqa: E501
# A sample and what is said about it read best in one line each.
"""Policies that the parser accepts and refuses, shared by the tests of the parser and of the JSON Schema."""

from __future__ import annotations

WHOLE = """\
version: 1
zones: {EU: [DE, FR], EEA: [EU, NO]}
places:
  - {match: "file://**", zone: DE}
  - {match: "redis://cache-fr*:6379/*", zone: FR}
  - {match: "k8s://prod/*/gpu-a", zone: DE}
packs: [residency, ownership]
labels: {confidentiality: {values: [public, internal, secret], flow: max}}
levels: {ownership.owner: {apply: deny, retrieve: warn}}
rules:
  - {id: ttl.bounded, on: feature_view, when: "ttl_seconds == 0", level: deny, gates: [apply], message: "no ttl", fix: "set one"}
exemptions:
  - {rule: ttl.bounded, object: "feature_view:labs", owner: ana, reason: old, approver: bo, expires: 2027-01-31}
declassify:
  - {object: "feature_view:daily_counts", drops: [pii], owner: ana, reason: counts, approver: bo, expires: 2027-01-31}
callers:
  - {match: "oidc:role:research", purposes: [research]}
limits: {warn_days: 30}
"""

_EXEMPT = "packs: [residency]\nexemptions:\n  - "
_DROP = "packs: [residency]\ndeclassify:\n  - "
_RULE = "rules:\n  - "
_ANSWER = "owner: ana, reason: r, approver: bo, expires: 2027-01-31"

ACCEPTED = {
    "the whole grammar": WHOLE,
    "one pack": "version: 1\npacks: [ownership]\n",
    "one rule": 'version: 1\nrules: [{id: a, on: entity, when: "true", message: m}]\n',
    "no callers for a purpose": "version: 1\npacks: [residency]\ncallers: [{match: x, purposes: []}]\n",
    "an exemption for every view": f"version: 1\n{_EXEMPT}{{rule: residency.place, object: 'feature_view:*', {_ANSWER}}}\n",
}

_LIMITED = f"version: 1\nlimits: {{exemption_days: 90}}\n{_EXEMPT}"
_GRANT = "rule: residency.place, object: 'feature_view:a', owner: ana, reason: r, approver: bo"

ACCEPTED |= {
    "all packs": "version: 1\npacks: [residency, ownership, pii, gdpr-art5, eu-ai-act-art10]\n",
    "an exemption as long as may be": f"{_LIMITED}{{{_GRANT}, granted: 2026-06-01, expires: 2026-08-30}}\n",
}

REFUSED_BY_BOTH = {
    "": "policy.yaml:1: the file is empty; a policy begins with 'version: 1'",
    "- a\n": "policy.yaml:1: found a list as the policy; expected a mapping (key: value)",
    "packs: [residency]\n": "policy.yaml:1: the policy lacks version; write it",
    "version: 2\npacks: [residency]\n": "policy.yaml:1: found '2' (int) as version; this Provender reads version: 1",
    'version: "1"\npacks: [residency]\n': "policy.yaml:1: found '1' (text) as version; this Provender reads version: 1",
    "version: 1\n": "policy.yaml:1: this policy checks nothing; name a pack (packs: [residency, ownership])",
    "version: 1\npacks: []\nrules: []\n": "policy.yaml:1: this policy checks nothing",
    "version: 1\npack: [residency]\n": "policy.yaml:2: found unknown key 'pack' in the policy; expected one of: version,",
    "version: 1\npacks: residency\n": "policy.yaml:2: found 'residency' (text) as packs; expected a list ([a, b])",
    "version: 1\npacks: [residency]\nlimits: {exemption_days: 0}\n": (
        "policy.yaml:3: found '0' (int) as exemption_days of limits; expected a number of days from 1 to 36500"
    ),
    "version: 1\npacks: [residency]\nlimits: {warn_days: soon}\n": "policy.yaml:3: found 'soon' (text) as warn_days of limits",
    "version: 1\npacks: [residency]\nlimits: {longest: 3}\n": "policy.yaml:3: found unknown key 'longest' in limits",
    "version: 1\npacks: [residensy]\n": "policy.yaml:2: found unknown pack 'residensy'; this Provender has: residency, ownership, pii,",
    "version: 1\npacks: [residency, residency]\n": "policy.yaml:2: found 'residency' twice in packs; keep one",
    "version: 1\npacks: [residency]\nzones:\n  EU: []\n": "policy.yaml:4: zone EU is empty",
    "version: 1\npacks: [residency]\nzones: {EU: DE}\n": "policy.yaml:3: found 'DE' (text) as zone EU; expected a list",
    "version: 1\npacks: [residency]\nzones: {EU: [1]}\n": "policy.yaml:3: found '1' (int) as member of zone EU; expected text",
    'version: 1\npacks: [residency]\nzones: {EU: ["DE,FR"]}\n': "policy.yaml:3: found zone name 'DE,FR'; a name has no comma",
    "version: 1\npacks: [residency]\nplaces:\n  - {match: x}\n": "policy.yaml:4: a place lacks zone; write it",
    "version: 1\npacks: [residency]\nlabels: {pii: {values: [a], flow: max}}\n": "policy.yaml:3: label pii is built in",
    "version: 1\npacks: [residency]\nlabels: {a: {values: [], flow: max}}\n": "policy.yaml:3: label a wants at least one",
    "version: 1\npacks: [residency]\nlabels: {a: {values: [b], flow: min}}\n": (
        "policy.yaml:3: found 'min' as flow of label a; expected one of: union, intersection, max"
    ),
    "version: 1\npacks: [residency]\nlevels: {residency.place: {apply: error}}\n": (
        "policy.yaml:3: found 'error' as level of rule residency.place; expected one of: deny, warn, audit"
    ),
    "version: 1\npacks: [residency]\nlevels: {residency.place: {aply: deny}}\n": (
        "policy.yaml:3: found unknown key 'aply' in levels of rule residency.place; expected one of: apply, retrieve,"
    ),
    f"version: 1\n{_RULE}{{id: A b, on: entity, when: 'true', message: m}}\n": "policy.yaml:3: found 'A b' as id of a rule",
    f"version: 1\n{_RULE}{{id: a, on: view, when: 'true', message: m}}\n": "policy.yaml:3: found 'view' as 'on' of rule a",
    f"version: 1\n{_RULE}{{id: a, on: entity, message: m}}\n": "policy.yaml:3: a rule lacks when; write it",
    f"version: 1\n{_RULE}{{id: a, on: entity, when: 'true', message: ' '}}\n": "policy.yaml:3: found an empty text as message",
    f"version: 1\n{_RULE}{{id: a, on: entity, when: 'true', message: m, gates: []}}\n": "rule a is checked at no gate",
    f"version: 1\n{_RULE}{{id: a, on: entity, when: 'true', message: m, gates: [fly]}}\n": "found unknown gate 'fly'",
    f"version: 1\n{_EXEMPT}{{rule: residency.place, object: 'feature_view:a', owner: ana, reason: r, approver: bo}}\n": (
        "policy.yaml:4: an exemption lacks expires; write it"
    ),
    f"version: 1\n{_EXEMPT}{{rule: residency.place, object: 'feature_view:a', reason: r, approver: bo, expires: 2027-01-31}}\n": (
        "policy.yaml:4: an exemption lacks owner; write it"
    ),
    f"version: 1\n{_EXEMPT}{{rule: residency.place, object: 'view:a', {_ANSWER}}}\n": "found 'view:a' as object of an exemption",
    f"version: 1\n{_EXEMPT}{{rule: residency.place, object: 'feature_view:a', owner: ana, reason: r, approver: bo, expires: soon}}\n": (
        "policy.yaml:4: found 'soon' as expires of an exemption; expected a day, YYYY-MM-DD"
    ),
    f"version: 1\n{_DROP}{{object: 'feature_view:a', drops: [], {_ANSWER}}}\n": "this declassification drops no label",
    "version: 1\npacks: [residency]\ncallers: [{match: x}]\n": "policy.yaml:3: a caller lacks purposes; write it",
}
"""Structure: the schema refuses these as well."""

REFUSED_BY_PARSER = {
    f"{_LIMITED}{{{_GRANT}, expires: 2026-08-30}}\n": "policy.yaml:5: an exemption lacks granted, its first day",
    f"{_LIMITED}{{{_GRANT}, granted: 2026-06-01, expires: 2026-08-31}}\n": (
        "policy.yaml:5: an exemption lasts 91 days; limits: exemption_days: allows 90; end it sooner"
    ),
    f"version: 1\n{_EXEMPT}{{{_GRANT}, granted: 2026-06-02, expires: 2026-06-01}}\n": (
        "policy.yaml:4: an exemption ends on 2026-06-01, before 2026-06-02, when it is granted; correct one of them"
    ),
    "version: 1\npacks: [gdpr-art5]\nlabels: {retention: {values: [a], flow: max}}\n": (
        "policy.yaml:3: label retention comes with pack gdpr-art5; give yours another name, or leave this one out"
    ),
    "version: 1\nversion: 1\npacks: [residency]\n": (
        "policy.yaml:2: found key 'version' twice in the policy, first at policy.yaml:1; keep one of the two"
    ),
    "version: 1\npacks: [residency]\nzones: {A: [B], B: [A]}\n": "policy.yaml:3: zones hold each other in a circle: A <- B <- A",
    "version: 1\npacks: [residency]\nzones: {EU: [DE]}\nplaces:\n  - {match: x, zone: FR}\n": (
        "policy.yaml:5: found unknown zone 'FR'; known: DE, EU"
    ),
    "version: 1\npacks: [residency]\nplaces: [{match: x, zone: FR}]\n": "unknown zone 'FR'; known: none; declare some",
    "version: 1\npacks: [residency]\nlevels: {ownership.owner: {apply: warn}}\n": (
        "policy.yaml:3: found unknown rule 'ownership.owner': it comes with pack ownership, which packs: does not name"
    ),
    "version: 1\npacks: [residency]\nlevels: {no.such: {apply: warn}}\n": "policy.yaml:3: found unknown rule 'no.such'; known",
    "version: 1\npacks: [residency]\nlevels: {labels.readable: {apply: warn}}\n": "rule labels.readable always denies",
    "version: 1\npacks: [residency]\nlevels: {purpose.allowed: {apply: warn}}\n": (
        "rule purpose.allowed is not checked at apply; it is at: retrieve, materialize, online, train"
    ),
    f"version: 1\n{_RULE}{{id: a, on: entity, when: 'true', message: m}}\n  - {{id: a, on: entity, when: 'true', message: m}}\n": (
        "policy.yaml:4: there are two rules with the id a; give this one another"
    ),
    f"version: 1\n{_RULE}{{id: ownership.owner, on: entity, when: 'true', message: m}}\n": "two rules with the id ownership.owner",
    f"version: 1\n{_RULE}{{id: a, on: entity, when: 'ttl_seconds == 0', message: m}}\n": (
        "policy.yaml:3: 'when' of rule a is no CEL condition on an object of kind entity: undeclared reference to 'ttl_seconds'"
    ),
    f"version: 1\n{_RULE}{{id: a, on: feature_view, when: 'ttl_seconds == true', message: m}}\n": "found no matching overload",
    f"version: 1\n{_RULE}{{id: a, on: feature_view, when: 'ttl_seconds', message: m}}\n": "its value is INT, not true or false",
    f"version: 1\n{_RULE}{{id: a, on: feature_view, when: 'ttl_seconds ==', message: m}}\n": "Syntax error",
    f"version: 1\n{_EXEMPT}{{rule: nope, object: 'feature_view:a', {_ANSWER}}}\n": "policy.yaml:4: found unknown rule 'nope'",
    f"version: 1\n{_EXEMPT}{{rule: residency.place, object: 'feature_view:a', owner: Ana, reason: r, approver: 'ana ', expires: 2027-01-31}}\n": (
        "policy.yaml:4: an exemption is approved by its owner Ana; another person approves"
    ),
    f"version: 1\n{_EXEMPT}{{rule: residency.place, object: 'feature_view:a', owner: ana, reason: r, approver: bo, expires: 2027-02-30}}\n": (
        "policy.yaml:4: found '2027-02-30' as expires of an exemption, a day that no calendar has"
    ),
    f"version: 1\n{_DROP}{{object: 'feature_view:a', drops: [secrecy], {_ANSWER}}}\n": "policy.yaml:4: found unknown label 'secrecy'",
    "version: 1\npacks: &a [residency]\n": "policy.yaml:2: not YAML: found an anchor or alias; write it out",
    "version: 1\npacks: !!python/tuple [residency]\n": "policy.yaml:2: not YAML: found an explicit tag",
    "version: 1\npacks: [residency\n": "policy.yaml:3: not YAML:",
    "version: 1\n---\nversion: 1\n": "policy.yaml:2: not YAML: but found another document",
    "version: 1\npacks: [\x07]\n": "policy.yaml:1: not YAML:",
}
"""Meaning: beyond what a schema can say."""
