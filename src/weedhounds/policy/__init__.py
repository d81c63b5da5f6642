"""Terms and retention; pure."""
