"""Repositories: their life, their commits and refs, what comes in and what goes out."""
