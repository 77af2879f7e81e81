"""The protocol without a socket: requests and responses, retry safety, lookups of creates."""
