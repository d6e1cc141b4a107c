"""Charts, tables and numbers of a page, readable in grey, in dark mode and as text."""
