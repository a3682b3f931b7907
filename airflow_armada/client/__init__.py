"""The Armada client: sync and asyncio clients, events, permissions, logs, settings, credentials, errors."""
