"""What all commands share: running one and printing its result, common parameters, questions, times."""
