"""What a Marketo flow step asks for, and records pushed by hand."""
