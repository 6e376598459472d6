#!/bin/sh
# Makes $VENV with the first Python that is new enough: $PYTHON if given, else the usual names.
set -eu

folder=${VENV:-.venv}
new_enough='import sys; sys.exit(sys.version_info < (3, 11))'
chosen=
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if "$candidate" -c "$new_enough" >/dev/null 2>&1; then
        chosen=$candidate
        break
    fi
done

if [ -z "$chosen" ]; then
    found=$("${PYTHON:-python3}" --version 2>/dev/null || echo "none called ${PYTHON:-python3}")
    echo "mamtra needs Python 3.11 or newer, found: $found" >&2
    echo "install one (Debian, Ubuntu: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3.11 ..." >&2
    exit 1
fi

if ! "$chosen" -m venv "$folder" >/dev/null 2>&1; then
    rm -rf "$folder"
    echo "$("$chosen" --version) cannot make a virtual environment: its module venv or ensurepip is missing" >&2
    echo "install it (Debian, Ubuntu: apt install python3-venv), then run make again" >&2
    exit 1
fi
