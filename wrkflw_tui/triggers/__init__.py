"""What starts runs from outside: requests by HTTP."""
