"""What changes a repository's contents: commits, refs, pull requests. `refs.advance` is the one hallway."""
