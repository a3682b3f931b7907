"""The annotations of a job that Armada itself reads, each spelt once (``internal/common/constants/constants.go``)."""

PREFIX = "armadaproject.io/"

GANG_ID = f"{PREFIX}gangId"
GANG_CARDINALITY = f"{PREFIX}gangCardinality"
GANG_UNIFORMITY_LABEL = f"{PREFIX}gangNodeUniformityLabel"
FAIL_FAST = f"{PREFIX}failFast"
PRICE_BAND = f"{PREFIX}priceBand"

EXTERNAL_JOB_URI = f"{PREFIX}externalJobUri"
"""Where servers before v0.20.39 look for the external job URI."""
