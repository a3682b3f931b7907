"""The syntax of Kubernetes names, labels and the like.

Source: ``k8s.io/apimachinery/pkg/util/validation`` and ``pkg/apis/core/validation`` of Kubernetes.
"""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?", re.ASCII)
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(?:\.{_LABEL.pattern})*", re.ASCII)
_QUALIFIED = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?", re.ASCII)
_ENV = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*", re.ASCII)

DNS_LABEL_RULE = "must be lower-case letters, digits and '-', start and end with a letter or digit, at most 63 long"
SUBDOMAIN_RULE = (
    "must be lower-case letters, digits, '-' and '.', start and end with a letter or digit, at most 253 long"
)
LABEL_KEY_RULE = (
    "must be a name of letters, digits, '-', '_' and '.', at most 63 long, perhaps after a DNS prefix and '/'"
)
LABEL_VALUE_RULE = (
    "must be empty, or letters, digits, '-', '_' and '.', start and end with a letter or digit, at most 63 long"
)
ENV_RULE = "must be letters, digits, '_', '-' and '.', and not start with a digit or '..'"


def is_dns_label(text: str) -> bool:
    """Whether a text can be the name of a container, volume or namespace."""
    return len(text) <= 63 and _LABEL.fullmatch(text) is not None


def is_subdomain(text: str) -> bool:
    """Whether a text can be the name of most other Kubernetes objects."""
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """Whether a text can be the key of a label, annotation or resource."""
    prefix, slash, name = text.rpartition("/")
    if slash and not is_subdomain(prefix):
        return False
    return len(name) <= 63 and _QUALIFIED.fullmatch(name) is not None


def is_annotation_key(text: str) -> bool:
    """Whether a text can be the key of an annotation: as a label's, but in any case."""
    return is_label_key(text.lower())


def is_label_value(text: str) -> bool:
    """Whether a text can be the value of a label."""
    return text == "" or (len(text) <= 63 and _QUALIFIED.fullmatch(text) is not None)


def is_env_name(text: str) -> bool:
    """Whether a text can be the name of an environment variable on every Kubernetes version."""
    return _ENV.fullmatch(text) is not None and text != "." and not text.startswith("..")


def as_dns_label(text: str) -> str:
    """The nearest valid name, for a suggestion.

    :param text: any text
    :return: a valid DNS label, or empty when nothing is left of the text
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")


def as_label_value(text: str) -> str:
    """The nearest valid label value, for a suggestion.

    :param text: any text
    :return: a valid label value
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-_.")[:63].strip("-_.")
