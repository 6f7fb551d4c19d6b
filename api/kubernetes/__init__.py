"""The door of Kubernetes: a validating admission webhook for jobs that train and for what serves models."""
