"""Defines the records of a catalogue and the protocol of every store."""
