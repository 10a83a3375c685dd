"""From messages to a prompt and from text to an answer."""
