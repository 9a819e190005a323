"""The partitions that an install profile asks for."""

from __future__ import annotations

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.grammar import DiskName, FileSystem, Int, Long, PartitionType, Uri
from deployments.gateway.wire.objects import UForgeObject, UriList


@document()
class LogicalPartitionItems(Document):
    """The logicalPartitions of a list."""

    logical_partition: tuple[Partition, ...] = ()


@document("partition")
class Partition(UForgeObject):
    """A partition; sizes are in MB."""

    default_subvolume: bool | None = None
    dump_location: str | None = None
    fstype: FileSystem | None = None
    growable: bool | None = None
    label: str | None = None
    logical_partitions: LogicalPartitionItems | None = None
    logical_partitions_uri: Uri | None = None
    logical_partition_uris: UriList | None = None
    mpoint: str | None = None
    name: str | None = None
    parent_uri: Uri | None = None
    partition_table_uri: Uri | None = None
    size: Long | None = None
    uri: Uri | None = None
    volume_order: Int | None = None
    mbr_boot: bool | None = None


@document()
class PartitionItems(Document):
    """The partitions of a list."""

    partition: tuple[Partition, ...] = ()


@document("disk")
class Disk(UForgeObject):
    """A disk; its size is in MB."""

    block_size: Int | None = None
    name: DiskName | None = None
    partitions: PartitionItems | None = None
    partitions_uri: Uri | None = None
    partition_table_uri: Uri | None = None
    partition_type: PartitionType | None = None
    partition_uris: UriList | None = None
    size: Long | None = None
    uri: Uri | None = None


@document()
class DiskItems(Document):
    """The disks of a list."""

    disk: tuple[Disk, ...] = ()


@document("partitionTable")
class PartitionTable(UForgeObject):
    """The disks of an image."""

    btrfs_storage_pools_uri: Uri | None = None
    btrfs_storage_pool_uris: UriList | None = None
    btrfs_subvolumes_uri: Uri | None = None
    btrfs_subvolume_uris: UriList | None = None
    disks: DiskItems | None = None
    disks_uri: Uri | None = None
    disk_uris: UriList | None = None
    parent_uri: Uri | None = None
    logical_groups_uri: Uri | None = None
    logical_group_uris: UriList | None = None
    logical_volumes_uri: Uri | None = None
    logical_volume_uris: UriList | None = None
    uri: Uri | None = None
