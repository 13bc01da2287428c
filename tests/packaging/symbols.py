#!/usr/bin/env python3
"""symbols.py INCLUDE BUILD - what the shared libraries show is what the headers promise, no less and no more.

Every PL_API function stands in exactly one library, in its public version node; every other symbol that a library
shows stands in the private node and starts with pl_; every library has its SONAME.
"""
import re
import subprocess
import sys
from pathlib import Path

API = re.compile(r"PL_API[^;{(]*?\b(pl_[a-z0-9_]+)\s*\(")
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def promised(include):
    names = set()
    for header in sorted(include.glob("peerline/*.h")):
        names |= set(API.findall(COMMENT.sub("", header.read_text())))
    return names


def exported(library):
    """name -> version node, of the functions and data a library defines."""
    out = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    symbols = {}
    for line in out.splitlines():
        kind, name = line.split()[-2:]
        if kind != "A":  # the version nodes themselves
            name, _, node = name.partition("@")
            symbols[name] = node.lstrip("@")
    return symbols


def soname(library):
    out = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
    found = re.search(r"SONAME.*\[(.+)\]", out)
    return found.group(1) if found else None


def main(include, build):
    wrong, public = [], {}
    libraries = sorted(build.glob("libpeerline*.so"))
    if not libraries:
        wrong.append(f"no shared library in {build}")
    for library in libraries:
        if soname(library) != library.name + ".0":
            wrong.append(f"{library.name}: SONAME is {soname(library)}")
        node = library.stem[3:].upper().replace("-", "_") + "_0"
        for name, version in exported(library).items():
            if not name.startswith("pl_"):
                wrong.append(f"{library.name}: shows {name}")
            elif version == node:
                if name in public:
                    wrong.append(f"{name}: in {library.name} and in {public[name]}")
                public[name] = library.name
            elif not version.startswith("PEERLINE_PRIVATE_"):
                wrong.append(f"{library.name}: {name} has version {version or 'none'}")
    names = promised(include)
    wrong += [f"{name}: promised by a header, in no library" for name in sorted(names - set(public))]
    wrong += [f"{name}: shown by {public[name]}, promised by no header" for name in sorted(set(public) - names)]
    print("\n".join(wrong) or f"symbols: {len(names)} public functions in {len(libraries)} libraries")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
