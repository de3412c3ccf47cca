"""An emulator of the Marketo Engage REST API: Lead Database, identity and usage."""
