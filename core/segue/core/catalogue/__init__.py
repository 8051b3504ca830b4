"""Defines the records of a catalogue and the interface of every store."""
