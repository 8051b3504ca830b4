"""Settings of the programs: from the command line, the environment and a file that all of them share."""
