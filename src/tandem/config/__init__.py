"""Settings of a sync: ``tandem.toml``, secrets from elsewhere, and messages an operator can act on."""
