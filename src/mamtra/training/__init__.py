"""The one training loop that every recipe of the project uses."""
