"""Files in which models come, read within bounds: none of their numbers is believed before it is checked."""
