"""Stores: one module or package for each database. None imports another.

They share addresses, clock, retrying and tables.
"""
