"""Xet: hashes, xorbs, shards, chunking and reconstruction. No Django, no HTTP, no users."""
