"""The stages: resolve, rootfs, disk, pack. Each has one input, one output and a digest that names what determines it.

A stage's integer `FORMAT` is raised only when the bytes it makes from an unchanged input change.
"""
