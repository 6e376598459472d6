"""Pictures drawn from rows, and where each row came from."""
