"""The gRPC services, each a thin layer between messages and the engine."""
