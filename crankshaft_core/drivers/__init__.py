"""Where commands run: this machine, or another one over SSH."""
