"""Gangs: jobs that start together or not at all, declared by annotations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from airflow_armada.api.annotations import GANG_CARDINALITY, GANG_ID, GANG_UNIFORMITY_LABEL


class Gang(NamedTuple):
    """What a job's annotations say about its gang; members of one gang agree on all of it.

    :param cardinality: how many jobs the gang has
    """

    id: str
    cardinality: int
    uniformity_label: str


def gang_of(annotations: Mapping[str, str]) -> Gang | None:
    """Return the gang that annotations declare; a gang of one is an ordinary job.

    :raises ValueError: the annotations make no sense
    """
    gang_id = annotations.get(GANG_ID)
    if gang_id is None:
        return None
    if not gang_id:
        raise ValueError("gang id is empty")
    cardinality = _cardinality(annotations)
    if cardinality < 2:
        return None
    return Gang(gang_id, cardinality, annotations.get(GANG_UNIFORMITY_LABEL, ""))


def _cardinality(annotations: Mapping[str, str]) -> int:
    text = annotations.get(GANG_CARDINALITY)
    if text is None:
        raise ValueError(f"gang cardinality annotation {GANG_CARDINALITY} is missing")
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ValueError(f'gang cardinality is not parseable - strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) <= 0:
        raise ValueError(f"gang cardinality {int(text)} is non-positive")
    return int(text)
