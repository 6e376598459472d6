"""Complete runs as Python values: the ones that made nano, and the paper's."""
