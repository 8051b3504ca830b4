"""The trainer: data sets, splits, networks, training, evaluation, export."""
