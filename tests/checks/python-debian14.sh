#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# The package in a bare Debian 14, whose Python 3.14, compiler and libraries are newer than what Debian 12 has: built by pip and tested there. Minutes and half a
# gigabyte, so only with LONG=1 (tests/run --long), as root. The folder is kept: $TRAINMON_TEST_CACHE, else ~/.cache/trainmon-tests.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${LONG:-0}" != 1 ]; then echo "takes minutes: run with --long"; exit 77; fi
if [ "$(id -u)" != 0 ]; then echo "needs root, for a root folder of its own"; exit 77; fi
command -v debootstrap >/dev/null || cmake/install-packages debootstrap

cache=${TRAINMON_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trainmon-tests}
root=$cache/debian14
packages=python3.14,python3.14-venv,python3.14-dev,build-essential,pkg-config,libsqlite3-dev,libcjson-dev,libwebsockets-dev,libcap-dev,zlib1g-dev,sqlite3,procps
if [ ! -d "$root" ]; then
  # Debian 12's debootstrap knows its script under the name of the suite that is always the newest.
  rm -rf "$root.new"
  debootstrap --variant=minbase --include="$packages" forky "$root.new" "${MIRROR:-http://deb.debian.org/debian}" /usr/share/debootstrap/scripts/sid >"$cache/debian14.log" 2>&1 ||
    { tail -n 5 "$cache/debian14.log"; exit 1; }
  mv "$root.new" "$root"
fi

# Python's packages are fetched out here, where pip knows from where; in there nothing is.
wheels=$root/root/wheels
mkdir -p "$wheels"
build/python/pip/bin/pip --version >/dev/null 2>&1 || python3 -m venv build/python/pip
build/python/pip/bin/pip download --quiet --disable-pip-version-check --only-binary=:all: --python-version 3.14 -d "$wheels" \
  -r tests/python/requirements.txt 'scikit-build-core>=0.11,<2' cmake ninja
rm -rf "$root/root/source" "$root/root/environment"
mkdir -p "$root/root/source"
git ls-files -z | tar --null -T - -cf - | tar -C "$root/root/source" -xf -

# The mounts are of this process and end with it.
unshare --mount --propagation private bash -euo pipefail -c '
  for folder in /proc /sys /dev /dev/shm /dev/pts; do mount --bind "$folder" "$1$folder"; done
  env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 chroot "$1" bash -euo pipefail -c "
    cd /root/source
    python3.14 -m venv /root/environment
    pip=\"/root/environment/bin/pip --disable-pip-version-check\"
    \$pip install --quiet --no-index --find-links /root/wheels -r tests/python/requirements.txt ./bindings/python
    timeout 900 /root/environment/bin/python -m pytest -q -p no:cacheprovider tests/python/core
    timeout 900 /root/environment/bin/python -m pytest -q -p no:cacheprovider tests/python/robust"
' bash "$root"
