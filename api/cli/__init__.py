"""The command line: ``provender``. Each command's work is elsewhere; here are words, tables and exit codes."""
