"""The distribution of one step given its parameters. Each file is one family; none depends on time."""
