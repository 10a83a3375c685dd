"""The command line's groups; imports stay lazy so that `hutch --help` is quick."""
