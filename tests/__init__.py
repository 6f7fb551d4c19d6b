"""The tests, a regular package: a dependency installs a ``tests`` of its own, which would win over a namespace."""
