"""A local stand-in for the Dataverse Web API and the sign-in service in front of it."""
