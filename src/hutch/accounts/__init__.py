"""Users, organisations, roles, tokens: who is asking, and what they hold."""
