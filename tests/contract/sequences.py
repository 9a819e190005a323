"""The order of elements and the values of enumerations as the contract lists them, apart from any binding."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element

NAMESPACE = "http://www.usharesoft.com/uforge"
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}type"
_TOKEN = re.compile(r"(?P<name>\w+)(?:\{(?P<values>\w+)\})?(?::(?P<kind>\w+))?(?:\[(?P<item>\w+)(?::(?P<of>\w+))?\])?")
_TEXT = Path(__file__).with_suffix(".txt").read_text("utf-8").replace("\n   ", "")
_SEQUENCES = dict(line.split(" = ") for line in _TEXT.splitlines() if " = " in line)
_FORMATS = """
aws azure cloudburstvmware cloudstackova cloudstackqcow2 cloudstackvhd cloudsigmaraw cloudwatt docker esx google hyper-v
hyperv2012 ISO PXE kvm k5vmdk lxc openshift openstackqcow2 openstackvdi openstackvhd openstackvmdk outscale oracleraw
ovf ovf09 qcow2 raw susecloud targz vagrant vbox vcenter vcloud vhd vmware xen xenserver"""
_CLOUDS = "aws outscale azure google cloudstack openstack openshift vclouddirector vsphere k5 docker oracle"
_VALUES = {
    "format": set(_FORMATS.split()),
    "target": {"cloud", "virtual", "container", "physical"},
    "cloud": set(_CLOUDS.split()),
    "quota": {"appliance", "diskusage", "generation", "scan"},
    "frequency": {"monthly", "none"},
    "category": {"PROJECT", "TEMPLATE", "IMAGEFORMAT"},
    "disk": {f"sd{letter}" for letter in "abcdefgh"},
    "partition": {"LVM", "MSDOS"},
    "selinux": {"disabled", "permissive", "enforcing"},
    "boolean": {"true", "false"},
}
_ROOTS = {
    "status": "OpStatus",
    "distribProfile": "LinuxProfile",
    "apiKeyPair": "APIKeyPair",
    "uforgeError": "UForgeError",
}
_ABSTRACT = {"distribProfile": "ns0:LinuxProfile", "osProfile": "ns0:LinuxProfile"}
FREE = {"orgs", "distributions"}
"""Documents whose sequence the contract doesn't list."""


def check(root: Element) -> None:
    """Fail unless it is a document of the contract: names, order, wrappers, enumerations, xsi:type, no attributes."""
    assert root.tag.startswith(f"{{{NAMESPACE}}}"), root.tag
    name = root.tag.partition("}")[2]
    if name in FREE:
        return
    kind = name if name in _SEQUENCES else _ROOTS.get(name, name[0].upper() + name[1:])
    _check(root, kind, name)
    wrappers = [token["name"] for token in _tokens(kind) if kind == name and token["item"]]
    assert all(root.find(wrapper) is not None for wrapper in wrappers), f"{name} has no wrapper"


def _tokens(kind: str) -> list[re.Match[str]]:
    sequence = _SEQUENCES[kind]
    while "@" in sequence:
        sequence = re.sub(r"@(\w+)", lambda found: _SEQUENCES[found[1]], sequence)
    return list(_TOKEN.finditer(sequence))


def _check(element: Element, kind: str, name: str) -> None:
    wanted = _ABSTRACT.get(name)
    assert dict(element.attrib) == ({_XSI: wanted} if wanted else {}), (name, element.attrib)
    tokens = _tokens(kind)
    places = {token["name"]: place for place, token in enumerate(tokens)}
    named = [child.tag for child in element]
    found = [places.get(tag, -1) for tag in named]
    assert -1 not in found, f"{name} has what it can't have: {named}"
    assert found == sorted(found), f"{name} is out of order: {named}"
    assert kind == "UriList" or len(set(found)) == len(found), f"{name} has something twice: {named}"
    assert not (named and (element.text or "").strip()), f"{name} has text beside elements"
    for child, place in zip(element, found, strict=True):
        _check_child(child, tokens[place])


def _check_child(child: Element, token: re.Match[str]) -> None:
    if token["kind"]:
        _check(child, token["kind"], token["name"])
    elif token["item"]:
        assert {each.tag for each in child} <= {token["item"]}, child.tag
        for each in child if token["of"] else ():
            _check(each, token["of"], each.tag)
    elif token["values"]:
        assert child.text in _VALUES[token["values"]], f"{child.tag} is {child.text}"
