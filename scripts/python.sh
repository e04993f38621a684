#!/usr/bin/env bash
# A Python of the tests' own, in target/python, with the packages of tests/requirements.txt. Does nothing when it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/apt.sh

readonly folder=target/python
if [ -e "$folder/requirements.txt" ] && cmp --quiet tests/requirements.txt "$folder/requirements.txt"; then
    exit
fi
if ! python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    apt_install python3 python3-venv
fi
rm -rf "$folder"
mkdir -p target
python3 -m venv "$folder"
echo "Installing the Python packages of tests/requirements.txt" >&2
"$folder/bin/pip" install --quiet --disable-pip-version-check --requirement tests/requirements.txt
# Last: a folder that has it is complete.
cp tests/requirements.txt "$folder/requirements.txt"
