"""A speaker as a value: loaded, checked, or made from a recording."""
