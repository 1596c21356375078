# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The errors that a user can act on."""


class RetfoundError(Exception):
    """Something about the data, the settings or the weights; the text says what to do. The command prints it and ends with status 2."""
