"""What people see of repositories, and what only pages need: text in colour, markdown, links."""
