"""How fast a model speaks, measured so that the numbers can be compared and repeated."""
