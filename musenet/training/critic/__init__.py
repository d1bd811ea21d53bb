"""Training the critic, a head that distinguishes real from generated music."""
