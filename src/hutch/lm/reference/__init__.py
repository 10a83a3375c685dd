"""The architecture itself, in torch: to learn from, to train, and to check every other engine against."""
