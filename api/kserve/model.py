"""The model as KServe's data plane sees it: entity keys in, probabilities out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kserve import InferOutput, InferRequest, InferResponse, Model
from kserve.errors import InferenceError, InvalidInput

from api.feast.online_reads import OnlineReads
from api.kserve.entities import datatype, entities, refuse_unknown
from api.kserve.predictor import Predictor

OUTPUT = "probability"


class OnlineModel(Model):  # type: ignore[misc] # KServe's classes are untyped for mypy
    """Verified weights and a predictor, on features from the online store.

    :param artifact: the digest of the weights; each answer carries it as its model version
    """

    def __init__(
        self, name: str, *, reads: OnlineReads, predictor: Predictor, weights: Mapping[str, Any], artifact: str
    ) -> None:
        super().__init__(name)
        self._reads, self._predictor, self._weights, self._artifact = reads, predictor, weights, artifact
        self._inputs = [{"name": key.name, "datatype": datatype(key), "shape": [-1]} for key in reads.keys]
        # One thread: the store's connection is not shared, and health is answered while it works.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")
        self.ready = True

    def load(self) -> bool:
        """Nothing: KServe calls this on a model that is not ready, and its own method just says that it is."""
        return bool(self.ready)

    def stop(self) -> None:
        """Answer nothing any more."""
        super().stop()
        self._worker.shutdown(cancel_futures=True)

    def get_input_types(self) -> list[dict[str, Any]]:
        """The entity keys, for the model's metadata."""
        return self._inputs

    def get_output_types(self) -> list[dict[str, Any]]:
        """The probabilities, for the model's metadata."""
        return [{"name": OUTPUT, "datatype": "FP64", "shape": [-1]}]

    async def predict(
        self, payload: Any, headers: dict[str, str] | None = None, response_headers: dict[str, str] | None = None
    ) -> InferResponse:
        """Answer one request. Raises InvalidInput for what cannot be answered, InferenceError for a bad predictor."""
        if not isinstance(payload, InferRequest):
            raise InvalidInput("Expected an inference request of the V2 protocol.")
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._answer, payload)

    def _answer(self, request: InferRequest) -> InferResponse:
        rows = entities(request, self._reads.keys)
        online = self._reads.read(rows)
        refuse_unknown(rows, online.missing)
        try:
            answer = self._predictor(self._weights, online.columns, rows=len(rows))
        except ValueError as error:
            raise InferenceError(str(error)) from error
        output = InferOutput(OUTPUT, [len(answer)], "FP64", data=answer)
        return InferResponse(
            response_id=request.id or "", model_name=self.name, model_version=self._artifact, infer_outputs=[output]
        )
