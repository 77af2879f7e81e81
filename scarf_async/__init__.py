"""Async SDK for the Scarf API."""
