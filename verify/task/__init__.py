"""How well a model does its task, given labels; and what a sample of the world says of that."""
