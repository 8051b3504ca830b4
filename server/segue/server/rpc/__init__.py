"""The gRPC services, and the translation of core types to and from protobuf."""
