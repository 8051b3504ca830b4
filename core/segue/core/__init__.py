"""The shared path of Segue: sound, front end, artifact, index and catalogue."""
