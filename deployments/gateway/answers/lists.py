"""Lists: their items in the wrapper that readers look for, which is there for an empty one, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from deployments.gateway.wire import UForgeObjects
from deployments.gateway.wire.elements import Document, elements

_List = TypeVar("_List", bound=UForgeObjects)


def listed(kind: type[_List], items: Sequence[Document], total: int | None = None) -> _List:
    """The list of these; `total` counts what matches, and is their number unless given."""
    wrapper: Any = elements(kind)[1]
    item = elements(wrapper.kind)[0]
    wrapped = wrapper.kind(**{item.attribute: tuple(items)})
    values: dict[str, Any] = {"total": len(items) if total is None else total, wrapper.attribute: wrapped}
    return kind(**values)
