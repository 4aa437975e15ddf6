"""Using a trained network on photos."""
