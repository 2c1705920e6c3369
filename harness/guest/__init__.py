"""Reaching a guest: its keys, its SSH service, its agent."""
