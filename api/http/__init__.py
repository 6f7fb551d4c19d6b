"""The HTTP door: reports and chains as JSON and HTML, the OpenLineage endpoint, the ledger's checkpoint, the viewer."""
