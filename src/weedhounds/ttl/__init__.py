"""How long a fact stays true; pure."""
