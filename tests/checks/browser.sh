#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# The page in a real Chromium, against the real server and a real training: tests/browser.
exec "$(dirname "$0")/../browser/run"
