"""Nodes of the model's half of the chain: endpoint, weights, training run, hardware, online values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.report.facts import count, fact, flattened, known, mapping, moment, sequence, size
from audit.report.report import Fact, Node
from audit.verify.statement import Statement
from governance.canonical import parse_rfc3339


def endpoint_node(act: Statement) -> Node:
    """The endpoint, as its ready record describes it."""
    predicate = act.predicate
    server, loaded = mapping(predicate.get("server")), mapping(predicate.get("loaded"))
    named = " ".join(str(server[part]) for part in ("framework", "version") if server.get(part))
    return Node(
        id="endpoint",
        kind="endpoint",
        title="Endpoint",
        name=str(predicate.get("endpoint", "")),
        digest=loaded.get("digest"),
        summary=f"{named or 'A server'} reported on {moment(loaded.get('at'))} which weights it had loaded.",
        who=act.actor,
        when=act.time,
        records=(act.id,),
        facts=known(
            ("State", predicate.get("state")),
            ("Deployment", predicate.get("deployment")),
            ("Server", named),
            ("Address", server.get("url")),
            ("Weights it loaded", loaded.get("digest")),
            ("Loaded at", loaded.get("at")),
            ("Reported by", loaded.get("by")),
            ("Key that signed the weights", predicate.get("signature_key")),
            ("Feature service", predicate.get("feature_service")),
            ("Definitions it serves from", predicate.get("definitions")),
        ),
    )


def weights_node(digest: str, artifact: Statement | None) -> Node:
    """The model directory; its files are listed where a record of the artifact does."""
    files = _files(artifact)
    total = sum(octets for _path, octets, _digest in files)
    return Node(
        id="weights",
        kind="weights",
        title="Model weights",
        name=_model_name(artifact),
        digest=digest,
        summary=f"{count(len(files), 'file')}, {size(total)}." if files else "No record lists the files.",
        who=artifact.actor if artifact else None,
        when=artifact.time if artifact else None,
        records=(artifact.id,) if artifact else (),
        facts=tuple(Fact(path, f"{size(octets)}, SHA-256 {digest}", code=True) for path, octets, digest in files),
    )


def signature_node(artifact: Statement) -> Node:
    """The signature of the model directory."""
    signature = mapping(artifact.predicate.get("signature"))
    key = str(signature.get("key") or "")
    return Node(
        id="signature",
        kind="signature",
        title="Signature",
        name="OpenSSF model-signing",
        digest=f"key {key}" if key else None,
        summary="Made with the key of the artifact store.",
        who=artifact.actor,
        when=artifact.time,
        records=(artifact.id,),
        facts=known(
            ("Signing key (SHA-256 of its public half)", key),
            ("Signature file (SHA-256)", signature.get("sha256")),
            ("Subject digest of OpenSSF model-signing", signature.get("openssf_subject")),
        ),
    )


def _files(artifact: Statement | None) -> list[tuple[str, int, str]]:
    found = [sequence(entry) for entry in sequence(artifact.predicate.get("files"))] if artifact else []
    return [
        (str(entry[0]), entry[1], str(entry[2])) for entry in found if len(entry) == 3 and isinstance(entry[1], int)
    ]


def _model_name(artifact: Statement | None) -> str:
    names = [name.removeprefix("model:") for name, _algorithm, _digits in artifact.subjects] if artifact else []
    return names[0] if names else "model directory"


def run_node(act: Statement) -> Node:
    """The training run: which job, with what settings, when."""
    definition, details = mapping(act.predicate.get("buildDefinition")), mapping(act.predicate.get("runDetails"))
    external, internal = mapping(definition.get("externalParameters")), mapping(definition.get("internalParameters"))
    job, metadata = mapping(external.get("trainjob")), mapping(details.get("metadata"))
    return Node(
        id="run",
        kind="run",
        title="Training run",
        name=str(job.get("name") or metadata.get("invocationId") or "training run"),
        digest=None,
        summary=_duration(metadata.get("startedOn"), metadata.get("finishedOn")),
        who=act.actor,
        when=act.time,
        records=(act.id,),
        facts=(
            *known(
                ("TrainJob", job.get("name")),
                ("TrainJob id", job.get("id")),
                ("Namespace", job.get("namespace")),
                ("Run", metadata.get("invocationId")),
                ("Started", metadata.get("startedOn")),
                ("Finished", metadata.get("finishedOn")),
                ("Builder", mapping(details.get("builder")).get("id")),
                ("Seed", str(external["seed"]) if "seed" in external else None),
            ),
            *flattened(mapping(external.get("hyperparameters")), under="Hyper-parameter"),
            *flattened(mapping(external.get("split")), under="Split"),
            *_dependencies(definition),
            *_metrics(details),
            *flattened(mapping(internal.get("determinism")), under="Determinism"),
            *flattened(mapping(internal.get("environment")), under="Environment"),
        ),
    )


def _duration(started: Any, finished: Any) -> str:
    if not isinstance(started, str) or not isinstance(finished, str):
        return "When it ran is not recorded."
    seconds = (parse_rfc3339(finished) - parse_rfc3339(started)).total_seconds()
    return f"Ran {moment(started)}, for {seconds:,.0f} s."


def _dependencies(definition: Mapping[str, Any]) -> tuple[Fact, ...]:
    return tuple(
        fact(f"{str(entry.get('name', 'dependency')).capitalize()} ({algorithm})", value, code=True)
        for entry in map(mapping, sequence(definition.get("resolvedDependencies")))
        for algorithm, value in sorted(mapping(entry.get("digest")).items())
    )


def _metrics(details: Mapping[str, Any]) -> tuple[Fact, ...]:
    return tuple(
        line
        for entry in map(mapping, sequence(details.get("byproducts")))
        if entry.get("name") == "metrics"
        for line in flattened(mapping(entry.get("annotations")), under="Metric")
    )


def hardware_node(act: Statement) -> Node | None:
    """The machine the run said it had, or None where the run said nothing about it."""
    definition = mapping(act.predicate.get("buildDefinition"))
    hardware = mapping(mapping(definition.get("internalParameters")).get("hardware"))
    if not hardware:
        return None
    accelerators = [mapping(entry) for entry in sequence(hardware.get("gpus"))]
    processor = mapping(hardware.get("cpu"))
    names = sorted({str(entry.get("model") or "GPU") for entry in accelerators})
    model = str(processor.get("model") or "processor not named")
    return Node(
        id="hardware",
        kind="hardware",
        title="Hardware",
        name=f"{', '.join(names)} ({count(len(accelerators), 'GPU')})" if accelerators else model,
        summary=_driver(accelerators[0]) if accelerators else _without_gpu(hardware),
        who=act.actor,
        when=act.time,
        records=(act.id,),
        facts=(
            *(line for index, entry in enumerate(accelerators) for line in flattened(entry, under=f"GPU {index}")),
            *flattened({name: value for name, value in hardware.items() if name not in {"gpus", "cpu", "reason"}}),
            *known(
                ("Processor", processor.get("model")),
                ("Logical processors it could use", processor.get("cores")),
                ("Instruction sets", " ".join(map(str, sequence(processor.get("flags"))))),
            ),
        ),
    )


def _without_gpu(hardware: Mapping[str, Any]) -> str:
    reason = str(hardware.get("reason") or "trained on the processor").rstrip(".")
    return f"No GPU: {reason}."


def _driver(accelerator: Mapping[str, Any]) -> str:
    parts = [
        f"{word} {accelerator[key]}" for word, key in (("Driver", "driver"), ("CUDA", "cuda")) if accelerator.get(key)
    ]
    return f"{', '.join(parts)}." if parts else ""


def online_node(act: Statement, view: str, *, id: str) -> Node:  # noqa: A002 - the field's own name
    """The materialization behind the values of one view that an endpoint reads online."""
    predicate = act.predicate
    written = next((item for item in map(mapping, sequence(predicate.get("views"))) if item.get("name") == view), {})
    return Node(
        id=id,
        kind="online",
        title="Online values",
        name=view,
        digest=written.get("digest"),
        summary=f"{count(written.get('rows'), 'row')} written to the online store.",
        who=act.actor,
        when=act.time,
        records=(act.id,),
        facts=known(
            ("Materialization run", predicate.get("run")),
            ("Rows", written.get("rows")),
            ("Digest of what was written", written.get("digest")),
            ("From", written.get("start")),
            ("To", written.get("end")),
            ("Store", written.get("store")),
        ),
    )
