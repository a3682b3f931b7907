"""What Kubernetes demands of single fields of a pod, as tables by message and field.

Source: ``pkg/apis/core/validation/validation.go`` and the field documentation of Kubernetes' core/v1 types.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from airflow_armada.jobs.checks import name_syntax as names

Syntax = tuple[Callable[[str], bool], str]

_POLICIES = ("Always", "OnFailure", "Never")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_HONOR = ("Honor", "Ignore")
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_LABEL_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")

WORDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("PodSpec", "restartPolicy"): _POLICIES,
    ("PodSpec", "dnsPolicy"): ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    ("PodSpec", "preemptionPolicy"): ("Never", "PreemptLowerPriority"),
    ("PodOS", "name"): ("linux", "windows"),
    ("Toleration", "effect"): ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    ("Container", "imagePullPolicy"): _PULL_POLICIES,
    ("Container", "terminationMessagePolicy"): ("File", "FallbackToLogsOnError"),
    ("Container", "restartPolicy"): _POLICIES,
    ("ContainerPort", "protocol"): ("TCP", "UDP", "SCTP"),
    ("ContainerResizePolicy", "resourceName"): ("cpu", "memory"),
    ("ContainerResizePolicy", "restartPolicy"): ("NotRequired", "RestartContainer"),
    ("HTTPGetAction", "scheme"): ("HTTP", "HTTPS"),
    ("VolumeMount", "mountPropagation"): ("None", "HostToContainer", "Bidirectional"),
    ("VolumeMount", "recursiveReadOnly"): ("Disabled", "IfPossible", "Enabled"),
    ("SecurityContext", "procMount"): ("Default", "Unmasked"),
    ("SeccompProfile", "type"): _PROFILES,
    ("AppArmorProfile", "type"): _PROFILES,
    ("PodSecurityContext", "fsGroupChangePolicy"): ("OnRootMismatch", "Always"),
    ("PodSecurityContext", "supplementalGroupsPolicy"): ("Merge", "Strict"),
    ("PodSecurityContext", "seLinuxChangePolicy"): ("MountOption", "Recursive"),
    ("TopologySpreadConstraint", "whenUnsatisfiable"): ("DoNotSchedule", "ScheduleAnyway"),
    ("TopologySpreadConstraint", "nodeAffinityPolicy"): _HONOR,
    ("TopologySpreadConstraint", "nodeTaintsPolicy"): _HONOR,
    ("LabelSelectorRequirement", "operator"): _LABEL_OPERATORS,
    ("HostPathVolumeSource", "type"): (
        *("DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"),
    ),
    ("PersistentVolumeClaimSpec", "accessModes"): (
        *("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"),
    ),
    ("PersistentVolumeClaimSpec", "volumeMode"): ("Block", "Filesystem"),
    ("ImageVolumeSource", "pullPolicy"): _PULL_POLICIES,
    ("AzureDiskVolumeSource", "cachingMode"): ("None", "ReadOnly", "ReadWrite"),
    ("AzureDiskVolumeSource", "kind"): ("Shared", "Dedicated", "Managed"),
}
"""Words that Kubernetes knows, and refuses in any other spelling."""

_MODE = (0, 0o777)
_ID = (0, 2**31 - 1)
_PORT = (1, 65535)
_COUNT = (0, 2**31 - 1)
NUMBERS: Mapping[tuple[str, str], tuple[int, int]] = {
    ("ContainerPort", "hostPort"): (0, 65535),
    ("GRPCAction", "port"): _PORT,
    ("HTTPGetAction", "port"): _PORT,
    ("TCPSocketAction", "port"): _PORT,
    **{
        ("Probe", name): _COUNT
        for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
    },
    ("Probe", "terminationGracePeriodSeconds"): (1, 2**31 - 1),
    ("SleepAction", "seconds"): (1, 2**31 - 1),
    ("KeyToPath", "mode"): _MODE,
    ("DownwardAPIVolumeFile", "mode"): _MODE,
    **{(f"{kind}VolumeSource", "defaultMode"): _MODE for kind in ("Secret", "ConfigMap", "DownwardAPI", "Projected")},
    ("ServiceAccountTokenProjection", "expirationSeconds"): (600, 2**32),
    ("WeightedPodAffinityTerm", "weight"): (1, 100),
    ("TopologySpreadConstraint", "maxSkew"): (1, 2**31 - 1),
    ("TopologySpreadConstraint", "minDomains"): (1, 2**31 - 1),
    **{
        (holder, name): _ID
        for holder in ("SecurityContext", "PodSecurityContext")
        for name in ("runAsUser", "runAsGroup")
    },
    ("PodSecurityContext", "fsGroup"): _ID,
    ("PodSecurityContext", "supplementalGroups"): _ID,
}
"""The least and the greatest value of numbers."""

_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}", re.ASCII)
_HEADER = re.compile(r"[-A-Za-z0-9]+", re.ASCII)
_SYSCTL = re.compile(r"[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?(?:[./][a-z0-9](?:[-_a-z0-9]*[a-z0-9])?)*", re.ASCII)
_FIELD_PATH = re.compile(
    r"metadata\.(?:name|namespace|uid|labels|annotations)|metadata\.(?:labels|annotations)\['[^']+'\]"
    r"|spec\.(?:nodeName|serviceAccountName)|status\.(?:hostIPs?|podIPs?)"
)
_RESOURCE = re.compile(r"(?:limits|requests)\.(?:cpu|memory|ephemeral-storage|hugepages-[A-Za-z0-9.]+)")
_MEDIUM = re.compile(r"Memory|HugePages(?:-[0-9A-Za-z]+)?")


def is_port_name(text: str) -> bool:
    """Whether a text can be the name of a port."""
    return len(text) <= 15 and _PORT_NAME.fullmatch(text) is not None


def is_field_path(text: str) -> bool:
    """Whether a text names a field of a pod that its containers may be told."""
    return _FIELD_PATH.fullmatch(text) is not None


def _is_ip(text: str) -> bool:
    try:
        return ipaddress.ip_address(text) is not None
    except ValueError:
        return False


def _is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None and text != "." and not text.startswith("..")


def _is_inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")


def _is_file_inside(path: str) -> bool:
    return _is_inside(path) and not path.startswith("..")


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


_SUBDOMAIN: Syntax = (names.is_subdomain, names.SUBDOMAIN_RULE)
_DNS_LABEL: Syntax = (names.is_dns_label, names.DNS_LABEL_RULE)
_LABEL_KEY: Syntax = (names.is_label_key, names.LABEL_KEY_RULE)
PORT_NAME: Syntax = (
    is_port_name,
    "must be lower-case letters, digits and single '-' between them, with a letter, at most 15 long",
)
_IP: Syntax = (_is_ip, "must be an IP address")
_CONFIG_KEY: Syntax = (_is_key, "must be letters, digits, '-', '_' and '.', at most 253 long")
_INSIDE: Syntax = (_is_inside, "must be a relative path without '..'")
_FILE_INSIDE: Syntax = (_is_file_inside, "must be a relative path that neither contains nor begins with '..'")
_ABSOLUTE: Syntax = (lambda path: path.startswith("/"), "must begin with '/'")

SYNTAX: Mapping[tuple[str, str], Syntax] = {
    ("PodSpec", "hostname"): _DNS_LABEL,
    ("PodSpec", "subdomain"): _DNS_LABEL,
    ("PodSpec", "nodeName"): _SUBDOMAIN,
    ("PodSpec", "serviceAccountName"): _SUBDOMAIN,
    ("PodSpec", "schedulerName"): _SUBDOMAIN,
    ("PodSpec", "runtimeClassName"): _SUBDOMAIN,
    ("PodSpec", "priorityClassName"): _SUBDOMAIN,
    ("PodReadinessGate", "conditionType"): _LABEL_KEY,
    ("PodSchedulingGate", "name"): _LABEL_KEY,
    ("PodResourceClaim", "name"): _DNS_LABEL,
    ("LocalObjectReference", "name"): _SUBDOMAIN,
    ("SecretVolumeSource", "secretName"): _SUBDOMAIN,
    ("PersistentVolumeClaimVolumeSource", "claimName"): _SUBDOMAIN,
    ("HostAlias", "ip"): _IP,
    ("HostAlias", "hostnames"): _SUBDOMAIN,
    ("PodDNSConfig", "nameservers"): _IP,
    ("Sysctl", "name"): (_matches(_SYSCTL), "must be a name such as net.core.somaxconn"),
    ("ContainerPort", "name"): PORT_NAME,
    ("ContainerPort", "hostIP"): _IP,
    ("HTTPHeader", "name"): (_matches(_HEADER), "must be letters, digits and '-'"),
    ("EnvFromSource", "prefix"): (names.is_env_name, names.ENV_RULE),
    ("ConfigMapKeySelector", "key"): _CONFIG_KEY,
    ("SecretKeySelector", "key"): _CONFIG_KEY,
    ("KeyToPath", "key"): _CONFIG_KEY,
    ("KeyToPath", "path"): _FILE_INSIDE,
    ("DownwardAPIVolumeFile", "path"): _FILE_INSIDE,
    ("ServiceAccountTokenProjection", "path"): _FILE_INSIDE,
    ("ClusterTrustBundleProjection", "path"): _FILE_INSIDE,
    ("GitRepoVolumeSource", "directory"): _INSIDE,
    ("ObjectFieldSelector", "fieldPath"): (
        is_field_path,
        "must be metadata.name, .namespace, .uid, .labels['...'] or .annotations['...'], spec.nodeName or "
        ".serviceAccountName, status.hostIP or .podIP",
    ),
    ("ResourceFieldSelector", "resource"): (
        _matches(_RESOURCE),
        "must be limits or requests of cpu, memory, ephemeral-storage or huge pages, such as limits.cpu",
    ),
    ("EmptyDirVolumeSource", "medium"): (
        _matches(_MEDIUM),
        "must be Memory, HugePages or HugePages-<size>",
    ),
    ("HostPathVolumeSource", "path"): (lambda path: ".." not in path.split("/"), "must not contain '..'"),
    ("NFSVolumeSource", "path"): _ABSOLUTE,
    ("VolumeMount", "mountPath"): (lambda path: ":" not in path, "must not contain ':'"),
    ("VolumeMount", "subPath"): _INSIDE,
    ("VolumeMount", "subPathExpr"): _INSIDE,
    ("VolumeDevice", "devicePath"): (lambda path: ".." not in path.split("/"), "must not contain '..'"),
    ("PodAffinityTerm", "topologyKey"): _LABEL_KEY,
    ("PodAffinityTerm", "namespaces"): _DNS_LABEL,
    ("TopologySpreadConstraint", "topologyKey"): _LABEL_KEY,
    ("Toleration", "key"): _LABEL_KEY,
    ("LabelSelectorRequirement", "key"): _LABEL_KEY,
}
"""The form of texts, and of all texts of a list."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "SecretVolumeSource": ("secretName",),
    "PersistentVolumeClaimVolumeSource": ("claimName",),
    "HostPathVolumeSource": ("path",),
    "NFSVolumeSource": ("server", "path"),
    "CSIVolumeSource": ("driver",),
    "FlexVolumeSource": ("driver",),
    "ISCSIVolumeSource": ("targetPortal", "iqn"),
    "AzureDiskVolumeSource": ("diskName", "diskURI"),
    "AzureFileVolumeSource": ("secretName", "shareName"),
    "KeyToPath": ("key", "path"),
    "DownwardAPIVolumeFile": ("path",),
    "ServiceAccountTokenProjection": ("path",),
    "ConfigMapKeySelector": ("key",),
    "SecretKeySelector": ("key",),
    "ObjectFieldSelector": ("fieldPath",),
    "ResourceFieldSelector": ("resource",),
    "ExecAction": ("command",),
    "HTTPHeader": ("name",),
    "GRPCAction": ("port",),
    "HTTPGetAction": ("port",),
    "TCPSocketAction": ("port",),
    "VolumeDevice": ("name", "devicePath"),
    "PodAffinityTerm": ("topologyKey",),
    "TopologySpreadConstraint": ("maxSkew", "topologyKey", "whenUnsatisfiable"),
    "LabelSelectorRequirement": ("key", "operator"),
    "HostAlias": ("ip",),
    "PodDNSConfigOption": ("name",),
    "PodReadinessGate": ("conditionType",),
    "PodSchedulingGate": ("name",),
    "PodOS": ("name",),
    "Sysctl": ("name",),
    "SeccompProfile": ("type",),
    "AppArmorProfile": ("type",),
    "EphemeralVolumeSource": ("volumeClaimTemplate",),
    "PersistentVolumeClaimSpec": ("accessModes",),
}
"""Fields without which a message says nothing."""

ONE_OF: Mapping[str, tuple[str, ...]] = {
    "ProbeHandler": ("exec", "httpGet", "tcpSocket", "grpc"),
    "LifecycleHandler": ("exec", "httpGet", "tcpSocket", "sleep"),
    "EnvVarSource": ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"),
    "EnvFromSource": ("configMapRef", "secretRef"),
    "VolumeProjection": ("secret", "downwardAPI", "configMap", "serviceAccountToken", "clusterTrustBundle"),
    "DownwardAPIVolumeFile": ("fieldRef", "resourceFieldRef"),
    "PodResourceClaim": ("resourceClaimName", "resourceClaimTemplateName"),
}
"""Fields of which exactly one must be given."""
