"""What can go wrong between the store and its server: each with what, where, what to do next, and no secret."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr

from blocks.errors import InvalidInput, MachineUnfit, NoSpace, ReforgeError, StoreRefused, StoreUnavailable
from blocks.model import Record
from blocks.store import Credentials, Store, open_store
from blocks.store.address import check_address
from blocks.store.bucket import Bucket
from blocks.store.refusals import translated
from blocks.store.s3 import S3Store
from tests.servers.certificate import Certificate, certificate
from tests.servers.rclone import ACCESS, CREDENTIALS, SECRET, Rclone, rclone
from tests.servers.relay import relay

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "7/1/image.raw"
MIB = 1024 * 1024
Use = Callable[[Store, Path, Record], object]


def go_on() -> None:
    """Never stop."""


@pytest.fixture
def url(bucket: str) -> str:
    """The URL of a store in a fresh bucket."""
    return bucket


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate that nobody trusts yet."""
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, certified: Certificate) -> Iterator[Rclone]:
    """An S3 server over https."""
    with rclone(tmp_path_factory.mktemp("s3s") / "buckets", certificate=certified.certificate, key=certified.key) as it:
        (it.folder / "bucket").mkdir()
        yield it


@pytest.mark.parametrize(
    "use",
    [
        lambda store, source, _record: store.upload(source, KEY, go_on),
        lambda store, source, _record: store.put_package(source, "0" * 64),
        lambda store, _source, _record: store.put(b"index"),
        lambda store, _source, _record: store.has("0" * 64),
        lambda store, _source, _record: store.open("0" * 64),
        lambda store, source, _record: store.fetch("0" * 64, source, go_on),
        lambda store, _source, _record: store.remove("0" * 64),
        lambda store, _source, _record: list(store.blobs()),
        lambda store, _source, _record: store.unfinished(),
        lambda store, _source, _record: store.abort(KEY),
        lambda store, _source, record: store.put_record(record),
        lambda store, _source, _record: list(store.records()),
        lambda store, _source, _record: store.log(7, 1, "pack"),
        lambda store, _source, _record: store.check(),
    ],
    ids=[
        *("upload", "put_package", "put", "has", "open", "fetch", "remove", "blobs", "unfinished", "abort"),
        *("put_record", "records", "log", "check"),
    ],
)
def test_missing_bucket(
    client: S3Client, server: Rclone, source: Path, make_record: Callable[[int], Record], use: Use
) -> None:
    """A bucket that isn't there is refused by its name, never empty, and isn't made by a write."""
    store = S3Store(client, Bucket("not-there", endpoint=server.endpoint), 5 * MIB)
    with pytest.raises(StoreRefused, match="s3://not-there/") as caught:
        use(store, source, make_record(7))
    assert caught.value.hint == "Make the bucket, or correct its name in the store's URL"
    assert server.endpoint in caught.value.what
    assert not (server.folder / "not-there").exists()


@pytest.mark.parametrize(
    "keys", [(ACCESS, "wrong-secret-0123456789"), ("nobody", SECRET)], ids=["wrong secret", "unknown"]
)
def test_wrong_keys(url: str, keys: tuple[str, str]) -> None:
    """Wrong keys aren't worth another try, and no part of the error or its cause repeats a secret."""
    store = open_store(url, Credentials(SecretStr(keys[0]), SecretStr(keys[1])))
    for use in (store.check, lambda: store.has("0" * 64), lambda: store.put(b"index")):
        with pytest.raises(StoreRefused) as caught:
            use()
        assert "key" in caught.value.hint
        assert url.partition("=")[2] in caught.value.what
        told = "".join(traceback.format_exception(caught.value)) + repr(store.__dict__)
        assert keys[1] not in told


def test_no_keys(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without any keys the error says which variables have them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StoreRefused, match="there are no keys") as caught:
        open_store(url).put(b"index")
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


def test_server_down(source: Path) -> None:
    """A server that doesn't listen is worth another try, and the error tells its address."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, and never listening
        endpoint = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        store = open_store(f"s3://bucket/images?endpoint={endpoint}", CREDENTIALS)
        for use in (store.check, lambda: store.upload(source, KEY, go_on)):
            with pytest.raises(StoreUnavailable, match=endpoint) as caught:
                use()
            assert caught.value.transient
            assert "endpoint" in caught.value.hint


def test_server_dies_in_the_middle(tmp_path: Path, source: Path) -> None:
    """A server that dies while parts are sent is worth another try, and the error notes what is left there."""
    with rclone(tmp_path / "buckets") as dying:
        store = S3Store.at(dying.bucket("bucket"), CREDENTIALS, 5 * MIB)
        calls = iter(range(1, 1000))

        def kill() -> None:
            if next(calls) == 6:
                dying.process.kill()
                dying.process.wait()

        with pytest.raises(StoreUnavailable, match="Storing") as caught:
            store.upload(source, KEY, kill)
    assert caught.value.__cause__ is not None
    assert f"The upload {KEY} is left unfinished" in "".join(caught.value.__cause__.__notes__)


def test_download_is_cut(server: Rclone, url: str, store: Store, source: Path, tmp_path: Path) -> None:
    """Connections that are reset before they bring anything are worth another try; the target stays as it was."""
    blob = store.upload(source, KEY, go_on)
    target = tmp_path / "target"
    target.write_bytes(b"old")
    with relay(_port(server), received=MIB) as port:
        cut = open_store(url.replace(str(_port(server)), str(port)), CREDENTIALS)
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}"):
            cut.fetch(blob.sha256, target, go_on)
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}"):
            cut.verify(blob.sha256, blob.size, go_on)
    assert target.read_bytes() == b"old"
    assert not list(tmp_path.glob(".*partial"))


def test_download_goes_on(server: Rclone, url: str, store: Store, source: Path, tmp_path: Path) -> None:
    """Connections that end after they brought something are made anew, and the blob is whole."""
    blob = store.upload(source, KEY, go_on)
    with relay(_port(server), received=5 * MIB, reset=False) as port:
        cut = open_store(url.replace(str(_port(server)), str(port)), CREDENTIALS)
        cut.fetch(blob.sha256, tmp_path / "target", go_on)
        with cut.open(blob.sha256) as file:
            assert file.read() == source.read_bytes()
    assert (tmp_path / "target").read_bytes() == source.read_bytes()


def test_upload_is_cut(server: Rclone, url: str, store: Store, source: Path) -> None:
    """Connections that are reset in the middle of every part are worth another try, and leave nothing."""
    with relay(_port(server), sent=3 * MIB) as port:
        cut = open_store(url.replace(str(_port(server)), str(port)), CREDENTIALS)
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}"):
            cut.upload(source, KEY, go_on)
    assert list(store.blobs()) == []
    assert store.unfinished() == ()


def test_https(secure: Rclone, certified: Certificate, source: Path, tmp_path: Path) -> None:
    """Over https with an authority of one's own everything works, in one request and in parts."""
    url = f"s3://bucket/images?endpoint={secure.endpoint}&ca={certified.authority}"
    store = S3Store.at(url, CREDENTIALS, 5 * MIB)
    store.check()
    blob = store.upload(source, KEY, go_on)
    store.verify(blob.sha256, blob.size, go_on)
    store.fetch(blob.sha256, tmp_path / "target", go_on)
    small = store.put(b"index")
    with store.open(small.sha256) as file:
        assert file.read() == b"index"
    assert {found.sha256 for found in store.blobs()} == {blob.sha256, small.sha256}


def test_authority_in_the_environment(secure: Rclone, certified: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual variable names the authority as well."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certified.authority))
    open_store(f"s3://bucket/environment?endpoint={secure.endpoint}", CREDENTIALS).check()


def test_certificate_not_trusted(secure: Rclone) -> None:
    """A certificate of an unknown authority isn't worth another try, and the error says how to name the authority."""
    with pytest.raises(StoreRefused, match="isn't trusted") as caught:
        open_store(f"s3://bucket/images?endpoint={secure.endpoint}", CREDENTIALS).check()
    assert "ca=/path" in caught.value.hint


def test_authority_is_not_there(tmp_path: Path) -> None:
    """A file of certificates that isn't on this machine is named before any server is asked."""
    with pytest.raises(MachineUnfit, match=r"none\.pem"):
        open_store(f"s3://bucket?endpoint=https://127.0.0.1:1&ca={tmp_path / 'none.pem'}", CREDENTIALS)


@pytest.mark.parametrize(
    ("word", "status", "kind"),
    [
        ("AccessDenied", 403, StoreRefused),
        ("SignatureDoesNotMatch", 403, StoreRefused),
        ("RequestTimeTooSkewed", 403, StoreRefused),
        ("ExpiredToken", 400, StoreRefused),
        ("SomethingNew", 400, StoreRefused),
        ("QuotaExceeded", 403, NoSpace),
        ("SlowDown", 503, StoreUnavailable),
        ("InternalError", 500, StoreUnavailable),
        ("", 502, StoreUnavailable),
        ("TooManyRequests", 429, StoreUnavailable),
        ("NoSuchUpload", 404, StoreUnavailable),
    ],
)
def test_meaning_of_answers(word: str, status: int, kind: type[ReforgeError]) -> None:
    """An answer becomes the error that says whether another try helps, with doing, place, word and hint."""
    answer = ClientError({"Error": {"Code": word}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")  # type: ignore[typeddict-item]
    with pytest.raises(ReforgeError) as caught, translated("Storing image.raw", "s3://bucket/"):
        raise answer
    assert type(caught.value) is kind
    assert caught.value.what.startswith(f"Storing image.raw failed: the store s3://bucket/ answers {word or status}")
    assert caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///prefix",
        "s3://B/x",
        "s3://[bad",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket#x",
        "s3://bucket?endpoint=",
        "s3://bucket?endpoint=ftp://hidden",
        "s3://bucket?endpoint=https://user:hidden@host",
        "s3://bucket?secret_key=hidden",
        "s3://key:hidden@bucket",
    ],
)
def test_wrong_urls(url: str) -> None:
    """A URL outside its grammar is refused with the form that is allowed, and isn't repeated."""
    for use in (open_store, check_address):
        with pytest.raises(InvalidInput) as caught:
            use(url)
        assert "s3://bucket/prefix?endpoint=" in caught.value.hint
        assert "hidden" not in str(caught.value)


def test_bucket_of_a_url() -> None:
    """A URL tells bucket, prefix, endpoint, region and certificates; people see no more than the first three."""
    bucket = Bucket.parse("s3://bucket/a/b/?endpoint=https://host:9000&region=eu-1&ca=/etc/own%20ca.pem")
    assert bucket == Bucket("bucket", "a/b", "https://host:9000", "eu-1", "/etc/own ca.pem")
    assert bucket.where == "s3://bucket/a/b at https://host:9000"


def _port(server: Rclone) -> int:
    return int(server.endpoint.rpartition(":")[2])
