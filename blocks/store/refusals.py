"""What an S3 server's answers and silences mean for whoever uses the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
)
from urllib3.exceptions import HTTPError

from blocks.errors import NoSpace, ReforgeError, StoreRefused, StoreUnavailable

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_KEYS = "Correct the access key and the secret key: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the block's fields"
_RIGHTS = "Give these keys the right to list, read, write and delete in the bucket, or use others"
_REFUSED = {
    "NoSuchBucket": "Make the bucket, or correct its name in the store's URL",
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "AuthorizationHeaderMalformed": f"{_KEYS}; or name the region in the store's URL",
    "ExpiredToken": "Get new temporary keys",
    "InvalidToken": "Get new temporary keys",
    "AccessDenied": _RIGHTS,
    "403": _RIGHTS,
    "Forbidden": _RIGHTS,
    "RequestTimeTooSkewed": "Set this machine's clock right, and the server's",
    "PermanentRedirect": "Name the bucket's own region and endpoint in the store's URL",
    "InvalidBucketName": "Correct the bucket's name in the store's URL",
    "NotImplemented": "Use a server that knows multipart uploads and listings, or a newer version of this one",
}
_FULL = frozenset({"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "507"})
_PASSING = frozenset(
    {
        "SlowDown",
        "RequestTimeout",
        "RequestTimeTooLong",
        "IncompleteBody",
        "OperationAborted",
        "BadDigest",
        "NoSuchUpload",  # nobody of ours aborted it: the server lost it, or an upload beside it was swept away
        "Throttling",
        "TooManyRequests",
    }
)
_KEYLESS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound, ConfigParseError)
_ERRORS, _TOO_MANY = 500, 429


@contextmanager
def translated(doing: str, where: str) -> Iterator[None]:
    """Raise what a failure while `doing` something means: StoreRefused, NoSpace, or StoreUnavailable."""
    try:
        yield
    except ClientError as error:
        raise _answer(error, doing, where) from error
    except _KEYLESS as error:
        raise StoreRefused(f"{doing} failed: there are no keys to the store {where} ({error})", _KEYS) from error
    except (BotoCoreError, HTTPError) as error:
        raise _silence(error, doing, where) from error


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
    if word in _FULL:
        return NoSpace(what, "Remove images that nobody needs, or raise the quota of the store, and try again")
    if status >= _ERRORS or status == _TOO_MANY or word in _PASSING:
        return StoreUnavailable(what, "Try again; look into the server's log if it goes on")
    return StoreRefused(what, "Look into the server's log for the reason")


def _silence(error: Exception, doing: str, where: str) -> ReforgeError:
    if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return StoreRefused(
            f"{doing} failed: the certificate of {where} isn't trusted ({error})",
            "Name the certificates of its authority: ca=/path in the store's URL, or AWS_CA_BUNDLE",
        )
    return StoreUnavailable(
        f"{doing} failed: the store {where} doesn't answer ({error})",
        "See that its server runs and that the endpoint in the store's URL is right, and try again",
    )
