"""What a prediction may ask of a case: registered checks by name, and the facts of a case that they read."""
