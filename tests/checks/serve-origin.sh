#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# DNS rebinding and hostile pages in a real Chromium against the real server.
exec "$(dirname "$0")/../browser/run" origin.test.mjs
