"""Measuring a network on whole pictures, and showing what was measured."""
