"""Real pages that nobody here wrote, and real headers: what the middleware does to them."""
