"""Telling a no from trouble on the way."""

from __future__ import annotations

from airflow_armada.client.errors import ArmadaError, ArmadaRpcError


def is_refusal(error: ArmadaError | None) -> bool:
    """Whether an error is a no, be it of the server or of our own credentials, and not trouble on the way."""
    if isinstance(error, ArmadaRpcError):
        return error.refused
    return error is not None and not error.transient
