"""Nodes of the data's half of the chain: snapshot, definitions, entity rows, sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.report.facts import count, fact, known, mapping, sequence, size
from audit.report.report import Check, Decision, Fact, Labels, Node
from audit.verify.statement import Statement


def snapshot_node(digest: str, retrieval: Statement | None, *, id: str) -> Node:  # noqa: A002 - the field's own name
    """The exact table that the training run read."""
    predicate: Mapping[str, Any] = retrieval.predicate if retrieval else {}
    features = sequence(mapping(predicate.get("request")).get("features"))
    sized = f"{count(predicate.get('rows'), 'row')}, {count(len(features), 'feature')}"
    return Node(
        id=id,
        kind="snapshot",
        title="Snapshot",
        name=sized if retrieval else "size not recorded",
        digest=digest,
        summary="The exact table the model was trained on, named by the digest of its content.",
        who=retrieval.actor if retrieval else None,
        when=retrieval.time if retrieval else None,
        records=(retrieval.id,) if retrieval else (),
        facts=known(("Rows", predicate.get("rows")), ("Manifest (SHA-256)", predicate.get("manifest"))),
    )


def retrieval_node(act: Statement, *, id: str) -> Node:  # noqa: A002 - the field's own name
    """The point-in-time retrieval that made a snapshot."""
    predicate = act.predicate
    engine, verdict = mapping(predicate.get("engine")), mapping(predicate.get("verdict"))
    named = " ".join(str(engine[part]) for part in ("name", "version") if engine.get(part))
    features = sequence(mapping(predicate.get("request")).get("features"))
    return Node(
        id=id,
        kind="retrieval",
        title="Point-in-time retrieval",
        name=named or "engine not recorded",
        summary=f"Project {predicate.get('project')}, verdict: {verdict.get('outcome') or 'not recorded'}.",
        who=act.actor,
        when=act.time,
        records=(act.id,),
        facts=(
            *known(
                ("Retrieval run", predicate.get("run")),
                ("Project", predicate.get("project")),
                ("Engine", named),
                ("Verdict", verdict.get("outcome")),
                ("Definitions in use (SHA-256)", predicate.get("definitions")),
            ),
            *(Fact("Feature", str(name), code=True) for name in features if isinstance(name, str)),
        ),
    )


def definitions_node(decision: Statement, *, id: str) -> Node:  # noqa: A002 - the field's own name
    """The version of the feature definitions that was in force, and the decision that let it in."""
    predicate = decision.predicate
    repository = mapping(predicate.get("repository"))
    return Node(
        id=id,
        kind="definitions",
        title="Feature definitions",
        name=str(predicate.get("project") or "project not named"),
        digest=f"definitions-sha256:{predicate.get('definitions')}",
        summary="Allowed when they were applied.",
        who=decision.actor,
        when=decision.time,
        records=(decision.id,),
        facts=(
            *known(
                ("Decision", predicate.get("outcome")),
                ("Definition version (SHA-256)", predicate.get("definitions")),
                ("Policy (SHA-256)", predicate.get("policy")),
                ("Git commit", repository.get("commit")),
            ),
            *((fact("Uncommitted changes", repository["dirty"]),) if repository.get("dirty") is not None else ()),
        ),
    )


def spine_node(act: Statement, *, id: str) -> Node:  # noqa: A002 - the field's own name
    """Where the entity rows and labels came from, as the caller said."""
    spine = mapping(act.predicate.get("spine"))
    origin = mapping(spine.get("origin"))
    made_from = [mapping(entry) for entry in sequence(origin.get("made_from"))]
    code = mapping(origin.get("code"))
    return Node(
        id=id,
        kind="spine",
        title="Entity rows and labels",
        name=str(code.get("name") or "code not named"),
        digest=_td1(spine.get("digest")),
        summary=f"{count(spine.get('rows'), 'row')}, made by recorded code from {count(len(made_from), 'file')}.",
        who=act.actor,
        when=act.time,
        records=(act.id,),
        facts=(
            *known(
                ("Rows", spine.get("rows")), ("Made by", code.get("name")), ("That code (SHA-256)", code.get("sha256"))
            ),
            *(Fact(str(entry.get("uri", "file")), f"SHA-256 {entry.get('sha256')}", code=True) for entry in made_from),
        ),
    )


def _td1(digest: Any) -> str | None:
    if not isinstance(digest, str):
        return None
    return digest if ":" in digest else f"td1-sha256:{digest}"


def source_node(source: Mapping[str, Any], act: Statement, *, id: str) -> Node:  # noqa: A002 - the field's own name
    """The state of one source as the retrieval read it."""
    files = [mapping(entry) for entry in sequence(source.get("files"))]
    total = sum(entry["size"] for entry in files if isinstance(entry.get("size"), int))
    only = files[0].get("sha256") if len(files) == 1 else None
    return Node(
        id=id,
        kind="source",
        title="Source",
        name=str(source.get("name", "source")),
        digest=f"sha256:{only}" if only else None,
        summary=f"{count(len(files), 'file')}, {size(total)}.",
        who=act.actor,
        when=source.get("time") or act.time,
        records=(act.id,),
        facts=(
            *known(("Place", source.get("uri")), ("State", source.get("state")), ("Read at", source.get("time"))),
            *known(*((f"Table {name}", value) for name, value in sorted(mapping(source.get("table")).items()))),
            *(Fact(str(entry.get("path")), _content(entry), code=True) for entry in files),
        ),
    )


def _content(entry: Mapping[str, Any]) -> str:
    """What names the content of one file or object: its SHA-256, else what the store says of it."""
    names = (("SHA-256", "sha256"), ("ETag", "etag"), ("version", "version_id"))
    stated = [f"{word} {entry[key]}" for word, key in names if entry.get(key)]
    return ", ".join([size(entry.get("size")), *stated])


def labels_of(acts: list[Statement]) -> Labels:
    """The labels of all snapshots together: places are an intersection, sensitivities a union."""
    found = [mapping(act.predicate.get("labels")) for act in acts]
    if not found:
        return Labels()
    known_pii = [bool(label["pii"]) for label in found if label.get("pii") is not None]
    return Labels(
        residency=_common(found, "residency"),
        pii=any(known_pii) if known_pii else None,
        purpose=_common(found, "purpose"),
    )


def _common(labels: list[Mapping[str, Any]], name: str) -> tuple[str, ...]:
    """What all allow; an empty list allows nothing, unless nobody declared that label."""
    declared = [label for label in labels if name in label and name not in sequence(label.get("undeclared"))]
    sets = [set(map(str, sequence(label.get(name)))) for label in declared]
    return tuple(sorted(set.intersection(*sets))) if sets else ()


def checks_of(act: Statement) -> tuple[Check, ...]:
    """The expectations that the snapshot met or missed, without what was observed."""
    return tuple(
        Check(
            expectation=str(entry.get("expectation", "")),
            column=str(entry["column"]) if entry.get("column") else None,
            success=entry.get("success") is True,
            severity=str(entry.get("severity") or "critical"),
        )
        for entry in map(mapping, sequence(act.predicate.get("validation")))
    )


def decision_of(act: Statement) -> Decision:
    """The verdict that one decision record holds."""
    predicate = act.predicate
    return Decision(
        gate=str(predicate.get("gate", "")),
        outcome=str(predicate.get("outcome", "")),
        when=act.time,
        who=act.actor,
        record=act.id,
        policy=predicate.get("policy"),
        findings=tuple(
            f"{entry.get('level')}: {entry.get('rule')} at {entry.get('object')}: {entry.get('message')}"
            for entry in map(mapping, sequence(predicate.get("findings")))
        ),
        commit=mapping(predicate.get("repository")).get("commit"),
    )
