"""Base template, components, static files and the home page."""
