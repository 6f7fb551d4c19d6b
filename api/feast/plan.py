"""What the next ``feast apply`` of a repository would make of its registry, found out without touching anything.

Feast's own ``apply`` runs, with everything that it validates and infers, over a copy of the registry in memory and a
provider whose infrastructure is nothing. Data, registry, database and keys are read at most.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from feast import FeatureStore
from feast.infra.passthrough_provider import PassthroughProvider
from feast.infra.registry.registry_store import RegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig, RepoConfig
from feast.repo_operations import _get_repo_contents, extract_objects_for_apply_delete, get_repo_files

from api.credentials import held_credentials
from api.feast.configuration import read_configuration
from api.feast.definition_sites import definition_sites
from api.feast.governed import settings_of
from api.feast.head_copy import Head, read_only_head
from api.feast.picture import draw
from api.feast.registry_history import refuse_old_version
from api.feast.shadowing import refuse_shadowed_modules
from api.places import repository_places
from api.settings import Settings
from governance.assets import Definitions
from governance.canonical import Json
from governance.decide import decide
from governance.errors import ConfigurationError, ProvenderError
from governance.nearest_change import Situation
from governance.plan import Plan, located, make_plan
from governance.policy import Policy
from governance.policy_file import load_policy
from governance.verdict import Finding, Verdict


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Everything that a verdict on the next ``feast apply`` is made from."""

    settings: Settings
    policy: Policy
    places: Mapping[str, tuple[str, ...]]
    today: date
    definitions: Definitions
    """What the registry would hold; each object knows the line where it is defined."""
    head: Definitions | None
    """What the registry holds now."""
    told: tuple[Mapping[str, Json], ...]
    """The findings of the decision that let the registry's definitions in."""
    notes: tuple[Finding, ...] = ()
    """The credentials of stores that this client holds."""

    def verdict(self, definitions: Definitions) -> Verdict:
        """What ``feast apply`` of these definitions would be told."""
        return decide(definitions, self.policy, gate="apply", places=self.places, today=self.today)

    @property
    def situation(self) -> Situation:
        """The same as what single changes are tried on."""
        return Situation(definitions=self.definitions, policy=self.policy, places=self.places, today=self.today)

    def plan(self) -> Plan:
        """The plan of the next ``feast apply``."""
        plan = make_plan(
            self.definitions,
            self.verdict(self.definitions),
            head=self.head,
            head_verdict=None if self.head is None else self.verdict(self.head),
            told=self.told,
        )
        return replace(plan, notes=self.notes)


def propose(repo: Path, *, file: Path | None = None) -> Proposal:
    """What ``feast apply`` in ``repo`` would propose. Raises WrongQuestion where it could propose nothing.

    ``file`` is the configuration, ``feature_store.yaml`` of the repository unless given, as ``feast -f`` takes it.
    """
    repo = repo.resolve()
    config = read_configuration(repo, file)
    refuse_old_version(config.registry)
    settings = settings_of(config)
    head = read_only_head(settings, config)
    with _inside(repo), redirect_stdout(sys.stderr):
        refuse_shadowed_modules(repo)
        proto = _applied(config, head)
        sites = definition_sites(get_repo_files(repo), root=repo)
    definitions = located(draw(proto, project=settings.project, repo=settings.repo), sites)
    places = repository_places(settings)
    return Proposal(
        settings=settings,
        policy=load_policy(settings.policy),
        places=places,
        today=datetime.now(UTC).date(),
        definitions=definitions,
        head=head.definitions,
        told=head.told,
        notes=held_credentials(settings, definitions, places=places, environ=os.environ),
    )


def registered(repo: Path, *, file: Path | None = None) -> tuple[Definitions, Settings]:
    """What the registry holds now, and the settings. Raises ConfigurationError where nothing was applied yet."""
    config = read_configuration(repo.resolve(), file)
    settings = settings_of(config)
    head = read_only_head(settings, config)
    if head.definitions is None:
        raise ConfigurationError(
            f"The registry of {settings.repo} holds nothing yet, so there is nothing to compare on. Run feast apply."
        )
    return head.definitions, settings


def _applied(config: RepoConfig, head: Head) -> RegistryProto:
    """The registry that ``feast apply`` would commit."""
    copy: dict[str, Any] = {
        "registry_store_type": f"{__name__}.{HeadCopyRegistryStore.__name__}",
        "head_copy": head.proto,
    }
    registry = RegistryConfig(**copy)
    dry = config.model_copy(update={"provider": f"{__name__}.{NothingTouchedProvider.__name__}"})
    dry.registry_config, dry._registry = registry, None  # noqa: SLF001 - Feast keeps both and builds one from the other
    with _feast_refuses():
        contents = _get_repo_contents(Path.cwd(), config.project, dry)
        store = FeatureStore(config=dry)
        apply, delete, _, _ = extract_objects_for_apply_delete(config.project, store.registry, contents)
        store.apply(apply, objects_to_delete=delete, partial=False)
    proto: RegistryProto = store.registry.proto()
    return proto


class HeadCopyRegistryStore(RegistryStore):
    """A copy of the registry's head, in memory and nowhere else."""

    def __init__(self, registry_config: Any, repo_path: Path | None) -> None:
        self._proto = RegistryProto()
        self._proto.CopyFrom(registry_config.head_copy)

    def get_registry_proto(self) -> RegistryProto:
        """The copy, as it is by now."""
        return self._proto

    def update_registry_proto(self, registry_proto: RegistryProto) -> None:
        """Keep what Feast commits for those who read on."""
        if registry_proto is not self._proto:
            self._proto.CopyFrom(registry_proto)

    def teardown(self) -> None:
        """Forget the copy."""
        self._proto = RegistryProto()


class NothingTouchedProvider(PassthroughProvider):
    """A provider whose infrastructure is nothing: sources may be looked at, no store is made or written."""

    def update_infra(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: a plan has no infrastructure."""


@contextmanager
def _inside(repo: Path) -> Iterator[None]:
    """Within, Python sees the repository as ``feast apply`` shows it: as working directory and last on the path."""
    here, path, modules, bytecode = Path.cwd(), list(sys.path), set(sys.modules), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    sys.path.append(str(repo))
    os.chdir(repo)
    try:
        yield
    finally:
        os.chdir(here)
        sys.path[:], sys.dont_write_bytecode = path, bytecode
        for name in set(sys.modules) - modules:  # another repository's file of the same name is another module
            if _lies_in(sys.modules[name], repo):
                del sys.modules[name]


def _lies_in(module: Any, repo: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(repo)


@contextmanager
def _feast_refuses() -> Iterator[None]:
    """Within, whatever stops Feast or the repository's own code is one sentence that names the line."""
    said = StringIO()
    try:
        with redirect_stdout(said):
            yield
    except SystemExit as error:
        raise ConfigurationError(f"Feast refuses the repository: {' '.join(said.getvalue().split())}") from error
    except ProvenderError:
        raise
    except Exception as error:  # the repository's files are programs: anything may come out of them
        where = _line_in_repository(error)
        raise ConfigurationError(
            f"feast apply would stop before it is decided{where}: {type(error).__name__}: {_first_line(error)}"
        ) from error


def _line_in_repository(error: Exception) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f", at {Path(error.filename).name}:{error.lineno}"
    frames = [one for one in traceback.extract_tb(error.__traceback__) if Path(one.filename).is_relative_to(Path.cwd())]
    return f", at {Path(frames[-1].filename).relative_to(Path.cwd())}:{frames[-1].lineno}" if frames else ""


def _first_line(error: Exception) -> str:
    """What the error says, unless Arrow says it: that may be a value of the data."""
    if type(error).__module__.startswith("pyarrow"):
        return "what Arrow said is left out, because it may be data"
    return (str(error).splitlines() or ["no reason given"])[0]
