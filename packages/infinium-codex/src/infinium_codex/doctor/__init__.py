"""What `doctor` knows: every link of the chain from Codex to the API, looked at one by one."""
