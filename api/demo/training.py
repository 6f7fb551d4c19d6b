"""The training function of the demonstration, as a data scientist would hand it to the Kubeflow SDK.

The SDK ships the source of the function alone, so that it imports what it needs itself.
"""


def fit(epochs: int) -> None:
    """Train the example's model on the snapshot called ``features``."""
    from liver_risk import (  # type: ignore[import-not-found] # the job brings this file along
        FEATURES,
        LABEL,
        SPLIT,
        train,
    )

    from api.kubeflow.worker import training_run

    run = training_run()
    weights, metrics = train(run.snapshot("features"), seed=run.seed, epochs=epochs)
    split = {"how": SPLIT, **{name: value for name, value in metrics.items() if name.endswith(("_rows", "_patients"))}}
    run.log(metrics=metrics, split=split)
    run.save(weights, config={"features": list(FEATURES), "label": LABEL})
