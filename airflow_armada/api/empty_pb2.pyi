from google.protobuf.empty_pb2 import Empty as Empty
