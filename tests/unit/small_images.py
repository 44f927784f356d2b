"""Small image files for ./tigerbush centrality."""

import cv2
import numpy as np
import rasterio


def random_image(seed=0, shape=(23, 31), high=255):
    signal = np.random.default_rng(seed).random(shape) < 0.6
    return np.where(signal, high, 0).astype(np.uint8)


def write_png(path, image):
    """Write a grey, RGB or RGBA image."""
    order = {2: ..., 3: [2, 1, 0], 4: [2, 1, 0, 3]}[image.shape[2] if image.ndim == 3 else 2]
    assert cv2.imwrite(str(path), image[..., order] if image.ndim == 3 else image)
    return path


def write_tiff(path, *bands, **profile):
    data = np.stack(bands)
    count, height, width = data.shape
    profile = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 465180, 0, -10, 5080260)} | profile
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=data.dtype, **profile
    ) as out:
        out.write(data)
    return path


def write_csv(path, image, separator=","):
    path.write_text("\n".join(separator.join(map(str, row)) for row in image.tolist()) + "\n")
    return path


def read_rgb(path):
    """Read an image from bytes, since OpenCV crashes on names that are not text."""
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
