"""Measurements that are quoted in the documentation; each is a script run by name."""
