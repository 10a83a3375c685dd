"""What every room may use and which knows no room: errors, events, jobs, permissions, threads, clock, paging."""
