"""Who owns which large object: LFS today, Xet files next to it."""
