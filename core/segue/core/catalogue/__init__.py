"""Defines what a catalogue stores and the protocol of every store."""
