"""What an S3 server's answers and silences mean for whoever uses the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
)

from blocks.errors import ReforgeError, StoreRefused, StoreUnavailable

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_KEYS = "Correct the access key and the secret key: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the block's fields"
_REFUSED = {
    "NoSuchBucket": "Make the bucket, or correct its name in the store's URL",
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "AuthorizationHeaderMalformed": f"{_KEYS}; or name the region in the store's URL",
    "ExpiredToken": "Get new temporary keys",
    "InvalidToken": "Get new temporary keys",
    "AccessDenied": "Give these keys the right to list, read, write and delete in the bucket, or use others",
    "403": "Give these keys the right to list, read, write and delete in the bucket, or use others",
    "Forbidden": "Give these keys the right to list, read, write and delete in the bucket, or use others",
    "RequestTimeTooSkewed": "Set this machine's clock right",
    "PermanentRedirect": "Name the bucket's own region and endpoint in the store's URL",
    "InvalidBucketName": "Correct the bucket's name in the store's URL",
}
_STATUS = 500


@contextmanager
def translated(doing: str, where: str) -> Iterator[None]:
    """Raise what a failure while `doing` something means: StoreRefused, or StoreUnavailable for another try."""
    try:
        yield
    except ClientError as error:
        raise _answer(error, doing, where) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StoreRefused(f"{doing} failed: there are no keys to the store {where}", _KEYS) from error
    except SSLError as error:
        raise StoreRefused(
            f"{doing} failed: the certificate of {where} isn't trusted ({error})",
            "Name the certificates of its authority: ca=/path in the store's URL, or AWS_CA_BUNDLE",
        ) from error
    except (BotoCoreError, HTTPClientError, ProxyConnectionError, OSError) as error:
        raise StoreUnavailable(
            f"{doing} failed: the store {where} doesn't answer ({error})",
            "See that its server runs and that the endpoint in the store's URL is right, and try again",
        ) from error


def code(error: ClientError) -> str:
    """The server's word for what it refuses."""
    return str(error.response.get("Error", {}).get("Code", ""))


def absent(error: ClientError) -> bool:
    """Whether the server says that there is no such object."""
    return code(error) in _ABSENT


def _answer(error: ClientError, doing: str, where: str) -> ReforgeError:
    word = code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = error.response.get("Error", {}).get("Message", "")
    what = f"{doing} failed: the store {where} answers {word or status} {message}".rstrip()
    if word in _REFUSED:
        return StoreRefused(what, _REFUSED[word])
    if status >= _STATUS or word in {"SlowDown", "RequestTimeout", "IncompleteBody", "OperationAborted", "BadDigest"}:
        return StoreUnavailable(what, "Try again; look into the server's log if it goes on")
    return StoreRefused(what, "Look into the server's log for the reason")
