"""The gRPC services and their translation to and from protobuf."""
