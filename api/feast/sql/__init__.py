"""Feast's SQL registry, governed: a SQLAlchemy plugin that decides before each of its transactions commits."""
