"""Expectation suites: load one, hold a table against it. Importing this costs nothing; validating imports GX."""
