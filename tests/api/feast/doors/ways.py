"""The table: through which door, in which way, somebody tries to get past the policy, and what they are told.

A way either raises, or gives back what a command or a server answered. ``recorded`` is what each adds to the records:
nothing where the way itself is closed, so that no question was asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx

from tests.api.feast.doors.conftest import OWNER, REFS, SPAN, Doors

DENIED = ("decision", "deny")
READ = (("retrieval", "START"), ("retrieval", "COMPLETE"))
NO_OWNER = r"apply denied: 1 deny\ndeny  ownership\.owner  feature_view:careless\n      path: careless\n      no owner"
UNGRANTED = r"purpose marketing"
NO_VERDICT = "would leave or be written without a verdict and a record"

CARELESS = """
from datetime import timedelta
from feast import FeatureView, Field, FileSource
from feast.types import Int64, String
from liver_entities import patient
TAGS = {"residency": "DE", "pii": "true", "purpose": "research"}
export = FileSource(name="careless_export", path="data/sources/follow_up.parquet", timestamp_field="event_timestamp",
                    owner="data-office@hospital.example", tags=TAGS)
careless = FeatureView(name="careless", entities=[patient], ttl=timedelta(days=400), source=export, tags=TAGS,
                       schema=[Field(name="patient_id", dtype=Int64), Field(name="outcome", dtype=String)])
"""


@dataclass(frozen=True)
class Way:
    """One way to walk around the gate at one door."""

    door: str
    way: str
    take: Callable[[Doors], Any]
    says: str
    """regular expression found in what the one who tried it is told"""
    recorded: tuple[tuple[str, str], ...] = ()
    purpose: str | None = None
    """what the process states that it acts for"""
    leaves: str = ""
    """what plain Feast writes by itself before anybody of ours is asked: it holds no definition"""

    @property
    def name(self) -> str:
        return f"{self.door}: {self.way}"


def _command_line() -> list[Way]:
    def applying(*options: str) -> Callable[[Doors], Any]:
        return lambda doors: doors.feast("apply", *options, adding=CARELESS)

    def another(way: str, says: str, *recorded: tuple[str, str], **changes: Any) -> Way:
        def take(doors: Doors) -> Any:
            file = doors.path / "other.yaml"
            file.write_text(_dumped(doors.document(**changes)))
            try:
                return doors.feast("apply", adding=CARELESS, yaml_file="other.yaml")
            finally:
                file.unlink()

        return Way("feast -f", way, take, says, recorded)

    materialize = ("materialize", "2009-01-01T00:00:00", "2026-01-01T00:00:00")
    refused = ("materialization", "DENIED")
    return [
        *(
            Way("feast apply", " ".join(options) or "as it is", applying(*options), NO_OWNER, (DENIED,))
            for options in (
                (),
                ("--skip-source-validation",),
                ("--skip-feature-view-validation",),
                ("--skip-source-validation", "--skip-feature-view-validation", "--no-progress", "--no-promote"),
            )
        ),
        Way(
            "feast delete",
            "an entity that is used",
            lambda d: d.feast("delete", "patient"),
            "inputs.defined",
            (DENIED,),
        ),
        Way("feast materialize", "for no purpose", lambda d: d.feast(*materialize), UNGRANTED, (refused,), "marketing"),
        Way(
            "feast materialize",
            "--disable-event-timestamp",
            lambda d: d.feast("materialize", "--disable-event-timestamp"),
            UNGRANTED,
            (refused,),
            "marketing",
        ),
        Way(
            "feast materialize-incremental",
            "for no purpose",
            lambda d: d.feast("materialize-incremental", "2026-02-01T00:00:00"),
            UNGRANTED,
            (refused,),
            "marketing",
        ),
        another("the provider of plain Feast", "registry is governed, but `provider:` is 'local'", provider="local"),
        replace(
            another(
                "no registry store", "provider is governed, but its registry is not", registry={"path": "data/plain.db"}
            ),
            leaves="data/plain.db",
        ),
        another(
            "the directory of the registry as a file", "Is a directory", provider="local", registry="data/registry"
        ),
        another(
            "an online store in France",
            "mirror-fr",
            DENIED,
            online_store={"type": "sqlite", "path": "data/mirror-fr/o.db"},
        ),
        another("no governance block, which the repository's own file still has", NO_OWNER, DENIED, governance=None),
        another(
            "a governance block that is not there",
            "There is no .*none.yaml",
            registry={
                "registry_store_type": "api.feast.GovernedRegistryStore",
                "path": "data/registry",
                "governance": "none.yaml",
            },
        ),
    ]


def _sdk() -> list[Way]:
    def retrieve(doors: Doors) -> Any:
        return doors.store.get_historical_features(doors.spine(), features=REFS).to_df()

    def abroad(doors: Doors) -> Any:
        from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

        job = doors.store.get_historical_features(doors.spine(), features=["demographics:sex"])
        storage = SavedDatasetFileStorage(str(doors.path / "data/mirror-fr/saved.parquet"))
        return doors.store.create_saved_dataset(job, "abroad", storage)

    def online(doors: Doors) -> Any:
        return doors.store.get_online_features(features=REFS, entity_rows=[{"patient_id": 1}])

    def delete_source(doors: Doors) -> Any:
        source = doors.store.get_data_source("laboratory_results")
        return doors.store.apply([], objects_to_delete=[source], partial=False)

    def push(doors: Doors) -> Any:
        return doors.store.push("arrivals_push", doors.rows())

    def push_everywhere(doors: Doors) -> Any:
        from feast.data_source import PushMode

        return doors.store.push("arrivals_push", doors.rows(), to=PushMode.OFFLINE)

    refused = ("materialization", "DENIED")
    return [
        Way("SDK", "apply", lambda d: d.store.apply(d.careless()), NO_OWNER, (DENIED,)),
        Way(
            "SDK",
            "apply without validation",
            lambda d: d.store.apply(d.careless(), skip_feature_view_validation=True),
            NO_OWNER,
            (DENIED,),
        ),
        Way(
            "SDK", "apply with partial=False", lambda d: d.store.apply(d.careless(), partial=False), NO_OWNER, (DENIED,)
        ),
        Way("SDK", "delete a source that is read", delete_source, "inputs.defined", (DENIED,)),
        Way(
            "SDK",
            "delete_feature_view",
            lambda d: d.store.delete_feature_view("laboratory"),
            "inputs.defined",
            (DENIED,),
        ),
        Way("SDK", "materialize", lambda d: d.store.materialize(*SPAN), UNGRANTED, (refused,), "marketing"),
        Way(
            "SDK",
            "materialize_incremental",
            lambda d: d.store.materialize_incremental(SPAN[1]),
            UNGRANTED,
            (refused,),
            "marketing",
        ),
        Way("SDK", "get_historical_features", retrieve, UNGRANTED, (("retrieval", "DENIED"),), "marketing"),
        Way("SDK", "get_online_features", online, UNGRANTED, (DENIED,), "marketing"),
        Way("SDK", "push online", push, UNGRANTED, (("write", "DENIED"),), "marketing"),
        Way("SDK", "push offline", push_everywhere, UNGRANTED, (("write", "DENIED"),), "marketing"),
        Way(
            "SDK",
            "write_to_online_store",
            lambda d: d.store.write_to_online_store("arrivals", d.rows()),
            UNGRANTED,
            (("write", "DENIED"),),
            "marketing",
        ),
        Way(
            "SDK",
            "write_to_offline_store",
            lambda d: d.store.write_to_offline_store("arrivals", d.rows(), reorder_columns=True),
            UNGRANTED,
            (("write", "DENIED"),),
            "marketing",
        ),
        Way(
            "SDK",
            "a saved dataset in France",
            abroad,
            "mirror-fr",
            (*READ, ("write", "DENIED")),
            leaves="data/objects",
        ),
    ]


def _dataset(registry: Any, doors: Doors) -> Any:
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
    from feast.saved_dataset import SavedDataset

    storage = SavedDatasetFileStorage(str(doors.path / "data/mirror-fr/saved.parquet"))
    saved = SavedDataset(name="abroad", features=["demographics:sex"], join_keys=["patient_id"], storage=storage)
    return registry.apply_saved_dataset(saved, "liver_care")


def _unlabelled(registry: Any, _: Doors) -> Any:
    from feast import FileSource

    source = FileSource(name="laboratory_results", path="data/sources/laboratory.parquet", owner=OWNER)
    return registry.apply_data_source(source, "liver_care")


def _later(registry: Any, doors: Doors) -> Any:
    registry.apply_feature_view(doors.careless()[1], "liver_care", commit=False)
    return registry.commit()


def _elsewhere(registry: Any, _: Doors) -> Any:
    from feast.permissions.permission import Permission
    from feast.permissions.policy import RoleBasedPolicy

    return registry.apply_permission(Permission(name="all", policy=RoleBasedPolicy(roles=["all"])), "elsewhere")


def _edited(doors: Doors) -> Any:
    doors.store.registry.proto().data_sources[0].tags["residency"] = "FR"
    return doors.store.registry.commit()


def _handed(doors: Doors) -> Any:
    made = doors.store.registry.proto().__class__()
    made.CopyFrom(doors.store.registry.proto())
    for view in made.feature_views:
        view.spec.owner = ""
    return doors.store.registry._registry_store.update_registry_proto(made)


def _unknown_kind(doors: Doors) -> Any:
    doors.store.registry.proto().validation_references.add(name="profile", project="liver_care")
    return doors.store.registry.commit()


def _label_view(doors: Doors) -> Any:
    view = doors.store.registry.proto().label_views.add()
    view.spec.name, view.spec.project = "sentiment", "liver_care"
    view.spec.source.CopyFrom(doors.store.registry.proto().data_sources[0])
    return doors.store.registry.commit()


def _registry() -> list[Way]:
    """Writes to the registry itself, in the process and through Feast's registry server."""
    label = r"deny  residency\S*  data_source:laboratory_results"
    abroad = r"saved_dataset:abroad(.|\n)*mirror-fr"
    lost = r"inputs\.defined"
    each: list[tuple[str, Callable[[Any, Doors], Any], str]] = [
        ("apply_feature_view", lambda r, d: r.apply_feature_view(d.careless()[1], "liver_care"), "careless"),
        ("a view with commit=False, then commit", _later, "careless"),
        ("apply_data_source without labels", _unlabelled, label),
        ("apply_saved_dataset in France", _dataset, abroad),
        ("delete_data_source", lambda r, _: r.delete_data_source("laboratory_results", "liver_care"), lost),
        ("delete_entity", lambda r, _: r.delete_entity("patient", "liver_care"), lost),
        ("delete_feature_view", lambda r, _: r.delete_feature_view("demographics", "liver_care"), lost),
    ]

    def here(take: Callable[[Any, Doors], Any]) -> Callable[[Doors], Any]:
        return lambda doors: take(doors.store.registry, doors)

    def there(take: Callable[[Any, Doors], Any]) -> Callable[[Doors], Any]:
        return lambda doors: take(doors.remote.registry, doors)

    other = ("apply_permission in another project", "of project elsewhere")
    return [
        *(Way("registry", way, here(take), says, (DENIED,)) for way, take, says in each),
        *(Way("registry server", way, there(take), says, (DENIED,)) for way, take, says in each),
        # Feast commits a bare row for a project that it did not know before it adds an object to it
        Way("registry", other[0], here(_elsewhere), other[1], leaves="data/registry"),
        Way("registry server", other[0], there(_elsewhere), other[1], leaves="data/registry"),
        Way("registry server", "apply", lambda d: d.remote.apply(d.careless()), "careless", (DENIED,)),
        Way("registry", "an edit of the protobuf", _edited, "residency", (DENIED,)),
        Way("registry", "a protobuf handed to the registry store", _handed, r"ownership\.owner", (DENIED,)),
        Way("registry", "a view of labels that nobody owns", _label_view, r"ownership\.owner", (DENIED,)),
        Way(
            "registry", "a kind of object that no policy knows", _unknown_kind, "validation references, which no policy"
        ),
    ]


def _http() -> list[Way]:
    """The feature server and the UI, each with a client of its own."""

    def post(path: str, **body: Any) -> Callable[[Doors], Any]:
        return lambda doors: httpx.post(doors.http + path, json=body, timeout=60)

    def ui(path: str, **body: Any) -> Callable[[Doors], Any]:
        return lambda doors: httpx.post(f"{doors.ui}/api/v1{path}", json=body, timeout=60)

    def unlink(path: str) -> Callable[[Doors], Any]:
        return lambda doors: httpx.delete(f"{doors.ui}/api/v1{path}", params={"project": "liver_care"}, timeout=60)

    rows = {"patient_id": [1], "bilirubin_mg_dl": [999.0], "event_timestamp": ["2012-01-01T00:00:00Z"]}
    source = {"name": "laboratory_results", "project": "liver_care", "type": 1}
    span = {"start_ts": "2009-01-01T00:00:00", "end_ts": "2026-01-01T00:00:00"}
    refused = ("materialization", "DENIED")
    return [
        Way(
            "feature server",
            "POST /get-online-features",
            post("/get-online-features", features=["demographics:sex"], entities={"patient_id": [1]}),
            UNGRANTED,
            (DENIED,),
            "marketing",
        ),
        Way(
            "feature server",
            "POST /push",
            post("/push", push_source_name="arrivals_push", df=rows, to="online"),
            UNGRANTED,
            (("write", "DENIED"),),
            "marketing",
        ),
        Way(
            "feature server",
            "POST /push offline",
            post("/push", push_source_name="arrivals_push", df=rows, to="offline"),
            UNGRANTED,
            (("write", "DENIED"),),
            "marketing",
        ),
        Way(
            "feature server",
            "POST /write-to-online-store",
            post("/write-to-online-store", feature_view_name="arrivals", df=rows),
            UNGRANTED,
            (("write", "DENIED"),),
            "marketing",
        ),
        Way("feature server", "POST /materialize", post("/materialize", **span), UNGRANTED, (refused,), "marketing"),
        Way(
            "feature server",
            "POST /materialize-incremental",
            post("/materialize-incremental", end_ts="2026-03-01T00:00:00"),
            UNGRANTED,
            (refused,),
            "marketing",
        ),
        Way(
            "feature server",
            "POST /retrieve-online-documents",
            post("/retrieve-online-documents", features=REFS, query=[1.0], top_k=1),
            "without a verdict",
        ),
        Way("UI server", "DELETE /entities/patient", unlink("/entities/patient"), "", (DENIED,)),
        Way("UI server", "POST /data_sources", ui("/data_sources", **source), "", (DENIED,)),
        Way(
            "UI server",
            "POST /push",
            ui("/push", push_source_name="arrivals_push", df=rows, to="online"),
            "",
            (("write", "DENIED"),),
            "marketing",
        ),
    ]


def _flight() -> list[Way]:
    """Feast's offline server, by the remote offline store of a client."""

    def retrieve(doors: Doors) -> Any:
        return doors.remote.get_historical_features(doors.spine(), features=REFS).to_df()

    def retrieve_governed(doors: Doors) -> Any:
        return doors.remote_of_governed_store.get_historical_features(doors.spine(), features=REFS).to_df()

    def pull(way: str, *, governed: bool = False) -> Callable[[Doors], Any]:
        def take(doors: Doors) -> Any:
            store = doors.remote_of_governed_store if governed else doors.remote
            source = doors.store.get_data_source("laboratory_results")
            asked = (["patient_id"], ["bilirubin_mg_dl"], "event_timestamp", None, *SPAN)
            return getattr(store.provider.offline_store, way)(store.config, source, *asked).to_df()

        return take

    def write(doors: Doors) -> Any:
        return doors.remote.write_to_offline_store("arrivals", doors.rows(), reorder_columns=True)

    def save(doors: Doors) -> Any:
        from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

        job = doors.remote.get_historical_features(doors.spine(), features=REFS)
        return job.persist(SavedDatasetFileStorage(str(doors.path / "data/mirror-fr/saved.parquet")))

    return [
        Way("offline server", "get_historical_features", retrieve, NO_VERDICT),
        Way("offline server", "pull_all_from_table_or_query", pull("pull_all_from_table_or_query"), NO_VERDICT),
        Way("offline server", "pull_latest_from_table_or_query", pull("pull_latest_from_table_or_query"), NO_VERDICT),
        Way("offline server", "write_to_offline_store", write, "without a"),
        Way("offline server", "persist", save, NO_VERDICT),
        Way(
            "offline server over GovernedOfflineStore",
            "get_historical_features",
            retrieve_governed,
            UNGRANTED,
            (("retrieval", "DENIED"),),
            "marketing",
        ),
        *(
            Way("offline server over GovernedOfflineStore", name, pull(name, governed=True), NO_VERDICT)
            for name in ("pull_all_from_table_or_query", "pull_latest_from_table_or_query")
        ),
    ]


def _by_hand() -> list[Way]:
    """Files edited behind our back: the next one who reads is told, and reads nothing."""

    def edited(name: Callable[[Doors], str], change: Callable[[bytes], bytes | None]) -> Callable[[Doors], Any]:
        def take(doors: Doors) -> Any:
            file = doors.path / "data/registry" / name(doors)
            kept = file.read_bytes()
            made = change(kept)
            file.unlink() if made is None else file.write_bytes(made)
            try:
                return doors.repository.store().list_feature_views()
            finally:
                file.write_bytes(kept)

        return take

    def moved(doors: Doors) -> Any:
        document = doors.document()
        document["governance"]["database"] = "sqlite:///data/fresh.db"
        file = doors.path / "fresh.yaml"
        document["registry"]["governance"] = "fresh.yaml"
        file.write_text(_dumped(document))
        try:
            return doors.repository.store("fresh.yaml").list_feature_views()
        finally:
            file.unlink()
            for one in doors.path.glob("data/fresh.db*"):
                one.unlink()

    def ungoverned(doors: Doors) -> Any:
        file = doors.path / "feature_store.yaml"
        kept = file.read_text()
        file.write_text(_dumped(doors.document(governance=None)))
        try:
            return doors.repository.store().apply(doors.careless())
        finally:
            file.write_text(kept)

    head, version = (lambda _: "head.json"), (lambda d: d.repository.head["object"])
    return [
        Way(
            "by hand",
            "the governance block deleted",
            ungoverned,
            "has no `governance:` block, so nothing may be decided",
        ),
        Way("by hand", "the head edited", edited(head, _other_policy), "edited by hand"),
        Way("by hand", "the head deleted", edited(head, lambda _: None), "head was deleted"),
        Way("by hand", "the head emptied", edited(head, lambda _: b""), "not as it was written"),
        Way("by hand", "a version edited", edited(version, _other_owner), "behind our back"),
        Way("by hand", "another database, which knows of no decision", moved, "the copy of the last checkpoint"),
    ]


def _other_policy(head: bytes) -> bytes:
    return json.dumps({**json.loads(head), "policy": "0" * 64}).encode()


def _other_owner(version: bytes) -> bytes:
    return version.replace(b"hepatology@", b"oncology12@")


def _dumped(document: dict[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(document, sort_keys=False))


WAYS = [*_command_line(), *_sdk(), *_registry(), *_http(), *_flight(), *_by_hand()]
