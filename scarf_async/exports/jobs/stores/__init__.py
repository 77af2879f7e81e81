"""Export jobs below a prefix of an object store."""
