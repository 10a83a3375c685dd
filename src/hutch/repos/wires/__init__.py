"""The streams: resolve, git smart HTTP, LFS."""
