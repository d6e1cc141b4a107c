"""What a run found: its metrics, tables and pictures, read from the files and checked."""
