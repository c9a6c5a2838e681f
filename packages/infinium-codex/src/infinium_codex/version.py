"""The connector's version: a constant, because reading package metadata costs more than a whole hook."""

VERSION = "2.0.0"
