"""The published client, converted, does what the original does."""

from __future__ import annotations

from tests.contract.sdk import Sdk


def test_reads_a_document(sdk: Sdk) -> None:
    """The client's own parser reads a document of its schema."""
    body = b'<a:status xmlns:a="http://www.usharesoft.com/uforge"><dbId>4</dbId><message>Waiting</message></a:status>'
    status = sdk.binding.CreateFromDocument(body)
    assert (status.dbId, status.message) == (4, "Waiting")


def test_signs_as_the_original(sdk: Sdk) -> None:
    """The converted client signs an address as `openssl dgst -sha1 -hmac` does."""
    sign = sdk.application.UForgeApiKeyAuth("http://host/api", "secret")._calc_signature
    assert sign(url="/users/guest?apiKey=PUB", secretkey="secret") == "Y0/ZYQKWIPt8hqQ6XX7RJ4On2bg="
