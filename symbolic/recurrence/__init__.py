"""What carries the past of a piano roll. Each file is one kind; nothing here knows what a step means."""
