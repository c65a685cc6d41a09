"""Damaged inputs for every reader of outside data: seeds, mutations, readers, the process that tries them."""
