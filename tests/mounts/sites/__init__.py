"""One site in each framework with the same paths, written as that framework's documentation writes it."""
