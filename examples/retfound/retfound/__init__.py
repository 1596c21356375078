# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""An image classifier for any folder of images, a class a folder, that is watched and steered with trainmon."""
