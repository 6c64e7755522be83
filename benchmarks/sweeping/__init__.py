"""The map of which architecture wins where: two axes, one comparison a cell, in virtual time."""
