"""Being written by the lead in the main checkout: see the end of SPEC.md."""
