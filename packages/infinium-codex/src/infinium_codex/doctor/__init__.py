"""The checks of `infinium-codex doctor`: one module per link of the chain from Codex to the API, listed in `chain`."""
