"""Turns a finished `harness.model.results.Report` into the files of `results/<run>/`.

Every module but `writer` is pure: a Report goes in, text comes out, and the same Report always gives the
same text.
"""
