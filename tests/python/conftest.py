# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What holds for all folders: a shell that runs the tests in the background has SIGINT ignored, which the scripts of the tests would inherit."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
