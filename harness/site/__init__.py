"""The docs as a site: what is made for it at build, and the command that builds it."""
