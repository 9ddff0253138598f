"""What the ape scripts share. Not a command: ape passes over names that begin with an underscore."""
