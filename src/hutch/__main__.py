"""The command line. Results go to stdout alone, everything else to stderr."""

from __future__ import annotations

from hutch.command.root import main

if __name__ == "__main__":
    main()
