"""Readers of tags, one for each kind: what tinytag cannot read, or gives up at the first damage."""
