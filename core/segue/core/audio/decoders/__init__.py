"""The decoders: libsndfile, miniaudio and ffmpeg, each as a source or a stream of samples."""
