#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Reads event files of tmon_extract with TensorBoard itself, in a virtual environment of its own below build/; which pip fills.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${BUILD:-build/dev}/tests/track_test_extract
[ -x "$program" ] || { echo "the unit tests are not built"; exit 77; }
python=$PWD/build/tensorboard/bin/python
reads='from tensorboard.backend.event_processing import event_accumulator'
if ! { [ -x "$python" ] && "$python" -c "$reads" 2>/dev/null; }; then
  rm -rf build/tensorboard
  # setuptools: tensorboard 2.20 imports pkg_resources, which later ones lack.
  if ! { python3 -m venv build/tensorboard && "$python" -m pip install --quiet 'tensorboard==2.20.0' 'setuptools<80' && "$python" -c "$reads"; } >build/tensorboard.log 2>&1; then
    cat build/tensorboard.log
    echo "tensorboard could not be installed"
    exit 1
  fi
fi
TENSORBOARD_PYTHON=$python CK_RUN_CASE=extract "$program" | tee build/tensorboard.log
! grep -q skipped build/tensorboard.log
