"""Artifacts that must be refused."""


def shortened(image):
    return image[..., 1:]


def choosy(image):
    raise ValueError("not today")
