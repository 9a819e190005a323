"""The HTTP gateway: the interface of the published UForge clients."""
