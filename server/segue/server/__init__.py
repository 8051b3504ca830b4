"""The gRPC server: services, inference, live catalogue, start and stop."""
