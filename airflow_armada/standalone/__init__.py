"""An embedded Armada for one machine: the real gRPC API, with local processes in the place of pods."""
