"""Build back end: poetry-core, and in a checkout the sibling packages are taken from the checkout.

A wheel's metadata names `infinium-config>=2.0,<3` and its like, and an installer looks those up on the registry, where
anyone may have put a package of that name. Installed from a checkout, the siblings that lie beside this package are
meant, so the metadata then names their directories. `INFINIUM_RELEASE=1` builds what is published: ranges only.
"""

import base64
import hashlib
import os
import re
import zipfile
from pathlib import Path
from typing import Any

from poetry.core.masonry.api import build_editable as _build_editable
from poetry.core.masonry.api import (
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)
from poetry.core.masonry.api import build_wheel as _build_wheel
from poetry.core.masonry.api import prepare_metadata_for_build_wheel as _prepare

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_SIBLING = re.compile(rb"^Requires-Dist: (infinium-(?:config|trace|transport))\b.*$", re.MULTILINE)


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    name = _build_wheel(wheel_directory, config_settings, None)
    _rewrite(Path(wheel_directory) / name)
    return name


def build_editable(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    name = _build_editable(wheel_directory, config_settings, None)
    _rewrite(Path(wheel_directory) / name)
    return name


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Any = None) -> str:
    name = _prepare(metadata_directory, config_settings)
    path = Path(metadata_directory) / name / "METADATA"
    path.write_bytes(_from_checkout(path.read_bytes()))
    return name


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def _from_checkout(metadata: bytes) -> bytes:
    packages = Path(__file__).resolve().parent.parent
    if os.environ.get("INFINIUM_RELEASE"):
        return metadata

    def beside(requirement: re.Match[bytes]) -> bytes:
        directory = packages / requirement[1].decode()
        if not (directory / "pyproject.toml").is_file():
            return requirement[0]
        return b"Requires-Dist: %s @ %s" % (requirement[1], directory.as_uri().encode())

    return _SIBLING.sub(beside, metadata)


def _rewrite(wheel: Path) -> None:
    """Put the changed METADATA and its new hash into the wheel."""
    with zipfile.ZipFile(wheel) as source:
        files = {item: source.read(item) for item in source.infolist()}
    name = next(item.filename for item in files if item.filename.endswith(".dist-info/METADATA"))
    old = next(body for item, body in files.items() if item.filename == name)
    new = _from_checkout(old)
    if new == old:
        return
    digest = base64.urlsafe_b64encode(hashlib.sha256(new).digest()).rstrip(b"=").decode()
    line = f"{name},sha256={digest},{len(new)}".encode()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as target:
        for item, body in files.items():
            if item.filename == name:
                target.writestr(item, new)
            elif item.filename.endswith(".dist-info/RECORD"):
                target.writestr(item, re.sub(rb"^%s,.*$" % re.escape(name.encode()), line, body, flags=re.MULTILINE))
            else:
                target.writestr(item, body)
