# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`python -m trainmon`: the program trainmon."""

import sys

from trainmon.cli import main

sys.exit(main())
