"""The ``segue-trainer`` command and its options."""
