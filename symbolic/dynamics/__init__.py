"""How loud notes were played, each judged in the company of the others."""
