"""Databases behind the contract, one module or package each; none knows another."""
