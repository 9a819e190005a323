"""Downloads: the stored bytes, whole or in part, by a key that is good for one transfer, or by who owns them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal
from starlette.datastructures import Headers

from blocks.ports import Ports
from deployments.gateway.downloads import Download, transfer
from tests.deployments.gateway.conftest import BYTES, PASSWORD, RECIPE, Client, Made, error, record, root


@pytest.fixture
def address(client: Client, made: Made) -> str:
    """The image's download address, with its key."""
    return str(root(client.get(made.uri)).findtext("downloadUri"))


def test_by_its_key(client: Client, made: Made, address: str) -> None:
    """Anybody gets the whole file once; then the image has another address."""
    answer = client.get(address, None, accept="application/xml", accept_encoding="gzip, deflate")
    assert (answer.status_code, answer.content) == (200, BYTES)
    told = {name: answer.headers[name] for name in ("content-length", "content-type", "accept-ranges")}
    assert told == {
        "content-length": str(len(BYTES)),
        "content-type": "application/octet-stream",
        "accept-ranges": "bytes",
    }
    assert "content-encoding" not in answer.headers
    assert "server.qcow2" in answer.headers["content-disposition"]
    assert error(client.get(address, None), 401)
    new = str(root(client.get(made.uri)).findtext("downloadUri"))
    assert new != address
    assert client.get(new, None).content == BYTES


def test_reading_the_image_leaves_the_key(client: Client, made: Made, address: str) -> None:
    """An address that was told stays good until it is used, however often the image is read."""
    for path in (made.uri, "users/alice/images"):
        root(client.get(path))
    assert str(root(client.get(made.uri)).findtext("downloadUri")) == address


def test_what_isnt_a_transfer_leaves_the_key(client: Client, address: str) -> None:
    """HEAD, a range that doesn't reach the end, one that is outside, and 304 spend nothing."""
    head = client.ask("HEAD", address, None)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(BYTES)))
    assert client.get(address, None, range="bytes=0-99").status_code == 206
    assert error(client.get(address, None, range=f"bytes={len(BYTES)}-"), 416)
    assert client.get(address, None, if_none_match=head.headers["etag"]).status_code == 304
    assert client.get(address, None).content == BYTES


def test_resumed(client: Client, address: str) -> None:
    """What is missing is got by its range under the same tag; the last byte spends the key."""
    first = client.get(address, None, range="bytes=0-999999")
    assert first.headers["content-range"] == f"bytes 0-999999/{len(BYTES)}"
    rest = client.get(address, None, range="bytes=1000000-", if_range=first.headers["etag"])
    assert rest.status_code == 206
    assert first.content + rest.content == BYTES
    assert error(client.get(address, None), 401)


@pytest.mark.parametrize(
    ("headers", "status", "content"),
    [
        ({"range": "bytes=5-9"}, 206, BYTES[5:10]),
        ({"range": "bytes=-10"}, 206, BYTES[-10:]),
        ({"range": "bytes=0-0"}, 206, BYTES[:1]),
        ({"range": "bytes=0-1,5-6"}, 200, BYTES),
        ({"range": "bytes=5-9", "if_range": '"other"'}, 200, BYTES),
        ({"if_modified_since": "Wed, 01 Jan 2025 00:00:00 GMT"}, 200, BYTES),
    ],
)
def test_with_credentials(headers: dict[str, str], status: int, content: bytes, client: Client, made: Made) -> None:
    """Its owner, and who may act for it, need no key, by either address."""
    for user, path in (("alice", "downloads"), ("chief", "downloads/any name")):
        answer = client.get(f"{made.uri}/{path}", user, **headers)
        assert (answer.status_code, answer.content, answer.headers["content-length"]) == (
            status,
            content,
            str(len(content)),
        )


def test_the_key_stays_with_credentials(client: Client, made: Made, address: str) -> None:
    """A transfer that needed no key spends none."""
    assert client.get(f"{made.uri}/downloads").content == BYTES
    assert client.get(address, None).content == BYTES


@pytest.mark.parametrize("query", ["", "?downloadId=", "?downloadId=guess", "?downloadId=gu%C3%A9ss%00"])
def test_without_a_right(query: str, client: Client, made: Made) -> None:
    """Nobody without a key gets anything, not even whether the image is there; nor does a colleague."""
    for path in (made.uri, made.uri.replace("images/1", "images/999"), made.uri.replace("alice", "nobody")):
        assert error(client.get(f"{path}/downloads{query}", None), 401)
    assert error(client.get(f"{made.uri}/downloads{query}", "bob"), 403)
    assert error(client.get(f"{made.uri}/downloads{query}", "eve"), 404)


def test_what_cant_be_downloaded(client: Client, made: Made, live: int, ports: Ports) -> None:
    """Neither what isn't complete, nor what wasn't compressed, nor what has no file."""
    uri = f"users/alice/appliances/{made.appliance}/images/"
    loose = ports.catalog.tickets.adopt(
        record(made.appliance, RECIPE.model_copy(update={"compress": False})), has_file=True
    )
    without = ports.catalog.tickets.adopt(record(made.appliance), has_file=False)
    for number in (live, loose.id, without.id):
        assert error(client.get(f"{uri}{number}/downloads"), 400)
    assert root(client.get(f"{uri}{loose.id}")).find("downloadUri") is None


def test_a_file_by_its_path(client: Client, made: Made) -> None:
    """The image's one file has its name; any other path leads nowhere."""
    assert client.get(f"{made.uri}/files/server.qcow2").content == BYTES
    assert error(client.get(f"{made.uri}/files/some/other"), 404)
    assert error(client.get(f"{made.uri}/files/server.qcow2", None), 401)


def test_a_file_that_is_gone(client: Client, made: Made, ports: Ports) -> None:
    """A store that lacks the file is told before anything is sent."""
    ports.store.remove(next(ports.store.blobs()).sha256)
    assert error(client.get(f"{made.uri}/downloads"), 404)


def test_a_link_of_the_store(
    serve: Callable[..., Client], made: Made, address: str, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By configuration a download leads to the store, and spends the key; a store without links is streamed from."""
    client = serve(redirects=True)
    assert client.get(f"{made.uri}/downloads").content == BYTES
    monkeypatch.setattr(type(ports.store), "link", lambda *_: "https://store/file?signed")
    answer = client.get(address, None)
    assert (answer.status_code, answer.headers["location"]) == (307, "https://store/file?signed")
    assert error(client.get(address, None), 401)


class _Asked:
    """What a server's protocol hands an application, with a client that goes away after some parts."""

    def __init__(self, parts: int) -> None:
        self.sent: list[bytes] = []
        self._parts = parts
        self._gone = anyio.Event()

    async def receive(self) -> dict[str, Any]:
        """The disconnect, when it happens."""
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take a part; the last one that the client waits for takes for ever."""
        self.sent.append(message.get("body", b""))
        if len(self.sent) > self._parts:
            self._gone.set()
            await anyio.sleep_forever()


def test_a_client_that_goes_away(ports: Ports, portal: BlockingPortal) -> None:
    """Its key stays good, and the file is closed."""
    blob, delivered = next(ports.store.blobs()), []
    since = ports.catalog.tickets.list("alice")[0].created
    download = Download(ports.store, blob.sha256, blob.size, "name", since, lambda: delivered.append(True))
    answer: Any = transfer(download, Headers())

    async def interrupted() -> list[bytes]:
        asked = _Asked(2)
        await answer({"type": "http", "method": "GET"}, asked.receive, asked.send)
        return asked.sent

    assert 0 < len(b"".join(portal.call(interrupted))) < len(BYTES)
    assert (delivered, answer._file.closed) == ([], True)


def test_many_at_the_same_time(client: Client, made: Made, portal: BlockingPortal) -> None:
    """All of them get all of it, and somebody who polls is answered meanwhile."""
    path, none = f"{made.uri}/downloads", dict[str, str]()
    futures = [portal.start_task_soon(client._ask, "GET", path, "alice", PASSWORD, None, none) for _ in range(20)]
    assert root(client.get(f"{made.uri}/status")).findtext("complete") == "true"
    assert all(future.result().content == BYTES for future in futures)


def test_two_images_of_one_file(client: Client, made: Made, ports: Ports) -> None:
    """Each has a key of its own."""
    other = ports.catalog.tickets.adopt(record(made.appliance), has_file=True).id
    uri = made.uri.replace(f"images/{made.image}", f"images/{other}")
    keys = {root(client.get(each)).findtext("downloadKey") for each in (made.uri, uri)}
    assert len(keys) == 2
