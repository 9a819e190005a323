"""Images: a ticket, and what has come of it so far."""

from __future__ import annotations

from blocks.builder import filename
from blocks.catalog.images import ImageRow
from blocks.model import Recipe
from blocks.model.target import target
from deployments.gateway import wire
from deployments.gateway.answers import profiles, uris
from deployments.gateway.answers.formats import image_format, target_format
from deployments.gateway.answers.sealing import sealed
from deployments.gateway.answers.statuses import status

_ENDED = ("error", "cancelled")


def image(row: ImageRow, organization: str) -> wire.Image:
    """The image with everything that clients ask of it, whatever its state."""
    ticket, recipe, file = row.ticket, row.recipe, row.file
    uri = uris.image(row.owner, ticket.appliance, ticket.id)
    made = target(recipe.target, recipe.format)
    name = file_name(row)
    size = file.size if file else 0
    return sealed(
        wire.Image(
            created=ticket.created,
            db_id=ticket.id,
            last_modified=row.changed,
            mime_type="application/octet-stream",
            sha256sum=file.sha256 if file else None,
            size=size,
            status=status(row),
            uploaded=file is not None,
            uploaded_time=ticket.finished if file else None,
            parent_uri=uris.appliance(row.owner, ticket.appliance),
            base_publish_images_uri=f"{uri}/pimages",
            complete_size=size if file else None,
            compress=recipe.compress,
            distribution_name=profiles.distribution_name(recipe.os_profile),
            download_key=row.download_key if downloadable(row) else None,
            download_uri=_download(row, name),
            file_extension="." + name.partition(".")[2],
            file_name=name,
            file_size=size,
            format=image_format(made, organization),
            target_format=target_format(made, organization),
            full_name=name,
            image_created=file is not None,
            install_profile=profiles.install_profile(recipe.install_profile, uri),
            name=recipe.name,
            org_uri=uris.organization(organization),
            pkgs_uri=f"{uri}/pkgs",
            revision=_bounded(recipe),
            simulated=recipe.simulated,
            status_uri=f"{uri}/status",
            uri=uri,
            version=recipe.version,
            vm_disk_size=recipe.install_profile.disk_size,
            vm_memory_size=recipe.install_profile.memory_size,
            force_checking_deps=recipe.check_dependencies,
        )
    )


def downloadable(row: ImageRow) -> bool:
    """Whether the file can be downloaded, now or once the generation is complete."""
    lost = row.ticket.state == "complete" and row.file is None
    return row.recipe.compress and not row.recipe.simulated and row.ticket.state not in _ENDED and not lost


def file_name(row: ImageRow) -> str:
    """The name of the image's file, also before there is one."""
    return row.file.name if row.file else filename(row.recipe, row.ticket.id)


def _download(row: ImageRow, name: str) -> str | None:
    if not downloadable(row):
        return None
    return uris.download(row.owner, row.ticket.appliance, row.ticket.id, name, row.download_key)


def _bounded(recipe: Recipe) -> int:
    """The appliance's revision of that time, which the wire has 32 bits for."""
    return min(recipe.revision, 2**31 - 1)
