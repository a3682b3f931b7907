"""The methods of the client for asyncio code, in groups; ``asyncio_client.ArmadaAsyncIOClient`` has them all."""
