"""The sites that these tests use."""

from tests.support.sites import armada, certificates, provider

__all__ = ["armada", "certificates", "provider"]
