"""What runs inside the agent's turn: the hook, its installation, and the spool's records."""
