"""The laboratory: small experiments that put the paper's findings to the test."""
