"""The consent log on SQLite and on a real PostgreSQL: crashes, several processes, and what is not kept."""
