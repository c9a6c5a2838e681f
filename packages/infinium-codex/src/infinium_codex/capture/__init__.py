"""The hook, which runs inside the agent's turn; its installation; and the records it writes."""
