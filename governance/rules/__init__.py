"""The rules: one small class each, its docstring the help that docs/policy.md prints."""
