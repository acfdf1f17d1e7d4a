"""The kinds of backend, behind the protocol of `base`."""
