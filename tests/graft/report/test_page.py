"""The page, whatever the run left behind."""

import re
from html.parser import HTMLParser

import pytest

from graft.report import page


def test_shows(read_run):
    html = page.render(read_run())
    import pathlib; pathlib.Path("/tmp/w/gs/full.html").write_text(html)
    html = page.render
def test_bare(read_run):
    html = page.render(read_run(bare=True))
    import pathlib; pathlib.Path("/tmp/w/gs/bare.html").write_text(html)
def test_three(read_run):
    html = page.render(read_run(classes=("cyst", "benign", "malignant"), external=False))
    import pathlib; pathlib.Path("/tmp/w/gs/three.html").write_text(html)
