"""How does one get in? One folder a door; `api.assembly` puts the parts together."""
