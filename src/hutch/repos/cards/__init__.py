"""What a repository says of itself: its card, its tags, the heads of its weights."""
