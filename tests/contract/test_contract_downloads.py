"""Downloads over real HTTP: with one-time keys and without, whole and in ranges, many at the same time."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.contract.installation import PASSWORD, USER, Client, Installation, document, text

pytestmark = pytest.mark.build
_AT_ONCE = 20
_LIKE_THE_SDK = {"Accept": "application/xml", "Content-Type": "application/xml", "Accept-Encoding": "gzip, deflate"}


@pytest.fixture
def client(installation: Installation) -> Client:
    """The owner."""
    return installation.client()


@pytest.fixture(scope="module")
def whole(installation: Installation, image: str) -> bytes:
    """The file as it lies in the store."""
    record = installation.ports.catalog.tickets.record(int(image.rpartition("/")[2]))
    assert record is not None
    assert record.generation.file is not None
    with installation.ports.store.open(record.generation.file.sha256) as file:
        return file.read()


@pytest.fixture
def link(installation: Installation, client: Client, image: str) -> str:
    """The address by which anybody may have it once."""
    return f"{installation.address}/{text(client.xml('GET', image), 'downloadUri')}"


def test_by_its_address_alone(client: Client, image: str, link: str, whole: bytes) -> None:
    """As hammr does it: no credentials, an answer of a known length, the bytes as promised; the key is then spent."""
    told = client.xml("GET", image)
    key = text(told, "downloadKey")
    assert link.endswith(f"/downloads/{text(told, 'fileName')}?downloadId={key}")
    assert client.xml("GET", image).findtext("downloadKey") == key
    answer = httpx.get(link, headers=_LIKE_THE_SDK)
    assert answer.status_code == 200
    assert answer.headers["content-length"] == text(told, "fileSize") == str(len(whole))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert {"content-encoding", "transfer-encoding"}.isdisjoint(answer.headers)
    assert hashlib.sha256(answer.content).hexdigest() == text(told, "sha256sum")
    document(httpx.get(link), 401)
    fresh = text(client.xml("GET", image), "downloadKey")
    assert fresh != key
    assert httpx.head(link.replace(key, fresh)).status_code == 200


def test_by_name_and_password(client: Client, image: str, whole: bytes) -> None:
    """Needs no key, under whatever file name, as often as one likes, and spends no key."""
    key = text(client.xml("GET", image), "downloadKey")
    for path in ("downloads", "downloads/any.name", "downloads", f"files/{text(client.xml('GET', image), 'fileName')}"):
        assert client.ask("GET", f"{image}/{path}", headers=_LIKE_THE_SDK).content == whole
    assert text(client.xml("GET", image), "downloadKey") == key


@pytest.mark.parametrize("query", ["", "?downloadId=", "?downloadId=guess", "?id=guess"])
def test_by_nothing(query: str, image: str, installation: Installation) -> None:
    """Neither key nor credentials: 401; another user's name opens nothing, either."""
    address = f"{installation.address}/{image}/downloads{query}"
    document(httpx.get(address), 401)
    document(httpx.get(address, auth=("mallory", PASSWORD)), 403)


@pytest.mark.parametrize(
    ("span", "begin", "end"),
    [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-100", -100, None), ("bytes=5-5", 5, 6)],
)
def test_a_span(span: str, begin: int, end: int | None, client: Client, image: str, whole: bytes) -> None:
    """206 with just these bytes, and where they are in the whole."""
    answer = client.ask("GET", f"{image}/downloads", headers={"Range": span})
    wanted = whole[begin:end]
    assert (answer.status_code, answer.content) == (206, wanted)
    first = begin if begin >= 0 else len(whole) + begin
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(whole)}"
    assert answer.headers["content-length"] == str(len(wanted))


def test_a_span_beyond_the_end(client: Client, image: str, whole: bytes) -> None:
    """416 with the size."""
    answer = client.ask("GET", f"{image}/downloads", headers={"Range": f"bytes={len(whole)}-"})
    document(answer, 416)
    assert answer.headers["content-range"] == f"bytes */{len(whole)}"


def test_one_that_broke_off_goes_on(link: str, whole: bytes, client: Client, image: str) -> None:
    """The key holds until the last byte was sent: what was cut is resumed by range, under the first part's ETag."""
    with httpx.stream("GET", link) as broken:
        tag = broken.headers["etag"]
        part = next(broken.iter_raw(100_000))
    rest = httpx.get(link, headers={"Range": f"bytes={len(part)}-", "If-Range": tag})
    assert (rest.status_code, part + rest.content) == (206, whole)
    document(httpx.get(link), 401)
    fresh = client.ask("GET", f"{image}/downloads", headers={"Range": "bytes=5-", "If-Range": '"other"'})
    assert (fresh.status_code, len(fresh.content)) == (200, len(whole))
    known = client.ask("GET", f"{image}/downloads", headers={"If-None-Match": tag})
    assert (known.status_code, known.content) == (304, b"")


def test_many_at_once(client: Client, installation: Installation, image: str, whole: bytes) -> None:
    """Twenty get the same bytes while statuses are answered."""

    def fetch(_: int) -> str:
        return hashlib.sha256(client.ask("GET", f"{image}/downloads").content).hexdigest()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        fetched = [pool.submit(fetch, number) for number in range(_AT_ONCE)]
        assert client.status(image)["complete"] == "true"
        assert {each.result() for each in fetched} == {hashlib.sha256(whole).hexdigest()}
    assert installation.client("mallory").ask("GET", "users/mallory").status_code == 200


def test_one_key_for_many(link: str, whole: bytes) -> None:
    """Of those who have it at the same time each gets the whole file or none of it; afterwards it opens nothing."""
    with ThreadPoolExecutor(5) as pool:
        answers = [each.result() for each in [pool.submit(httpx.get, link) for _ in range(5)]]
    assert {answer.status_code for answer in answers} <= {200, 401}
    assert whole in {answer.content for answer in answers if answer.status_code == 200}
    document(httpx.get(link), 401)


def test_what_was_not_compressed_is_not_downloaded(client: Client, installation: Installation) -> None:
    """Without `compress` it can be published only; so says the answer."""
    body = """<a:image xmlns:a="http://www.usharesoft.com/uforge">
    <compress>false</compress><targetFormat><name>RAW</name></targetFormat></a:image>"""
    uri = client.post(installation.images(), body)
    client.ended(uri)
    document(client.ask("GET", f"{uri}/downloads"), 400)
    assert text(client.xml("GET", uri), "compress") == "false"
    assert client.ask("DELETE", uri).status_code == 204
    assert USER in uri
