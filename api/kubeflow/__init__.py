"""The door of Kubeflow's Trainer SDK: TrainJobs on this machine, and what a training function needs inside one.

``api.kubeflow.train.train`` submits and judges a job, ``api.kubeflow.worker.training_run`` is what the training
function asks for its snapshots, and ``api.kubeflow.backend.TorchrunBackend`` is the SDK's ``RuntimeBackend`` between.
"""
