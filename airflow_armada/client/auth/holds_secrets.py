"""What holds secrets is never pickled, copied or stored, because nobody could tell where they would end up."""

from __future__ import annotations

from typing import NoReturn, SupportsIndex, TypeVar

SelfT = TypeVar("SelfT", bound="HoldsSecrets")


class HoldsSecrets:
    """A base of values that hold secrets."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not pickled: it may hold secrets")

    def serialize(self) -> NoReturn:
        """Refuse to become an XCom, which Airflow asks for by this name."""
        raise TypeError(f"{type(self).__name__} is not stored: it may hold secrets")

    def __deepcopy__(self: SelfT, memo: object) -> SelfT:
        return self
