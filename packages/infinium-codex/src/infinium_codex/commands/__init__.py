"""The commands, one file each: a function whose parameters are the command's options and which returns a Result."""
