"""The Marketo side: people, companies and sales persons over the Marketo Engage REST API (see README.md)."""
