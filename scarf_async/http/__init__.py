"""The only package that uses aiohttp: one request out, one response back."""
