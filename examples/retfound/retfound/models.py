# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Two small networks: convolutions, and a vision transformer."""

import torch
from torch import nn


def cnn(classes, channels, width):
    """Convolutions at four scales, an average over the image, a head. Any image size from 8 on."""
    def stage(before, after):
        return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2))

    body = nn.Sequential(stage(channels, width), stage(width, 2 * width), stage(2 * width, 4 * width), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(body, nn.Linear(4 * width, classes))


class VisionTransformer(nn.Module):
    """Patches as tokens, a class token, four layers, a head."""

    def __init__(self, classes, channels, width, size, layers=4):
        """`width` is a multiple of 16, `size` the image's in pixels."""
        super().__init__()
        patch = 4 if size < 112 else 16
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, max(1, width // 16), 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        """Takes images from -1 to 1, gives logits."""
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.places
        return self.head(self.layers(x)[:, 0])


def build(kind, classes, channels, width, size):
    """Gives the network of a kind, "cnn" or "vit"."""
    if kind == "vit":
        return VisionTransformer(classes, channels, max(16, width // 16 * 16), size)
    return cnn(classes, channels, width)
