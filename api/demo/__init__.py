"""The demonstration: the example repository taken through the whole chain, into ``./data``."""
