"""The code that trainer, indexer and server share: audio, features, model, index and catalogue."""
