"""What carries the past of a piano roll. Each file is one kind; none depends on what a step means."""
