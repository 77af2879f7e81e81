"""The protocol without a socket: requests and answers, what may be sent twice, how a create is looked for."""
