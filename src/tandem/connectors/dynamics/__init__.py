"""The Dynamics side: leads, contacts, accounts and users over the Dataverse Web API (see README.md)."""
