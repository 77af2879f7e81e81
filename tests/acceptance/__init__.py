"""The behaviour that users can rely on, driven through real sockets."""
