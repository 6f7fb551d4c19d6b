"""Can you prove it? The ledger, signed statements, bundles, the offline verifier and reports."""
