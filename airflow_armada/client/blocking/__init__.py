"""The methods of the client for blocking code, in groups; ``client.ArmadaClient`` has them all."""
