"""What is read: trees, history, info, lists."""
