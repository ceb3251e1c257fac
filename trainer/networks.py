"""The networks that can be trained, by name, and how each is trained."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from trainer.cache import cache_folder
from trainer.photos import LABELS
from trainer.space_to_depth import SpaceToDepth


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    build: Callable[[int], Any]  # side of the crops in px -> a Keras network for uint8 luma (size, size, 1)
    size: int  # px, unless asked otherwise
    epochs: int  # at most, unless asked otherwise
    augmented: bool  # batches come from trainer.sampling, and the learning rate falls to nothing along half a cosine
    batch: int = 32  # photos, Keras' own default and the original's
    batches: int = 0  # an epoch, where augmented; else an epoch is every photo once
    learning_rate: float = 1e-3
    validation_parts: int = 5  # one of so many of the training photos: a fifth, as in the original
    bfloat16: bool = False  # trained in such numbers where the processor has them: wide convolutions gain, others lose


def simple(size: int) -> keras.Model:
    """Build the original notebook's network for uint8 luma crops (size, size, 1); it gives one score a label, 0-1.

    Scaling to 0-1 is its first layer, so that whoever runs it needs to know nothing about it.
    """
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((size, size, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(200, 3),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Conv2D(100, 3),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(50, activation="relu"),
            layers.Dense(len(LABELS), activation="softmax"),
        ],
        name="simple",
    )


def door(size: int) -> keras.Model:
    """Build the appliance's network: 97 thousand weights, 14.5 million multiply-adds at 80 pixels.

    What lies in a square of 2 x 2 px becomes its channels first; `size` is even. Then plain convolutions while there is
    much to look at and few channels, which processors do fastest; depthwise separable ones at the end, where weights
    would grow (Howard et al., MobileNets, arXiv 1704.04861). A depthwise convolution over all that is left takes the
    place of average pooling (Chen et al., MobileFaceNets, arXiv 1804.07573), because it matters where on the face
    something is.
    """
    layers = keras.layers

    def normalised(x: Any) -> Any:  # noqa: ANN401
        return layers.BatchNormalization(momentum=0.97)(x)

    def plain(x: Any, filters: int, kernel: int, strides: int) -> Any:  # noqa: ANN401
        y = layers.ReLU()(normalised(layers.Conv2D(filters, kernel, strides, "same", use_bias=False)(x)))
        return layers.Add()([x, y]) if x.shape == y.shape else y

    def separable(x: Any, filters: int, strides: int) -> Any:  # noqa: ANN401
        y = layers.ReLU()(normalised(layers.DepthwiseConv2D(3, strides, "same", use_bias=False)(x)))
        y = layers.ReLU()(normalised(layers.Conv2D(filters, 1, use_bias=False)(y)))
        return layers.Add()([x, y]) if x.shape == y.shape else y

    luma = keras.Input((size, size, 1))
    x = SpaceToDepth(2)(layers.Rescaling(1 / 255)(luma))
    for filters, kernel, strides in ((20, 2, 1), (40, 3, 2), (40, 3, 1), (56, 3, 2), (56, 3, 1)):
        x = plain(x, filters, kernel, strides)
    for filters, strides in ((112, 2), (112, 1)):
        x = separable(x, filters, strides)
    x = normalised(layers.DepthwiseConv2D(x.shape[1:3], use_bias=False)(x))
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    x = layers.Dense(len(LABELS), name="logits")(x)
    return keras.Model(luma, layers.Softmax()(x), name="door")


def resnet(size: int) -> keras.Model:
    """Build ResNet50 (He et al., CVPR 2016) with two scores at its end."""
    return _borrowed("resnet", keras.applications.ResNet50, size)


def vgg19(size: int) -> keras.Model:
    """Build VGG19 (Simonyan and Zisserman, ICLR 2015) with two scores at its end."""
    return _borrowed("vgg19", keras.applications.VGG19, size)


def _borrowed(name: str, build: Callable[..., Any], size: int) -> keras.Model:
    # Grey stands for all three channels; the mean of ImageNet's colours is taken off as these networks expect.
    layers, weights = keras.layers, _weights(name)
    scale = 1.0 if weights else 1 / 128  # ImageNet's weights take 0-255, those drawn at random numbers of about one
    luma = keras.Input((size, size, 1))
    means = 103.939, 116.779, 123.68
    x = layers.Concatenate()([layers.Rescaling(scale, -mean * scale)(luma) for mean in means])
    borrowed = build(include_top=False, weights=weights, input_shape=(size, size, 3), pooling="avg")
    if not weights:
        _start_from_scratch(borrowed)
    x = layers.Dense(len(LABELS), name="logits")(layers.Dropout(0.3)(borrowed(x)))
    return keras.Model(luma, layers.Softmax()(x), name=name)


def _start_from_scratch(network: keras.Model) -> None:
    # So that what ReLUs let through grows no weaker from layer to layer (He et al., arXiv 1502.01852). Keras' own start
    # is made for layers without them: with it VGG19, which normalises nothing, is at chance after its epochs. The
    # blocks of ResNet50 add nothing at first (Goyal et al., arXiv 1706.02677, 5.1): else their sums grow from block to
    # block, and steps of 8 bits with them.
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.kernel.assign(keras.initializers.HeNormal()(layer.kernel.shape))
        elif isinstance(layer, keras.layers.BatchNormalization) and layer.name.endswith("_3_bn"):  # a block's last
            layer.gamma.assign(keras.ops.zeros_like(layer.gamma))


def imagenet_weights(name: str) -> Path:
    """Return where a network's ImageNet weights would be: the file without a top that keras.applications publishes."""
    return cache_folder() / "weights" / f"{name}.h5"


def _weights(name: str) -> str | None:
    path = imagenet_weights(name)
    print(f"{name}: " + (f"ImageNet weights from {path}" if path.exists() else f"from scratch, no {path}"))
    return str(path) if path.exists() else None


NETWORKS: dict[str, Recipe] = {
    "door": Recipe(door, 80, 120, augmented=True, batch=64, batches=160, learning_rate=3e-3, validation_parts=10),
    "simple": Recipe(simple, 100, 40, augmented=False, bfloat16=True),
    "resnet": Recipe(resnet, 64, 16, augmented=True, batch=32, batches=160, learning_rate=5e-4, validation_parts=10),
    "vgg19": Recipe(vgg19, 64, 8, augmented=True, batch=32, batches=160, learning_rate=1e-4, validation_parts=10,
                    bfloat16=True),
}
