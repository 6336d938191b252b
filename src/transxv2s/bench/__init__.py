"""How fast the engines are, and at what price in accuracy."""
