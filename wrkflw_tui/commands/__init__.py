"""What the commands without a screen do, one module each."""
