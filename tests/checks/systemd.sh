#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# The systemd unit of examples/systemd, read by systemd itself. The program need not be installed for that.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed 's|^ExecStart=/usr/bin/trainmon-dashboard|ExecStart=/bin/true|' examples/systemd/trainmon-dashboard.service > "$work/trainmon-dashboard.service"
chmod 644 "$work/trainmon-dashboard.service" # it warns of files that everybody or nobody else may touch, as a umask may make them
said=$(systemd-analyze verify "$work/trainmon-dashboard.service" 2>&1 | grep -F trainmon-dashboard || true)
[ -z "$said" ] || { echo "$said"; exit 1; }
