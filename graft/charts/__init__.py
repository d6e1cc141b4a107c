"""Charts as SVG, readable in grey, in dark mode and as text."""
