"""The records that earlier versions left in a prefix: JSON, in files whose names end so. They are read, to be
written anew; nothing makes them any more."""

import json

from . import prefix_layout as layout
from .prefix_record_text import Edit, Entry, Record, check

SUFFIX = ".json"
_READABLE = (2, 3, 4)  # 2 knew no ntke_unix.dll, 3 no ntke for 32-bit programs


def read(data: bytes) -> Record:
    """Raises ValueError for what is no record."""
    try:
        values = json.loads(data)
        record = _record(_from_first_format(values) if "format" not in values else values)
        check(record)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return record


def _record(data: dict) -> Record:
    if data["format"] not in _READABLE:
        raise ValueError(f"format {data['format']!r} is of another version of ws2, which can remove it")
    return Record({name: Entry(**entry) for name, entry in data["files"].items()},
                  [Edit(**edit) for edit in data["edits"]], data["ntke"], data["keeping"], data["new"])


def _from_first_format(data: dict) -> dict:
    """The first one numbered the saved files as they came, and had the edit of the registry apart."""
    files = {name: dict(entry, saved=entry["saved"] and entry["saved"].removeprefix("saved/"))
             for name, entry in data["files"].items()}
    edits = []
    registry = data["registry"]
    if registry and registry["mine"]:
        key, name, value = (text.decode("latin-1") for text in layout.REGISTRY[0])
        edits.append({"key": key, "name": name, "value": value, "line": registry["line"],
                      "section_added": registry["section_added"]})
        files[layout.USER_REG] = {"original": registry["original"], "saved": "user.reg",
                                  "ours": [registry["written"]] if registry["written"] else []}
    return {"format": _READABLE[-1], "files": files, "edits": edits, "ntke": data.get("ntke", {}),
            "keeping": [], "new": {}}
