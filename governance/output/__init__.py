"""One module for each form in which a plan is given out; each reads the same value."""
