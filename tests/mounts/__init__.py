"""Real frameworks under real servers: the examples, and one site in each framework that does what real sites do."""
