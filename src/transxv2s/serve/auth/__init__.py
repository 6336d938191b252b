"""Who may do what: users and their roles, passwords, sessions of browsers, tokens of programs."""
