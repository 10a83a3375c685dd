"""Git repositories on disk: refs, trees, commits, packs, LFS pointers. No Django, no HTTP, no users."""
