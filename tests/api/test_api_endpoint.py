"""Which host is asked: the caller's, the workspace's, or the region's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchgen.api.endpoint import Place, find_endpoint, find_place, refuse_other_region
from batchgen.catalog import load
from batchgen.errors import Mistake

KEY = {"DASHSCOPE_API_KEY": "sk-canary-0123456789abcdef"}
WORKSPACE = {"DASHSCOPE_WORKSPACE_ID": "ws-1a2b"}


def host(region: str | None, environ: dict[str, str], *, url: str | None = None) -> str:
    environ = {**KEY, **environ}
    place = find_place(url=url, environ=environ)
    endpoint = find_endpoint(place, region, load(), environ=environ, home=Path("/nonexistent"))
    return endpoint.base_url


@pytest.mark.parametrize(
    ("region", "environ", "expected"),
    [
        (None, {}, "https://dashscope-intl.aliyuncs.com/api/v1"),
        ("beijing", {}, "https://dashscope.aliyuncs.com/api/v1"),
        (None, WORKSPACE, "https://ws-1a2b.ap-southeast-1.maas.aliyuncs.com/api/v1"),
        ("beijing", WORKSPACE, "https://ws-1a2b.cn-beijing.maas.aliyuncs.com/api/v1"),
        ("eu-central-1", WORKSPACE, "https://ws-1a2b.eu-central-1.maas.aliyuncs.com/api/v1"),
        (
            None,
            {**WORKSPACE, "DASHSCOPE_HTTP_BASE_URL": "https://own.example/api/v1"},
            "https://own.example/api/v1",
        ),
    ],
)
def test_the_workspaces_own_host_is_asked_where_one_is_known(region, environ, expected):
    """Unless the caller names a URL; without a workspace it is the region's shared host."""
    assert host(region, environ) == expected


def test_a_region_without_a_shared_host_says_what_to_set():
    """Exit 2 names the variable, instead of asking a host of another region."""
    with pytest.raises(Mistake, match="workspace") as caught:
        host("eu-central-1", {})
    assert "DASHSCOPE_WORKSPACE_ID" in str(caught.value.hint)


@pytest.mark.parametrize("workspace", ["evil.example/", "a.b", "a b", "-a", "x" * 64, "a\n"])
def test_a_workspace_that_is_no_name_leads_the_key_nowhere(workspace):
    """It becomes a part of a host name, so it must be one."""
    with pytest.raises(Mistake, match="host name"):
        host(None, {"DASHSCOPE_WORKSPACE_ID": workspace})


@pytest.mark.parametrize(
    "url",
    [
        "https://dashscope-intl.aliyuncs.com/api/v1",
        "https://ws-1a2b.ap-southeast-1.maas.aliyuncs.com/api/v1",
    ],
)
@pytest.mark.parametrize("named", [{"region": "beijing"}, {"manifest_region": "cn-beijing"}])
def test_a_region_and_another_ones_host_exclude_each_other(url, named):
    """The service would refuse the key, and the prices would be those of another list."""
    place = Place(url=url, region=named.get("region"))
    with pytest.raises(Mistake, match="is a host of Singapore, but the region is"):
        refuse_other_region(place, named.get("manifest_region"), load())


@pytest.mark.parametrize(
    "place",
    [
        Place(url="https://dashscope-intl.aliyuncs.com/api/v1", region="singapore"),
        Place(url="https://dashscope-intl.aliyuncs.com/api/v1"),
        Place(url="https://gateway.example/api/v1", region="beijing"),
        Place(url="http://127.0.0.1:8765/api/v1", region="beijing"),
        Place(region="beijing"),
    ],
)
def test_other_hosts_may_stand_before_any_region(place):
    """A gateway, a stand-in and the region's own host are nobody else's."""
    refuse_other_region(place, None, load())


@pytest.mark.fault(126)
def test_a_key_that_was_rotated_is_read_anew_where_it_came_from(tmp_path):
    """Also while its file is missing for a moment, or holds what is no key."""
    file = tmp_path / "key"
    file.write_text("sk-old-0123456789abcdef\n")
    environ = {"DASHSCOPE_API_KEY_FILE_PATH": str(file)}
    place = find_place(environ=environ)
    endpoint = find_endpoint(place, None, load(), environ=environ, home=tmp_path)
    file.write_text("sk-new-0123456789abcdef\n")
    assert endpoint.renew().reveal() == "sk-new-0123456789abcdef"
    file.write_text("two words")
    assert endpoint.renew() is None
    file.unlink()
    assert endpoint.renew() is None
