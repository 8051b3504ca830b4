"""Fits networks: batches, epochs, checkpoints, distillation."""
