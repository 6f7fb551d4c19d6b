"""May this job use these snapshots there; may this model be served here? The answer to one question of Kubernetes."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from api.assembly import Provender
from api.kubernetes.review import Answer, Review, unchanged
from api.kubernetes.workload import KINDS, Workload, read_workload
from api.snapshot_use import SnapshotUse, decision, judged, snapshots_of
from audit.verify.errors import VerificationError
from governance.errors import AnswerIsNo, WrongQuestion
from governance.places import kubernetes_place
from governance.verdict import Level, Verdict

_CALLER = "kubernetes:"
_JUDGED = (("spec",), ("metadata", "annotations"))
"""What an update has to leave alone for the earlier answer to stand."""


@dataclass(frozen=True)
class Admission:
    """The gates of training and of deployment of one repository, as one cluster asks for them."""

    parts: Provender
    cluster: str
    """its name in the places of the policy, ``k8s://<cluster>/<namespace>/<pool>``"""
    pool_label: str
    """the node label whose value is the name of a pool"""

    def answer(self, review: Review) -> Answer:
        """The answer; a decision is recorded before it is given, except of a dry run.

        Whatever cannot be judged or recorded is refused.
        """
        if review.kind not in KINDS:
            return Answer(
                allowed=False, message=f"This webhook judges {', '.join(KINDS)}, not {review.kind}: correct its rules."
            )
        if review.operation not in ("CREATE", "UPDATE") or review.subresource or unchanged(review, _JUDGED):
            return Answer(allowed=True)
        try:
            return self._judged(review, read_workload(review.kind, review.object, pool_label=self.pool_label))
        except (AnswerIsNo, VerificationError) as error:
            return Answer(allowed=False, message=str(error))
        except WrongQuestion as error:
            return Answer(allowed=False, message=str(error), code=HTTPStatus.UNPROCESSABLE_ENTITY)

    def _judged(self, review: Review, workload: Workload) -> Answer:
        use = self._use(review, workload)
        verdict = judged(self.parts, use)
        if not review.dry_run:
            self.parts.recorder.record(decision(self.parts, use, verdict))
        return Answer(verdict.allowed, verdict.text(), _warnings(verdict))

    def _use(self, review: Review, workload: Workload) -> SnapshotUse:
        name = review.name or "(unnamed)"
        places = (kubernetes_place(self.cluster, review.namespace, pool) for pool in workload.pools)
        caller = f"{_CALLER}{review.username}"
        stated = self.parts.policy().purpose_of(workload.purpose, caller=caller)
        return SnapshotUse(
            gate=workload.gate,
            what=f"{review.kind.lower()}:{review.namespace}/{name}",
            snapshots=workload.snapshots or snapshots_of(self.parts, workload.artifact),
            places={"compute": tuple(places)},
            caller=caller,
            purpose=stated,
            request={
                "review": review.uid,
                "operation": review.operation,
                **({"artifact": workload.artifact} if workload.artifact else {}),
            },
        )


def _warnings(verdict: Verdict) -> tuple[str, ...]:
    return tuple(f"{one.rule} {one.object}: {one.message}" for one in verdict.at(Level.WARN))
