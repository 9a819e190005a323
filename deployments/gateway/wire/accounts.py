"""The accounts at clouds that images are published with, one type for each kind of cloud."""

from __future__ import annotations

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.formats import TargetPlatform
from deployments.gateway.wire.grammar import Int, Uri
from deployments.gateway.wire.objects import UForgeObject, UForgeObjects, UriList


@document("credAccount", abstract=True)
class CredAccount(UForgeObject):
    """An account at a cloud; secrets are left out when `secrets_missing` says so."""

    name: str | None = None
    parent_uri: Uri | None = None
    uri: Uri | None = None
    target_platform: TargetPlatform | None = None
    secrets_missing: bool | None = None


@document(abstract=True)
class CredAccountCert(CredAccount):
    """An account with certificates."""

    base_certificates_uri: Uri | None = None
    certificate_uris: UriList | None = None


@document()
class CredAccountAws(CredAccountCert):
    """An account at AWS."""

    access_key_id: str | None = None
    account_number: str | None = None
    key_pair_name: str | None = None
    secret_access_key_id: str | None = None


@document()
class CredAccountGoogle(CredAccountCert):
    """An account at Google Cloud."""


@document()
class CredAccountAzure(CredAccount):
    """An account at Azure."""

    tenant_id: str | None = None
    subscription_id: str | None = None
    application_id: str | None = None
    application_key: str | None = None
    endpoint_url: str | None = None


@document()
class CredAccountCloudStack(CredAccount):
    """An account at a CloudStack."""

    endpoint_url: str | None = None
    public_api_key: str | None = None
    secret_api_key: str | None = None


@document()
class CredAccountCloudwatt(CredAccount):
    """An account at Cloudwatt."""

    glance_url: str | None = None
    keystone_url: str | None = None
    login: str | None = None
    password: str | None = None


@document()
class CredAccountDocker(CredAccount):
    """An account at a Docker registry."""

    endpoint_url: str | None = None
    login: str | None = None
    password: str | None = None


@document()
class CredAccountK5(CredAccount):
    """An account at K5."""

    login: str | None = None
    password: str | None = None


@document()
class CredAccountOpenShift(CredAccount):
    """An account at an OpenShift registry."""

    registry_url: str | None = None
    token: str | None = None


@document()
class CredAccountOpenStack(CredAccount):
    """An account at an OpenStack."""

    glance_url: str | None = None
    keystone_url: str | None = None
    login: str | None = None
    password: str | None = None
    keystone_version: str | None = None


@document()
class CredAccountOracle(CredAccount):
    """An account at Oracle Cloud."""

    login: str | None = None
    password: str | None = None
    domain_name: str | None = None


@document()
class CredAccountOutscale(CredAccount):
    """An account at Outscale."""

    access_key_id: str | None = None
    account_number: str | None = None
    key_pair_name: str | None = None
    secret_access_key_id: str | None = None


@document()
class CredAccountSuseCloud(CredAccount):
    """An account at a SUSE Cloud."""

    glance_url: str | None = None
    keystone_url: str | None = None
    login: str | None = None
    password: str | None = None


@document()
class CredAccountVCloudDirector(CredAccount):
    """An account at a vCloud Director."""

    hostname: str | None = None
    organization_name: str | None = None
    login: str | None = None
    password: str | None = None
    port: Int | None = None
    proxy_host: str | None = None
    proxy_port: Int | None = None


@document()
class CredAccountVSphere(CredAccount):
    """An account at a vSphere."""

    hostname: str | None = None
    login: str | None = None
    password: str | None = None
    port: Int | None = None
    proxy_host: str | None = None
    proxy_port: Int | None = None


@document()
class CredAccountItems(Document):
    """The credAccounts of a list."""

    cred_account: tuple[CredAccount, ...] = ()


@document("credAccounts")
class CredAccounts(UForgeObjects):
    """Accounts at clouds."""

    cred_accounts: CredAccountItems = CredAccountItems()
