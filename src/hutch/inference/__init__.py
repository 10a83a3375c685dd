"""Models that answer: who may ask which, where they are loaded, and OpenAI's address for it."""
