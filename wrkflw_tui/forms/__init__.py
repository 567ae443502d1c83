"""What a JSON schema asks for, and what was given for it: for screens and for the command line."""
