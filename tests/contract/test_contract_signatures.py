"""Signatures of anything: what the published client signs is taken, anything else is not, and nothing breaks."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from deployments.gateway.signature import signed
from tests.contract.sdk import Sdk

_SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_QUERIES = st.dictionaries(st.sampled_from(["query", "orderBy", "count", "img", "force"]), _TEXTS, max_size=4)
_RAW = st.binary(max_size=60)


def _scope(path: str, query: bytes) -> dict[str, object]:
    return {"path": path, "raw_path": path.encode(), "query_string": query}


@pytest.mark.parametrize("slash", ["", "/"])
def test_what_the_published_client_signs(slash: str, sdk: Sdk) -> None:
    """Any query in the encoding of the client, under any secret; after any change of it, or by another secret, not."""

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(secret=_SECRETS, query=_QUERIES, part=_TEXTS, other=_SECRETS)
    def check(secret: str, query: dict[str, str], part: str, other: str) -> None:
        assume(other != secret)
        path = f"{slash}/users/{quote(part, safe='')}"
        sent = urlencode({**query, "apiKey": "PUB"})
        sign = sdk.application.UForgeApiKeyAuth("http://host/api", secret)._calc_signature
        signature = urlencode({"signature": sign(url=f"/{path.lstrip('/')}?{sent}", secretkey=secret)})
        found = signed(_scope(f"/api{path}", f"{sent}&{signature}".encode()))
        assert found is not None
        assert found.by(SecretStr(secret))
        assert not found.by(SecretStr(other))
        for changed_path, changed in ((f"{path}x", sent), (path, f"{sent}0"), (path, f"a=b&{sent}")):
            forged = signed(_scope(f"/api{changed_path}", f"{changed}&{signature}".encode()))
            assert forged is not None
            assert not forged.by(SecretStr(secret))

    check()


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(before=_RAW, signature=_RAW, after=_RAW)
def test_nonsense(before: bytes, signature: bytes, after: bytes) -> None:
    """Bytes that mean nothing let nobody in, and raise nothing."""
    for query in (before, b"apiKey=PUB&" + before + b"&signature=" + signature + after, b"signature=" + signature):
        found = signed(_scope("/api/users/guest", query))
        assert found is None or not found.by(SecretStr("secret"))
