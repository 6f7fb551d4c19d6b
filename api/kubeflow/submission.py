"""What a call of ``TrainerClient.train`` asks for, checked before anything is written or started."""

from __future__ import annotations

import random
import re
import string
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfc8785 import CanonicalizationError

from api.kubeflow.errors import TrainJobInvalid
from api.kubeflow.job import Job, TrainingInputs
from governance.canonical import canonical_json

if TYPE_CHECKING:
    from kubeflow.trainer.types.types import CustomTrainer

    from api.kubeflow.backend import TorchrunBackend

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
"""A DNS label (RFC 1035), which Kubernetes wants of a TrainJob: its pods and services are named after it."""


@dataclass(frozen=True)
class Submission:
    """A job that may be started."""

    name: str
    uid: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    function: Callable[..., Any]
    job: Job
    environment: Mapping[str, str]
    inputs: TrainingInputs | None


def submission(trainer: object, *, initializer: object, options: Sequence[Any], backend: TorchrunBackend) -> Submission:
    """Check a call and put its parts together. Raises TrainJobInvalid for what this backend cannot do."""
    custom = _custom_trainer(trainer)
    if initializer is not None:
        raise TrainJobInvalid("This backend has no initializers: a training function opens its snapshots by digest.")
    spec: dict[str, Any] = {}
    for option in options:
        option(spec, trainer, backend)
    if spec.get("spec"):
        raise TrainJobInvalid(f"This backend cannot do what an option asks for: {sorted(spec['spec'])}. Leave it out.")
    described = spec.get("metadata", {})
    inputs: TrainingInputs | None = spec.get("provender")
    return Submission(
        name=_name(described.get("name")),
        uid=str(uuid.uuid4()),
        labels=described.get("labels") or {},
        annotations=described.get("annotations") or {},
        function=custom.func,
        job=_job(custom, inputs),
        environment=custom.env or {},
        inputs=inputs,
    )


def _custom_trainer(trainer: object) -> CustomTrainer:
    from kubeflow.trainer.types.types import CustomTrainer

    if not isinstance(trainer, CustomTrainer):
        raise TrainJobInvalid(f"This backend runs a CustomTrainer (a Python function), found {type(trainer).__name__}.")
    for asked, value in {
        "image": trainer.image,
        "packages_to_install": trainer.packages_to_install,
        "resources_per_node": trainer.resources_per_node,
    }.items():
        if value:
            raise TrainJobInvalid(
                f"CustomTrainer({asked}={value!r}) cannot be had here: a job runs in the current environment of this"
                " machine. Leave it out, or submit to a cluster."
            )
    if trainer.num_nodes not in (None, 1):
        raise TrainJobInvalid(f"This machine is one node, num_nodes={trainer.num_nodes} were asked for.")
    return trainer


def _name(asked: str | None) -> str:
    name = asked or random.choice(string.ascii_lowercase) + uuid.uuid4().hex[:11]  # noqa: S311 - as the SDK: a name, no secret
    if _NAME.fullmatch(name) is None:
        raise TrainJobInvalid(
            f"{name!r} cannot name a TrainJob. Expected up to 63 lower-case letters, digits and dashes, a letter first."
        )
    return name


def _job(trainer: CustomTrainer, inputs: TrainingInputs | None) -> Job:
    arguments = trainer.func_args or {}
    try:
        canonical_json(arguments)
    except CanonicalizationError as error:
        raise TrainJobInvalid(
            f"func_args ({', '.join(map(str, arguments))}) cannot be written down ({type(error).__name__})."
            " Expected JSON values."
        ) from error
    name = getattr(trainer.func, "__name__", "")
    if inputs is None:
        return Job(function=name, arguments=arguments)
    return Job(
        function=name,
        arguments=arguments,
        seed=inputs.request.seed,
        snapshots=inputs.request.snapshots,
        hyperparameters=inputs.request.hyperparameters,
        objects=str(inputs.objects.resolve()),
        digests={alias: manifest.digest for alias, manifest in inputs.request.recorded.items()},
    )
