"""What the SDK costs and saves, measured against loopback servers in processes of their own."""
