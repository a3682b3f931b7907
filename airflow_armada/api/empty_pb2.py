"""The empty message: Google's own class, as in every generated client, so that answers compare and pickle alike."""

from google.protobuf.empty_pb2 import DESCRIPTOR, Empty

__all__ = ["DESCRIPTOR", "Empty"]
