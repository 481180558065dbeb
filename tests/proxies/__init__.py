"""Two visitors behind a real caching proxy."""
