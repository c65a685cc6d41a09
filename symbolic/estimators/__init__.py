"""The distribution of one step given its parameters. Each file is one family; nothing here knows of time."""
