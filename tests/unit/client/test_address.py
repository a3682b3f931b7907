"""Addresses are read at one place: what they mean, what is refused, and that no error shows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.client.address import (
    CLUSTER_ID,
    check_target,
    check_web_address,
    cluster_target,
    is_loopback,
    parse_address,
)
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.log_client import JobLogClient


@pytest.mark.parametrize(
    ("text", "target", "plain"),
    [
        ("armada", "armada:50051", None),
        ("armada:443", "armada:443", None),
        ("armada.example.", "armada.example.:50051", None),
        ("https://armada", "armada:443", False),
        ("HTTPS://armada/", "armada:443", False),
        ("http://armada", "armada:80", True),
        ("grpc://armada", "armada:50051", True),
        ("grpcs://armada:8443", "armada:8443", False),
        ("[::1]", "[::1]:50051", None),
        ("https://[::1]", "[::1]:443", False),
        ("[fe80::1%eth0]:1", "[fe80::1%eth0]:1", None),
        ("unix:/run/armada.sock", "unix:/run/armada.sock", None),
        ("dns:///armada:443", "dns:///armada:443", None),
        ("ipv4:10.0.0.1:443,10.0.0.2:443", "ipv4:10.0.0.1:443,10.0.0.2:443", None),
    ],
)
def test_an_address_means(text: str, target: str, plain: bool | None) -> None:
    address = parse_address(text, "the host")

    assert (address.target, address.plain) == (target, plain)


@pytest.mark.parametrize(
    ("text", "port", "says"),
    [
        ("ada:s3cretpw@armada.example.com", None, "user name or a password"),
        ("grpcs://ada:s3cretpw@armada.example.com", 443, "user name or a password"),
        ("dns:///ada:s3cretpw@armada:443", None, "characters that no name has"),
        ("ada:s3cretpw", None, "a port is from 1 to 65535"),
        ("https://s3cretpw:443", 443, "another one is given"),
        ("s3cretpw:443", 443, "another one is given"),
        ("dns:///s3cretpw:443", 443, "another one is given"),
        ("https://armada/s3cretpw", None, "a path"),
        ("armada/s3cretpw", None, "a path"),
        ("a, s3cretpw", None, "spaces"),
        ("a,s3cretpw", None, "several addresses"),
        ("armada?tls=s3cretpw", None, "options"),
        ("armada#s3cretpw", None, "'#'"),
        ("s3cretpw://armada", None, "its scheme"),
        ("s3cretpw..example", None, "no name that a server can have"),
        ("-s3cretpw", None, "no name that a server can have"),
        ("[s3cretpw]:1", None, "no IPv6 address"),
        ("::1:443", None, "[address]:port"),
        ("armada\ns3cretpw", None, "control characters"),
        ("armada", 0, "from 1 to 65535"),
        ("armada", 70000, "from 1 to 65535"),
        ("armada:" + "9" * 5000, None, "from 1 to 65535"),
        ("armada:²", None, "from 1 to 65535"),
        ("", None, "names no host"),
        ("https://", None, "names no host"),
        (":443", None, "no name"),
    ],
)
def test_what_is_no_address_is_refused_without_showing_it(text: str, port: int | None, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_address(text, "the host", port=port)

    assert str(caught.value).startswith("the host must be host:port: ")
    assert says in str(caught.value)
    assert "s3cretpw" not in str(caught.value)


@given(st.text(max_size=40) | st.from_regex(r"(https?://)?[a-z@.:/\[\]{}0-9]{0,20}", fullmatch=True))
def test_fuzz_whatever_is_typed_is_an_address_that_means_itself_or_is_refused(text: str) -> None:
    try:
        address = parse_address(text, "the host")
    except SettingsError:
        return
    assert parse_address(address.target, "the host").target == address.target
    check_target(address.target, "the host")


TEMPLATE = f"{CLUSTER_ID}.logs.example.com:443"


@pytest.mark.parametrize(
    ("template", "cluster", "target"),
    [
        (TEMPLATE, "east-1", "east-1.logs.example.com:443"),
        (TEMPLATE, "east.one", "east.one.logs.example.com:443"),
        (f"logs-{CLUSTER_ID}:50051", "east_1", "logs-east_1:50051"),
        ("logs:50051", "any thing", "logs:50051"),
        ("", "east", ""),
    ],
)
def test_a_cluster_has_its_log_service(template: str, cluster: str, target: str) -> None:
    assert cluster_target(template, cluster) == target


@pytest.mark.parametrize("template", [TEMPLATE, f"logs-{CLUSTER_ID}:50051", f"{CLUSTER_ID}:50051"])
@pytest.mark.parametrize(
    "cluster",
    [
        *("x.evil.com:443#", "127.0.0.1:35551#", "x.evil.com:443/", "a@evil.com", "evil.com:443,", "[::1]:1"),
        *("", ".", "..", "-", "x.", ".x", "x\n", "x y", "\u0435vil", "x" * 300, "unix:/tmp/x", "{CLUSTER_ID}"),
    ],
)
def test_a_cluster_id_of_a_hostile_event_leads_nowhere(template: str, cluster: str) -> None:
    assert cluster_target(template, cluster) == ""


@pytest.mark.parametrize("template", [f"logs-{CLUSTER_ID}:50051", f"{CLUSTER_ID}:50051", f"{CLUSTER_ID}.:50051"])
def test_a_cluster_id_with_dots_cannot_be_the_end_of_a_host(template: str) -> None:
    assert cluster_target(template, "x.evil.com") == ""


@given(st.text(max_size=40) | st.text("abc.-:@/#[]?", max_size=20))
def test_fuzz_whatever_the_cluster_id_the_address_ends_as_the_template_does(cluster: str) -> None:
    target = cluster_target(TEMPLATE, cluster)

    if target:
        assert target.endswith(".logs.example.com:443")
        assert parse_address(target, "x").host.endswith(".logs.example.com")


@pytest.mark.parametrize(
    "url",
    [
        *("https://ada:s3cretpw@h/", "https://h/?s3cretpw=1", "https://h/#s3cretpw", "javascript:s3cretpw", "s3cretpw"),
        *(
            "https://h/s3 cretpw",
            "https://h:s3cretpw/",
            "file:///s3cretpw",
            "https://s3cretpw\u2028",
            "http://[s3cretpw",
        ),
    ],
)
def test_what_is_no_web_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check_web_address(url, "the Lookout URL")

    assert "the Lookout URL" in str(caught.value)
    assert "s3cretpw" not in str(caught.value)


def test_this_machine_has_several_names() -> None:
    assert all(map(is_loopback, ("localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1")))
    assert not any(map(is_loopback, ("localhost.evil.com", "127.0.0.1.evil.com", "10.0.0.1", "")))


@pytest.mark.parametrize("url", ["", "ftp://logs:1", "::1:50051", "logs:port", "https://", "ada:s3cretpw@logs:1"])
def test_the_log_client_reads_its_address_here(url: str) -> None:
    with pytest.raises(ValueError, match="the log service must be host:port") as caught:
        JobLogClient(url, "job")

    assert "s3cretpw" not in str(caught.value)


@pytest.mark.parametrize(("url", "disable_ssl"), [("http://logs", False), ("logs:1", True), ("https://logs", True)])
def test_the_log_client_takes_its_tls_from_the_scheme_first(url: str, disable_ssl: bool) -> None:
    JobLogClient(url, "job", disable_ssl).close()
