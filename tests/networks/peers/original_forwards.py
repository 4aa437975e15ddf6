"""What some released networks compute, stated from their public code with the originals' names, without modules."""

import torch
import torch.nn.functional as F


def did_anet(w, x):
    """Map and picture."""

    def conv(name, x):
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    def half(letter, x, blocks):
        x = conv(f"conv01{letter}", x)
        for block in range(1, blocks + 1):
            name = f"convRes{block:02}{letter}"
            x = x + (0.1 if letter == "b" and block > 4 else 1) * conv(f"{name}.2", conv(f"{name}.0", x).relu())
        return conv(f"conv03{letter}", conv(f"conv02{letter}", x))

    defocus = half("a", x, 4)
    return defocus, x + half("b", torch.cat([x, defocus], 1), 16)


def nafnet(w, x):
    def conv(name, x, **options):
        return F.conv2d(x, w[f"{name}.weight"], w.get(f"{name}.bias"), **options)

    def norm(name, x):
        centred = x - x.mean(1, keepdim=True)
        y = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
        return y * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]

    def gate(x):
        c = x.shape[1] // 2
        return x[:, :c] * x[:, c:]

    def block(name, x):
        y = conv(f"{name}.conv1", norm(f"{name}.norm1", x))
        y = gate(conv(f"{name}.conv2", y, padding=1, groups=y.shape[1]))
        y = y * conv(f"{name}.sca.1", F.adaptive_avg_pool2d(y, 1))
        x = x + conv(f"{name}.conv3", y) * w[f"{name}.beta"]
        return x + conv(f"{name}.conv5", gate(conv(f"{name}.conv4", norm(f"{name}.norm2", x)))) * w[f"{name}.gamma"]

    y, skipped = conv("intro", x, padding=1), []
    for level, depth in enumerate((1, 1, 1, 28)):
        for k in range(depth):
            y = block(f"encoders.{level}.{k}", y)
        skipped.append(y)
        y = conv(f"downs.{level}", y, stride=2)
    y = block("middle_blks.0", y)
    for level in range(4):
        y = block(f"decoders.{level}.0", F.pixel_shuffle(conv(f"ups.{level}.0", y), 2) + skipped[3 - level])
    return x + conv("ending", y, padding=1)


def mimo_unet(w, x, blocks):
    """The pictures, coarse to fine."""

    def conv(name, x, stride=1):
        weight = w[f"{name}.main.0.weight"]
        return F.conv2d(x, weight, w[f"{name}.main.0.bias"], stride, padding=weight.shape[-1] // 2)

    def up(name, x):
        return F.conv_transpose2d(x, w[f"{name}.main.0.weight"], w[f"{name}.main.0.bias"], stride=2, padding=1).relu()

    def deep(name, x):
        for k in range(blocks):
            x = x + conv(f"{name}.layers.{k}.main.1", conv(f"{name}.layers.{k}.main.0", x).relu())
        return x

    def shallow(name, x):
        y = x
        for step in range(4):
            y = conv(f"{name}.main.{step}", y).relu()
        return conv(f"{name}.conv", torch.cat([x, y], 1))

    def attended(name, a, b):
        return a + conv(f"{name}.merge", a * b)

    def fused(name, *levels):
        return conv(f"{name}.conv.1", conv(f"{name}.conv.0", torch.cat(levels, 1)).relu())

    def larger(x):
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    x2, x4 = x[..., ::2, ::2], x[..., ::4, ::4]
    a = deep("Encoder.0", conv("feat_extract.0", x).relu())
    b = deep("Encoder.1", attended("FAM2", conv("feat_extract.1", a, 2).relu(), shallow("SCM2", x2)))
    c = deep("Encoder.2", attended("FAM1", conv("feat_extract.2", b, 2).relu(), shallow("SCM1", x4)))
    whole = fused("AFFs.0", a, larger(b), larger(larger(c)))
    half = fused("AFFs.1", a[..., ::2, ::2], b, larger(c))
    z = deep("Decoder.0", c)
    made = [x4 + conv("ConvsOut.0", z)]
    z = deep("Decoder.1", conv("Convs.0", torch.cat([up("feat_extract.3", z), half], 1)).relu())
    made.append(x2 + conv("ConvsOut.1", z))
    z = deep("Decoder.2", conv("Convs.1", torch.cat([up("feat_extract.4", z), whole], 1)).relu())
    return [*made, x + conv("feat_extract.5", z)]


def dpdnet(w, x, first=1):
    """A BGR picture of a BGR picture."""
    numbers = iter(range(first, first + 24))

    def conv(x):
        number = next(numbers)
        kernel = w[f"conv2d_{number}/conv2d_{number}/kernel:0"].permute(3, 2, 0, 1)
        before = (kernel.shape[-1] - 1) // 2
        after = kernel.shape[-1] - 1 - before
        return F.conv2d(F.pad(x, (before, after, before, after)), kernel, w[f"conv2d_{number}/conv2d_{number}/bias:0"])

    skipped = []
    for level in range(5):
        x = F.max_pool2d(x, 2) if level else x
        x = conv(conv(x).relu()).relu()
        skipped.append(x)
    for skip in skipped[3::-1]:
        x = conv(x.repeat_interleave(2, 2).repeat_interleave(2, 3)).relu()
        x = conv(conv(torch.cat([skip, x], 1)).relu()).relu()
    return conv(conv(x).relu()).sigmoid()


def dme_net(w, x):
    """The map in units of 15 px of the circle of confusion."""
    place = "main_net/defocus_net"

    def conv(name, x):
        kernel = w[f"{place}/{name}/kernel:0"].permute(3, 2, 0, 1)
        reach = kernel.shape[-1] // 2
        x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2) if reach else x  # symmetric padding by one
        x = torch.cat([x[..., :1], x, x[..., -1:]], 3) if reach else x
        return F.conv2d(x, kernel, w[f"{place}/{name}/bias:0"])

    def normed(name, number, x):
        def of(part):
            return w[f"{place}/decoder/{name}/b{number}/{part}:0"][:, None, None]

        x = (conv(f"decoder/{name}/c{number}", x) - of("moving_mean")) / (of("moving_variance") + 1e-5).sqrt()
        return F.leaky_relu(x + of("beta"), 0.2)

    red, green, blue = (255 * x).unbind(1)
    y, skipped = torch.stack([blue - 103.939, green - 116.779, red - 123.68], 1), []
    for level, count in enumerate((2, 2, 4, 4, 4), 1):
        y = F.max_pool2d(y, 2) if skipped else y
        for k in range(1, count + 1):
            y = conv(f"encoder/conv{level}_{k}", y).relu()
        skipped.append(y)
    for level in (3, 2, 1, 0):
        y = torch.cat([y.repeat_interleave(2, 2).repeat_interleave(2, 3), skipped[level]], 1)
        for number in (1, 2, 3) if level else ("_init",):
            y = normed(f"u{level}", number, y)
    for k in range(7):
        y = normed("u0", f"{k}_2", normed("u0", f"{k}_1", y)) + normed("u0", f"_res{k}", y)
    return conv("decoder/uf/c3", normed("uf", 2, normed("uf", 1, y))).sigmoid()
