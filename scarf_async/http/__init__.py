"""The only room that speaks to aiohttp: one request out, one answer back."""
