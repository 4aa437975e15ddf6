"""Training in three stages (sec. 3.4), resumable to the bit."""
