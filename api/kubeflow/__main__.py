"""``python -m api.kubeflow``: the process that torchrun starts for a TrainJob."""

from __future__ import annotations

from api.kubeflow.worker import main

main()
