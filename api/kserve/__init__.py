"""The door to KServe: a model server that says what it loaded, and the control plane that records it.

KServe takes seconds to import, so nothing here is imported before it is named.
"""
